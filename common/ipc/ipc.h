/* Messages and descriptors between processes of one program suite, over a
 * SOCK_SEQPACKET socket pair: one message a datagram, a 16-bit type and a body
 * encoded field by field. Each receiver has a table of the messages that it takes. */
#ifndef QSH_IPC_IPC_H
#define QSH_IPC_IPC_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/ev/ev.h"

#define IPC_BODY_MAX (192 * 1024) /* bytes */
#define IPC_FDS_MAX  8

struct ipc;

/* A message has been taken. body ends where the message ends (use rd_end);
 * fds holds exactly row->nfds descriptors, which are the handler's: one that it wants to
 * keep it sets to -1 in the array, the others are closed after it. A negative
 * return closes the channel with that error. The handler may call ipc_free. */
typedef int ipc_handler_fn(void *ctx, struct rd *body, int *fds);
/* The channel ended: 0 the peer closed it, else an error (logged, with the message's name). Called once, from the
 * loop; the channel is still to be freed. */
typedef void ipc_closed_fn(void *ctx, int err);

struct ipc_row {
	uint16_t type;
	const char *name;      /* for logs */
	uint32_t phases;       /* bit mask of the phases that permit it */
	uint8_t once;          /* at most once in the life of the channel */
	uint8_t nfds;          /* descriptors that come with it, exactly */
	ipc_handler_fn *fn;    /* NULL: permitted only as the answer of an ipc_call */
};

/* A connected pair, close-on-exec, with buffers that hold one largest message (an ordinary user gets
 * less where net.core.wmem_max is below IPC_BODY_MAX / 2: sending such a message is QERR_TOOBIG then). QERR_SYS. */
int ipc_pair(int fds[2]);
/* Takes fd over (also on failure). rows must stay valid; ctx is passed to the handlers. Phase is
 * 1 at first. ev may be NULL: then ipc_send waits until the message has left, and messages are handled by
 * ipc_recv_one alone. QERR_NOMEM, QERR_SYS. */
int ipc_new(struct ipc **out, struct ev *ev, int fd, const struct ipc_row *rows, size_t nrows,
    void *ctx, ipc_closed_fn *closed);
void ipc_free(struct ipc **ipc);
void ipc_set_phase(struct ipc *ipc, uint32_t phase);
int ipc_fd(const struct ipc *ipc);
/* Sends, or queues where the socket is full (at most 4 MiB, then QERR_TOOBIG). fds stay
 * the caller's (duplicated if queued). b may be NULL for an empty body; its sticky error is returned. A body
 * over IPC_BODY_MAX is QERR_TOOBIG. QERR_CLOSED (what the peer sent before it left is still handled), QERR_NOMEM, QERR_SYS. */
int ipc_send(struct ipc *ipc, uint16_t type, const struct buf *b, const int *fds, size_t nfds);
/* Sends at once or not at all: QERR_AGAIN where the socket is full or messages are queued. */
int ipc_try_send(struct ipc *ipc, uint16_t type, const struct buf *b, const int *fds, size_t nfds);
/* Sends and waits (blocking, at most timeout_ns) for the message of type reply; other messages
 * that arrive meanwhile are kept and handled from the loop later. The body is
 * appended to *out (initialised by the caller). An answer that is in the table obeys its row; it brings no
 * descriptors. At most 4 MiB are kept, then QERR_TOOBIG. QERR_TIMEOUT leaves the channel usable (a late answer is
 * handled as any message); after QERR_CLOSED and other errors of receiving, closed() comes from the loop. May be called by a handler. */
int ipc_call(struct ipc *ipc, uint16_t type, const struct buf *b, uint16_t reply,
    struct buf *out, uint64_t timeout_ns);
/* Reads and handles one message, waiting for it (for the first message of a new process,
 * before the loop runs). QERR_CLOSED, QERR_TIMEOUT, QERR_SYS, what is wrong with the message, or the handler's error. */
int ipc_recv_one(struct ipc *ipc, uint64_t timeout_ns);

#endif
