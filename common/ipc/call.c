/* Waiting for one answer. */
#include <poll.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/ipc/impl.h"

/* 1: it was the answer. Takes in over. */
static int
sort_in(struct ipc *ipc, struct ipc_in *in, uint16_t reply, struct buf *out)
{
	const struct ipc_row *row;
	int r;

	if (in->type != reply)
		return ipc_queue_add(&ipc->kept, in->type, in->body.p, in->body.n, in->fds,
		    in->nfds, false);
	/* An answer need not be in the table; one that is obeys it. */
	r = ipc_admit(ipc, in, &row);
	if (r == QERR_UNKNOWN && in->nfds == 0)
		r = 0;
	if (r == 0 && in->nfds != 0)
		r = QERR_PROTO;
	if (r == 0)
		r = buf_put(out, in->body.p, in->body.n);
	return r == 0 ? 1 : r;
}

int
ipc_call(struct ipc *ipc, uint16_t type, const struct buf *b, uint16_t reply, struct buf *out,
    uint64_t timeout_ns)
{
	uint64_t now = clock_mono(), deadline;
	struct ipc_in in;
	int r;

	if (ipc->fd < 0 || ipc->ending)
		return QERR_CLOSED;
	deadline = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
	if ((r = ipc_send_wait(ipc, type, b, NULL, 0, deadline)) != 0)
		return r;
	for (;;) {
		r = ipc_take(ipc, &in);
		if (r == QERR_AGAIN) {
			if ((r = ipc_fd_wait(ipc->fd, POLLIN, deadline)) != 0)
				return r;
			continue;
		}
		if (r == 0) {
			r = sort_in(ipc, &in, reply, out);
			ipc_fds_close(in.fds, in.nfds);
		}
		if (r > 0)
			return 0;
		if (r < 0) {
			ipc_end_later(ipc, r == QERR_CLOSED ? 0 : r);
			return r;
		}
		ipc_wake(ipc);
	}
}
