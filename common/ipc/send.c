/* Sending: at once where the socket has room, else later, in order. */
#include <poll.h>

#include "common/base/err.h"
#include "common/ipc/impl.h"

int
ipc_flush(struct ipc *ipc)
{
	struct ipc_msg *m;
	int r;

	while ((m = ipc_queue_first(&ipc->out)) != NULL) {
		r = ipc_msg_send(ipc->fd, m->type, m->body, m->n, m->fds, m->nfds);
		if (r == QERR_AGAIN)
			return r;
		if (r == QERR_CLOSED) {
			/* What the peer said before it left is still to be read. */
			ipc->tx_closed = true;
			ipc_queue_drop(&ipc->out);
			return r;
		}
		if (r != 0)
			return r;
		m = ipc_queue_pop(&ipc->out);
		ipc_msg_free(&m);
	}
	return 0;
}

static int
send_now(struct ipc *ipc, uint16_t type, const struct buf *b, const int *fds, size_t nfds)
{
	const uint8_t *p = b != NULL ? buf_data(b) : NULL;
	size_t n = b != NULL ? buf_len(b) : 0;
	int r;

	if (ipc->fd < 0 || ipc->tx_closed || ipc->ending)
		return QERR_CLOSED;
	if (b != NULL && b->err != 0)
		return b->err;
	if (n > IPC_BODY_MAX || nfds > IPC_FDS_MAX)
		return QERR_TOOBIG;
	if (ipc_queue_first(&ipc->out) != NULL)
		return QERR_AGAIN;
	r = ipc_msg_send(ipc->fd, type, p, n, fds, nfds);
	if (r == QERR_CLOSED)
		ipc->tx_closed = true;
	return r;
}

int
ipc_try_send(struct ipc *ipc, uint16_t type, const struct buf *b, const int *fds, size_t nfds)
{
	return send_now(ipc, type, b, fds, nfds);
}

int
ipc_send_wait(struct ipc *ipc, uint16_t type, const struct buf *b, const int *fds, size_t nfds,
    uint64_t deadline)
{
	int r;

	while ((r = ipc_flush(ipc)) == QERR_AGAIN ||
	    (r == 0 && (r = send_now(ipc, type, b, fds, nfds)) == QERR_AGAIN))
		if ((r = ipc_fd_wait(ipc->fd, POLLOUT, deadline)) != 0)
			break;
	return r;
}

int
ipc_send(struct ipc *ipc, uint16_t type, const struct buf *b, const int *fds, size_t nfds)
{
	int copy[IPC_FDS_MAX], r;

	r = send_now(ipc, type, b, fds, nfds);
	if (r != QERR_AGAIN)
		return r;
	if (ipc->ev == NULL) /* nobody would send it later */
		return ipc_send_wait(ipc, type, b, fds, nfds, UINT64_MAX);
	for (size_t i = 0; i < nfds; i++)
		copy[i] = fds[i];
	r = ipc_queue_add(&ipc->out, type, b != NULL ? buf_data(b) : NULL,
	    b != NULL ? buf_len(b) : 0, copy, nfds, true);
	if (r == 0)
		r = ev_io_set(ipc->io, EV_RD | EV_WR);
	return r;
}
