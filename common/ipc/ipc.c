/* The channel: its life, and the way from a message to its handler. */
#include "common/ipc/ipc.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ipc/impl.h"

#define ROUND_MAX 16 /* messages handled before other descriptors have their turn */

/* The kernel refuses a message that is larger than the send buffer less its own overhead. */
static void
size_buffer(int fd)
{
	int want = 2 * IPC_BODY_MAX, have = 0;
	socklen_t len = sizeof(have);

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len) == 0 && have >= want)
		return;
#ifdef SO_SNDBUFFORCE
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want));
#endif
}

int
ipc_pair(int fds[2])
{
	fds[0] = fds[1] = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		return QERR_SYS;
	size_buffer(fds[0]);
	size_buffer(fds[1]);
	return 0;
}

static void
guard_enter(struct ipc *ipc, struct ipc_guard *g)
{
	g->outer = ipc->guard;
	g->freed = false;
	ipc->guard = g;
}

int
ipc_take(struct ipc *ipc, struct ipc_in *in)
{
	/* Made at the first message, and anew where a handler that still reads in the
	 * former calls. */
	if (ipc->rx == NULL && (ipc->rx = malloc(IPC_BODY_MAX)) == NULL)
		return QERR_NOMEM;
	return ipc_msg_recv(ipc->fd, in, ipc->rx);
}

static int
check_row(const struct ipc *ipc, const struct ipc_row *row, const struct ipc_in *in)
{
	if ((row->phases & ipc->phase) == 0)
		return QERR_PHASE;
	if (row->once && ipc->seen[row - ipc->rows])
		return QERR_PROTO;
	return in->nfds == row->nfds ? 0 : QERR_PROTO;
}

int
ipc_admit(struct ipc *ipc, const struct ipc_in *in, const struct ipc_row **rowp)
{
	const struct ipc_row *row = NULL;
	int r;

	for (size_t i = 0; i < ipc->nrows && row == NULL; i++)
		if (ipc->rows[i].type == in->type)
			row = &ipc->rows[i];
	*rowp = row;
	if (row == NULL)
		return QERR_UNKNOWN;
	if ((r = check_row(ipc, row, in)) != 0) {
		log_error("message %s between processes refused: %s (%zu descriptors, phase %#x%s)",
		    row->name, qerr_str(r), in->nfds, ipc->phase,
		    row->once && ipc->seen[row - ipc->rows] ? ", repeated" : "");
		return r;
	}
	ipc->seen[row - ipc->rows] = 1;
	return 0;
}

enum outcome {
	NOTHING, /* there is no message now */
	HANDLED, /* one was handled, or the channel has to end: with the error returned */
	GONE,    /* its handler freed the channel */
};

static int
refuse(uint16_t type, struct ipc_in *in, const struct ipc_row *row, int err)
{
	if (row == NULL)
		log_error("message between processes refused: type %u is not known", type);
	else if (err == 0)
		log_error("message %s between processes refused: nobody asked", row->name);
	ipc_fds_close(in->fds, in->nfds);
	return err == 0 ? QERR_PHASE : err;
}

static int
handle(struct ipc *ipc, struct ipc_in *in, enum outcome *what)
{
	const struct ipc_row *row;
	struct ipc_guard guard;
	uint8_t *rx = ipc->rx;
	struct rd body;
	int r;

	*what = HANDLED;
	if ((r = ipc_admit(ipc, in, &row)) != 0 || row->fn == NULL)
		return refuse(in->type, in, row, r);
	ipc->rx = NULL; /* the handler may call, and receive, while it reads its body */
	guard_enter(ipc, &guard);
	rd_init(&body, in->body.p, in->body.n);
	r = row->fn(ipc->ctx, &body, in->fds);
	ipc_fds_close(in->fds, in->nfds);
	if (guard.freed) {
		*what = GONE;
		free(rx);
		return r;
	}
	ipc->guard = guard.outer;
	free(ipc->rx);
	ipc->rx = rx;
	if (r < 0 && r != QERR_CLOSED)
		log_error("message %s between processes refused: %s", row->name, qerr_str(r));
	return r;
}

static int
handle_kept(struct ipc *ipc, struct ipc_msg *m, enum outcome *what)
{
	struct ipc_in in = {.type = m->type, .body = {m->body, m->n}, .nfds = m->nfds};
	int r;

	for (size_t i = 0; i < IPC_FDS_MAX; i++)
		in.fds[i] = i < m->nfds ? m->fds[i] : -1;
	m->nfds = 0; /* they are the handler's now */
	r = handle(ipc, &in, what);
	ipc_msg_free(&m);
	return r;
}

/* Handles the next message: one kept during a call, else one from the socket. A negative
 * return is the error that ends the channel, QERR_CLOSED its orderly end. */
static int
next(struct ipc *ipc, enum outcome *what)
{
	struct ipc_msg *m = ipc_queue_pop(&ipc->kept);
	struct ipc_in in;
	int r;

	if (m != NULL)
		return handle_kept(ipc, m, what);
	*what = HANDLED;
	if (ipc->ending)
		return ipc->end_err != 0 ? ipc->end_err : QERR_CLOSED;
	if ((r = ipc_take(ipc, &in)) == 0)
		return handle(ipc, &in, what);
	if (r == QERR_AGAIN) {
		*what = NOTHING;
		return 0;
	}
	if (r != QERR_CLOSED)
		log_error("message between processes refused: %s", qerr_str(r));
	return r;
}

static void
hang_up(struct ipc *ipc)
{
	ev_io_free(&ipc->io);
	ev_timer_free(&ipc->later);
	fd_close(&ipc->fd);
	ipc_queue_drop(&ipc->out);
	ipc_queue_drop(&ipc->kept);
}

static void
end(struct ipc *ipc, int err)
{
	hang_up(ipc);
	if (ipc->closed != NULL)
		ipc->closed(ipc->ctx, err); /* may free ipc */
}

/* What the loop does for a channel that has something to handle. */
static void
work(struct ipc *ipc)
{
	enum outcome what;
	int r;

	for (int i = 0; i < ROUND_MAX; i++) {
		r = next(ipc, &what);
		if (what != HANDLED)
			return;
		if (r < 0) {
			end(ipc, r == QERR_CLOSED ? 0 : r);
			return;
		}
	}
	if (ipc_queue_first(&ipc->kept) != NULL || ipc->ending)
		ipc_wake(ipc);
}

static void
on_io(void *arg, int fd, unsigned what)
{
	struct ipc *ipc = arg;
	int r;

	(void)fd;
	if (what == EV_RD) {
		work(ipc);
		return;
	}
	if ((r = ipc_flush(ipc)) == QERR_AGAIN)
		return;
	if (r == 0 || r == QERR_CLOSED)
		r = ev_io_set(ipc->io, EV_RD);
	if (r != 0)
		end(ipc, r);
}

static void
on_later(void *arg)
{
	work(arg);
}

void
ipc_wake(struct ipc *ipc)
{
	if (ipc->later != NULL)
		ev_timer_at(ipc->later, 0);
}

void
ipc_end_later(struct ipc *ipc, int err)
{
	if (ipc->ending)
		return;
	ipc->ending = true;
	ipc->end_err = err;
	if (ipc->io != NULL)
		ev_io_set(ipc->io, 0);
	ipc_wake(ipc);
}

int
ipc_new(struct ipc **out, struct ev *ev, int fd, const struct ipc_row *rows, size_t nrows,
    void *ctx, ipc_closed_fn *closed)
{
	struct ipc *ipc = calloc(1, sizeof(*ipc));
	int r = QERR_NOMEM;

	*out = NULL;
	if (ipc == NULL) {
		fd_close(&fd);
		return QERR_NOMEM;
	}
	ipc->ev = ev;
	ipc->fd = fd;
	ipc->rows = rows;
	ipc->nrows = nrows;
	ipc->phase = 1;
	ipc->ctx = ctx;
	ipc->closed = closed;
	ipc_queue_init(&ipc->out);
	ipc_queue_init(&ipc->kept);
	if ((ipc->seen = calloc(nrows + 1, 1)) == NULL || (r = fd_nonblock(fd)) != 0)
		goto fail;
	if (ev != NULL && ((r = ev_io_new(&ipc->io, ev, fd, EV_RD, on_io, ipc)) != 0 ||
	    (r = ev_timer_new(&ipc->later, ev, on_later, ipc)) != 0))
		goto fail;
	*out = ipc;
	return 0;
fail:
	ipc_free(&ipc);
	return r;
}

void
ipc_free(struct ipc **ipcp)
{
	struct ipc *ipc = *ipcp;

	if (ipc == NULL)
		return;
	for (struct ipc_guard *g = ipc->guard; g != NULL; g = g->outer)
		g->freed = true;
	hang_up(ipc);
	free(ipc->rx);
	free(ipc->seen);
	free(ipc);
	*ipcp = NULL;
}

void
ipc_set_phase(struct ipc *ipc, uint32_t phase)
{
	ipc->phase = phase;
}

int
ipc_fd(const struct ipc *ipc)
{
	return ipc->fd;
}

int
ipc_recv_one(struct ipc *ipc, uint64_t timeout_ns)
{
	uint64_t now = clock_mono(), deadline;
	enum outcome what;
	int r;

	if (ipc->fd < 0)
		return QERR_CLOSED;
	deadline = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
	for (;;) {
		r = next(ipc, &what);
		if (what == GONE || (what == HANDLED && r >= 0))
			return r < 0 ? r : 0;
		if (what == HANDLED) {
			ipc_end_later(ipc, r == QERR_CLOSED ? 0 : r);
			return r;
		}
		if ((r = ipc_fd_wait(ipc->fd, POLLIN, deadline)) != 0)
			return r;
	}
}
