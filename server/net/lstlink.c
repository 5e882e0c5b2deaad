/* The channel to the listener. The connection outlives it: what arrives on the connected socket
 * needs none, and the monitor gets a channel to the next one, which takes the port over. */
#include "common/base/err.h"
#include "common/base/log.h"
#include "server/net/net.h"

static int
on_dgram(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;
	struct smsg_dgram m;
	int r = smsg_get_dgram(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	if (net->conn != NULL && !net->over)
		quic_server_input(net->conn, &m.path, m.ecn, m.data.p, m.data.n);
	smsg_free_dgram(&m);
	return 0;
}

static int
on_cids(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;
	struct smsg_cids m;
	int r = smsg_get_cids(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	if (net->conn != NULL && !net->over)
		quic_server_add_cids(net->conn, m.v, m.n);
	smsg_free_cids(&m);
	return 0;
}

static int
on_token(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;
	struct smsg_blob m;
	int r = smsg_get_blob(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	if (net->conn != NULL && !net->over)
		quic_server_send_token(net->conn, m.data.p, m.data.n);
	smsg_free_blob(&m);
	return 0;
}

static const struct ipc_row rows[] = {
	{LN_DGRAM, "LN_DGRAM", 1, 0, 0, on_dgram},
	{LN_CIDS, "LN_CIDS", 1, 0, 0, on_cids},
	{LN_TOKEN, "LN_TOKEN", 1, 0, 0, on_token},
};

static void
on_listener_gone(void *ctx, int err)
{
	struct net *net = ctx;

	(void)err;
	log_debug("the listener has ended; the connection goes on without it");
	ipc_free(&net->listener);
	monlink_listener_gone(net);
}

int
lstlink_open(struct net *net, int fd)
{
	return ipc_new(&net->listener, net->ev, fd, rows, sizeof(rows) / sizeof(rows[0]), net,
	    on_listener_gone);
}

int
lstlink_replace(struct net *net, int fd)
{
	int r;

	ipc_free(&net->listener);
	r = lstlink_open(net, fd);
	/* What the former one was asked for and did not give. */
	if (r == 0 && net->conn != NULL && !net->over)
		quic_server_ask_cids(net->conn);
	return r;
}

void
lstlink_validated(struct net *net)
{
	if (net->listener != NULL)
		(void)ipc_send(net->listener, LN_VALIDATED, NULL, NULL, 0);
}

void
lstlink_need_cids(struct net *net, unsigned count)
{
	struct smsg_count m = {.count = count};
	struct buf b;

	if (net->listener == NULL)
		return;
	buf_init(&b, IPC_BODY_MAX);
	if (smsg_put_count(&b, &m) == 0)
		(void)ipc_send(net->listener, LN_NEED_CIDS, &b, NULL, 0);
	buf_free(&b);
}

void
lstlink_dgram(struct net *net, uint16_t type, const struct tp_path *path, unsigned ecn,
    const uint8_t *p, size_t n)
{
	struct smsg_dgram m = {.path = *path, .ecn = (uint8_t)ecn, .data = {p, n}};
	struct buf b;

	if (net->listener == NULL)
		return;
	buf_init(&b, IPC_BODY_MAX);
	/* Like the network itself: what does not fit is lost. */
	if (smsg_put_dgram(&b, &m) == 0)
		(void)ipc_try_send(net->listener, type, &b, NULL, 0);
	buf_free(&b);
}
