/* The channel to the broker, which runs as the user: what it says concerns that user's
 * sessions only. */
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/net/session.h"

static int
started(void *ctx, struct rd *body, int *fds, size_t nfds)
{
	struct smsg_chan m;
	int r = smsg_get_chan(body, &m);

	if (r == 0)
		session_started(ctx, m.chan, fds, nfds);
	return r;
}

static int
on_started_pty(void *ctx, struct rd *body, int *fds)
{
	return started(ctx, body, fds, 1);
}

static int
on_started_pipes(void *ctx, struct rd *body, int *fds)
{
	return started(ctx, body, fds, 3);
}

static int
on_start_failed(void *ctx, struct rd *body, int *fds)
{
	struct smsg_failed m;
	int r = smsg_get_failed(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	session_failed(ctx, m.chan, m.reason);
	smsg_free_failed(&m);
	return 0;
}

static int
on_exit_status(void *ctx, struct rd *body, int *fds)
{
	struct smsg_exit m;
	int r = smsg_get_exit(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	session_exited(ctx, &m);
	smsg_free_exit(&m);
	return 0;
}

static const struct ipc_row rows[] = {
	{NB_STARTED_PTY, "NB_STARTED_PTY", 1, 0, 1, on_started_pty},
	{NB_STARTED_PIPES, "NB_STARTED_PIPES", 1, 0, 3, on_started_pipes},
	{NB_FAILED, "NB_FAILED", 1, 0, 0, on_start_failed},
	{NB_EXIT, "NB_EXIT", 1, 0, 0, on_exit_status},
};

static void
on_broker_gone(void *ctx, int err)
{
	struct net *net = ctx;

	(void)err;
	ipc_free(&net->broker);
	net_close(net, TP_E_INTERNAL, "the session's process has ended");
}

int
brklink_open(struct net *net, int fd)
{
	return ipc_new(&net->broker, net->ev, fd, rows, sizeof(rows) / sizeof(rows[0]), net,
	    on_broker_gone);
}

static int
send_body(struct net *net, uint16_t type, struct buf *b, int r)
{
	if (r == 0)
		r = net->broker != NULL ? ipc_send(net->broker, type, b, NULL, 0) : QERR_CLOSED;
	buf_free(b);
	return r;
}

int
brklink_start(struct net *net, const struct smsg_start *m)
{
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	return send_body(net, NB_START, &b, smsg_put_start(&b, m));
}

int
brklink_window(struct net *net, const struct smsg_window *m)
{
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	return send_body(net, NB_WINDOW, &b, smsg_put_window(&b, m));
}

int
brklink_signal(struct net *net, const struct smsg_signal *m)
{
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	return send_body(net, NB_SIGNAL, &b, smsg_put_signal(&b, m));
}

int
brklink_chan(struct net *net, uint16_t type, uint64_t chan)
{
	struct smsg_chan m = {.chan = chan};
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	return send_body(net, type, &b, smsg_put_chan(&b, &m));
}
