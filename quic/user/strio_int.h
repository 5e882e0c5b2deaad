/* The inside of a connection over a byte stream, shared by strio*.c. */
#ifndef QSH_QUIC_USER_STRIO_INT_H
#define QSH_QUIC_USER_STRIO_INT_H

#include <stdbool.h>

#include "quic/user/drive.h"
#include "quic/user/strio.h"

#define STRIO_BATCH (2 * STRIO_PACKET) /* bytes of packets that are made at a time */
#define STRIO_OUT   (STRIO_BATCH + 4096) /* with frame headers, and a last packet behind them */

/* What has been handed over and has not left: a batch at most. */
struct strio_out {
	size_t off, n;
	uint8_t buf[STRIO_OUT];
};

struct strio {
	struct qdrive d;
	struct quic_carrier via;
	struct tp_path path;     /* as the engine has it */
	struct ev_io *in, *out;  /* out: NULL where it is the same descriptor */
	struct ev_timer *later;
	struct qframe_rx *rx;
	struct quic_trace *trace;
	const uint8_t *first;    /* a datagram that was read before we were made */
	size_t nfirst;
	bool server, connecting;
	bool deaf;               /* nothing more comes, the layer above is told */
	int write_errno;         /* nothing more goes */
	struct strio_out tx;
};

/* EAGAIN and the like. */
bool strio_would_block(int e);

/* strio_sock.c */
/* Bytes that wait in the kernel unsent no longer count: the last packet goes behind whatever waits. */
void strio_no_lowat(int fd);
/* Says that no more comes and has the other side read what came, although it may still be sending: waits for its end for
 * wait ms at most. */
void strio_linger(int fd, int wait);

/* strio_tx.c: sending, for struct qconn_host */
size_t strio_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg);
size_t strio_room(void *arg);
/* Has the greeting leave before everything else. */
void strio_greet(struct strio *io);
/* The descriptor takes more. 0 or QERR_CLOSED. */
int strio_writable(struct strio *io);
void strio_want_write(struct strio *io, bool on);

/* strio_rx.c */
/* Reads what is there. 0, or QERR_CLOSED: the connection and io are gone. */
int strio_read(struct strio *io);
/* Reading, writing or connecting has failed with e: the connection is over, if it was not. */
void strio_failed(struct strio *io, int e);

#endif
