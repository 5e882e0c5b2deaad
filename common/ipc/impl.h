/* What the files of the IPC channel share. */
#ifndef QSH_IPC_IMPL_H
#define QSH_IPC_IMPL_H

#include <stdbool.h>

#include "common/ipc/ipc.h"

#define IPC_HDR 2                          /* bytes: the type */
#define IPC_QUEUE_MAX (4 * 1024 * 1024)    /* bytes waiting to be sent, or kept during a call */

/* A message that waits, to be sent or to be handled. Owns its descriptors. */
struct ipc_msg {
	struct ipc_msg *next;
	uint16_t type;
	int fds[IPC_FDS_MAX];
	size_t nfds;
	size_t n;
	uint8_t body[];
};

struct ipc_queue {
	struct ipc_msg *first, **end; /* end: where the next one is linked in */
	size_t cost; /* bytes */
};

/* A message just taken from the socket; the body lies in the receive buffer, descriptors are owned. */
struct ipc_in {
	uint16_t type;
	struct bytes body;
	int fds[IPC_FDS_MAX];
	size_t nfds;
};

/* Lies on the stack of a call that a handler was called from; tells it that the channel is gone. */
struct ipc_guard {
	struct ipc_guard *outer;
	bool freed;
};

struct ipc {
	struct ev *ev; /* may be NULL */
	struct ev_io *io;
	struct ev_timer *later; /* handles what does not come from the socket: kept messages, the end */
	int fd;                 /* -1: ended */
	const struct ipc_row *rows;
	size_t nrows;
	uint8_t *seen; /* a byte a row */
	uint32_t phase;
	void *ctx;
	ipc_closed_fn *closed;
	struct ipc_queue out, kept;
	uint8_t *rx; /* the receive buffer; NULL while a handler reads in it */
	struct ipc_guard *guard;
	bool tx_closed;    /* the peer is gone; what it sent before may still be read */
	bool ending;       /* tell closed() from the loop, after the kept messages */
	int end_err;
};

/* ---- msg.c: one system call each ---- */
/* 0, QERR_AGAIN, QERR_CLOSED, QERR_TOOBIG (over the socket's buffer) or QERR_SYS. */
int ipc_msg_send(int fd, uint16_t type, const void *p, size_t n, const int *fds, size_t nfds);
/* 0, QERR_AGAIN, QERR_CLOSED (end), QERR_TRUNC (no type), QERR_TOOBIG (body or descriptors over
 * their limit) or QERR_SYS. buf has IPC_BODY_MAX bytes. */
int ipc_msg_recv(int fd, struct ipc_in *in, uint8_t *buf);
/* Waits for poll's events until time ns. 0, QERR_TIMEOUT or QERR_SYS. */
int ipc_fd_wait(int fd, short events, uint64_t deadline);
void ipc_fds_close(int *fds, size_t n);

/* ---- queue.c ---- */
void ipc_queue_init(struct ipc_queue *q);
/* Copies the body and duplicates the descriptors (dup_fds), or takes them over. QERR_TOOBIG, QERR_NOMEM, QERR_SYS. */
int ipc_queue_add(struct ipc_queue *q, uint16_t type, const void *p, size_t n, int *fds,
    size_t nfds, bool dup_fds);
struct ipc_msg *ipc_queue_first(const struct ipc_queue *q);
/* Removes the first; the caller frees it. */
struct ipc_msg *ipc_queue_pop(struct ipc_queue *q);
void ipc_queue_drop(struct ipc_queue *q);
void ipc_msg_free(struct ipc_msg **m);

/* ---- send.c ---- */
/* Sends what is queued, as far as the socket takes it. 0 (queue empty), QERR_AGAIN, QERR_CLOSED, QERR_SYS. */
int ipc_flush(struct ipc *ipc);
/* The same, then one message more; waits. */
int ipc_send_wait(struct ipc *ipc, uint16_t type, const struct buf *b, const int *fds, size_t nfds,
    uint64_t deadline);

/* ---- ipc.c ---- */
/* Takes the next message from the socket into ipc->rx. */
int ipc_take(struct ipc *ipc, struct ipc_in *in);
/* Is the message one that may come now? Counts it as seen. 0, or the error, which is logged. */
int ipc_admit(struct ipc *ipc, const struct ipc_in *in, const struct ipc_row **row);
/* Lets the loop tell the end, or handle what was kept. */
void ipc_end_later(struct ipc *ipc, int err);
void ipc_wake(struct ipc *ipc);

#endif
