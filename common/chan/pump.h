/* Pumps: bytes between a descriptor and a stream, one direction each, with back-pressure. */
#ifndef QSH_CHAN_PUMP_H
#define QSH_CHAN_PUMP_H

#include "common/ev/ev.h"
#include "common/net/transport.h"

struct pump_out; /* descriptor -> stream */
struct pump_in;  /* stream -> descriptor */

/* Why a pump ended. */
enum pump_end {
	PUMP_EOF,   /* end of input; FIN sent, or descriptor closed */
	PUMP_ERROR, /* read or write error on the descriptor (EIO of a pty counts as PUMP_EOF) */
	PUMP_RESET, /* the stream was reset or stopped by the peer */
};
typedef void pump_done_fn(void *arg, enum pump_end why);
/* Sees bytes before they go on (escape keys): may change them in place and shorten *n. */
typedef void pump_filter_fn(void *arg, uint8_t *p, size_t *n);

/* Reads from fd (non-blocking, taken over) into s as there is room; FIN at the end. The pump
 * sets s's ops. done comes once, from the loop; then the pump is to be freed. QERR_NOMEM. */
int pump_out_new(struct pump_out **out, struct ev *ev, int fd, struct tp_stream *s,
    pump_done_fn *done, void *arg);
void pump_out_filter(struct pump_out *p, pump_filter_fn *fn, void *arg);
/* Stops and restarts reading of the descriptor. */
void pump_out_pause(struct pump_out *p, bool paused);
/* Reads what the descriptor has without waiting, then FIN and done (a pty whose child has exited). */
void pump_out_drain(struct pump_out *p);
/* FIN now, whatever the descriptor may still have. */
void pump_out_finish(struct pump_out *p);
void pump_out_free(struct pump_out **p); /* closes fd; a stream not ended yet is reset */

/* Writes what s brings to fd (non-blocking, taken over); closes fd after FIN (half-close:
 * shutdown(SHUT_WR) where fd is a socket that someone else still reads). */
int pump_in_new(struct pump_in **out, struct ev *ev, int fd, struct tp_stream *s,
    pump_done_fn *done, void *arg);
/* Data that was read from the stream before the pump took over. */
int pump_in_feed(struct pump_in *p, const void *data, size_t n, bool fin);
/* A pty: at FIN write the VEOF character instead of closing (as sshd does on channel EOF: nothing). */
void pump_in_keep_open(struct pump_in *p); /* at FIN, leave fd open and say done */
void pump_in_free(struct pump_in **p);     /* closes fd; STOP_SENDING where the stream goes on */

#endif
