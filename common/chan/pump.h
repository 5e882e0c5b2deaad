/* Pumps: bytes between a descriptor and a stream, one direction each, with back-pressure.
 *
 * Nothing is copied on the way: a descriptor is read into the stream's send buffer, and
 * what a stream brings is written from where it lies. What the descriptor does not take
 * stays in the transport, with its flow-control credit. One round of the loop moves at most
 * PUMP_ROUND bytes, so that no stream starves others. SIGPIPE must be ignored. */
#ifndef QSH_CHAN_PUMP_H
#define QSH_CHAN_PUMP_H

#include "common/ev/ev.h"
#include "common/net/transport.h"

#define PUMP_ROUND (256 * 1024)

struct pump_out; /* descriptor -> stream */
struct pump_in;  /* stream -> descriptor */

/* Why a pump ended. */
enum pump_end {
	PUMP_EOF,   /* end of input; FIN sent, or descriptor closed */
	PUMP_ERROR, /* read or write error on the descriptor (EIO of a pty counts as PUMP_EOF); of
	             * a pump_in errno says which */
	PUMP_RESET, /* the stream was reset or stopped by the peer, or the connection is over */
};
/* The pump is over and has let go of its stream; it may be freed from here. */
typedef void pump_done_fn(void *arg, enum pump_end why);
/* Sees bytes before they go on (escape keys): may change them in place and shorten *n; may
 * pause or finish the pump, not free it. */
typedef void pump_filter_fn(void *arg, uint8_t *p, size_t *n);

/* Reads from fd (non-blocking, taken over, also on failure) into s as there is room; FIN at
 * the end. The pump sets s's ops. done comes once, from the loop; then the pump is to be
 * freed. QERR_NOMEM, QERR_SYS. */
int pump_out_new(struct pump_out **out, struct ev *ev, int fd, struct tp_stream *s,
    pump_done_fn *done, void *arg);
void pump_out_filter(struct pump_out *p, pump_filter_fn *fn, void *arg);
/* Stops and restarts reading of the descriptor. */
void pump_out_pause(struct pump_out *p, bool paused);
/* Reads what the descriptor has without waiting, then FIN and done (a pty whose child has
 * exited). Where something writes on and on, it ends after 1 MiB. */
void pump_out_drain(struct pump_out *p);
/* FIN now, whatever the descriptor may still have. */
void pump_out_finish(struct pump_out *p);
/* When bytes last went through (ns, ev_now's clock); at first, when it was made. */
uint64_t pump_out_last(const struct pump_out *p);
void pump_out_free(struct pump_out **p); /* closes fd; a stream not ended yet is reset */

/* Writes what s brings to fd (non-blocking, taken over, also on failure); closes fd after
 * FIN (where it is a socket, after shutdown(SHUT_WR): a duplicate may still be read). Asks
 * the transport to offer again what s has kept. done as above. QERR_NOMEM, QERR_SYS. */
int pump_in_new(struct pump_in **out, struct ev *ev, int fd, struct tp_stream *s,
    pump_done_fn *done, void *arg);
/* Data that was read from the stream before the pump took over, at most 64 KiB: written
 * first. fin: the stream's FIN was seen with it (n may be 0). QERR_TOOBIG, QERR_NOMEM. */
int pump_in_feed(struct pump_in *p, const void *data, size_t n, bool fin);
/* Sees what goes to the descriptor: called with n 0 before something is written, and with what was. */
typedef void pump_tap_fn(void *arg, const uint8_t *p, size_t n);
void pump_in_tap(struct pump_in *p, pump_tap_fn *fn, void *arg);
void pump_in_keep_open(struct pump_in *p); /* at FIN, leave fd open (a pty) and say done */
uint64_t pump_in_last(const struct pump_in *p); /* likewise */
void pump_in_free(struct pump_in **p);     /* closes fd; STOP_SENDING where the stream goes on */

#endif
