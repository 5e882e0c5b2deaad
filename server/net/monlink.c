/* The channel to the monitor. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/ipc/role.h"
#include "server/net/net.h"

enum {
	PHASE_INIT = 1,
	PHASE_SETUP = 2,
	PHASE_RUN = 4,
};

#define SETUP_TIMEOUT_NS (10 * NS_PER_S)

/* ---- before the sandbox ------------------------------------------------------------ */

static int
take_init(struct net *net, struct rd *body)
{
	int r = smsg_get_ninit(body, &net->setup.init);

	if (r < 0)
		return r;
	net->setup.have_init = true;
	role_set_name("qshd-net");
	log_set_level((enum log_level)net->setup.init.log_level);
	ipc_set_phase(net->monitor, PHASE_SETUP);
	return 0;
}

static int
on_key_log(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;

	net->setup.keys_fd = fds[0];
	fds[0] = -1;
	return rd_end(body);
}

static int
on_qlog(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;

	net->setup.qlog_fd = fds[0];
	fds[0] = -1;
	return rd_end(body);
}

static int
on_init(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;
	int r = take_init(net, body);

	if (r == 0) {
		net->setup.listener_fd = fds[0];
		fds[0] = -1;
	}
	return r;
}

static int
on_init_stream(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;
	int r = take_init(net, body);

	if (r == 0) {
		net->setup.is_stream = true;
		net->setup.stream[0] = fds[0];
		net->setup.stream[1] = fds[1];
		fds[0] = fds[1] = -1;
	}
	return r;
}

static int
on_go(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;

	(void)fds;
	net->setup.go = true;
	ipc_set_phase(net->monitor, PHASE_RUN);
	return rd_end(body);
}

/* ---- the connection's life ----------------------------------------------------------- */

static int
on_socket(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;
	struct smsg_path m;
	int r = smsg_get_path(body, &m);

	if (r == 0 && net->setup.is_stream) {
		smsg_free_path(&m);
		return QERR_PHASE;
	}
	if (r < 0)
		return r;
	if (net->conn == NULL) {
		fd_close(&net->setup.socket_fd);
		net->setup.socket_fd = fds[0];
		fds[0] = -1;
	} else if (!net->over) {
		quic_server_set_socket(net->conn, fds[0], &m.path);
		fds[0] = -1;
	}
	smsg_free_path(&m);
	return 0;
}

static int
on_auth_result(void *ctx, struct rd *body, int *fds)
{
	struct smsg_auth_result m;
	int r = smsg_get_auth_result(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	control_auth_result(ctx, &m);
	smsg_free_auth_result(&m);
	return 0;
}

static int
on_banner(void *ctx, struct rd *body, int *fds)
{
	struct smsg_text m;
	int r = smsg_get_text(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	control_banner(ctx, m.text);
	smsg_free_text(&m);
	return 0;
}

static int
on_broker(void *ctx, struct rd *body, int *fds)
{
	struct net *net = ctx;
	int fd = fds[0], r;

	r = smsg_get_session(body, &net->limits);
	if (r < 0)
		return r;
	fds[0] = -1;
	return brklink_open(net, fd);
}

static int
on_end(void *ctx, struct rd *body, int *fds)
{
	struct smsg_end m;
	int r = smsg_get_end(body, &m);

	(void)fds;
	if (r < 0)
		return r;
	net_close(ctx, m.code, "%s", m.reason);
	smsg_free_end(&m);
	return 0;
}

static int
on_listener(void *ctx, struct rd *body, int *fds)
{
	int fd = fds[0], r = rd_end(body);

	if (r < 0)
		return r;
	fds[0] = -1;
	return lstlink_replace(ctx, fd);
}

static const struct ipc_row rows[] = {
	{MN_INIT, "MN_INIT", PHASE_INIT, 1, 1, on_init},
	{MN_INIT_STREAM, "MN_INIT_STREAM", PHASE_INIT, 1, 2, on_init_stream},
	{MN_SOCKET, "MN_SOCKET", PHASE_SETUP | PHASE_RUN, 0, 1, on_socket},
	{MN_KEY_LOG, "MN_KEY_LOG", PHASE_SETUP, 1, 1, on_key_log},
	{MN_QLOG, "MN_QLOG", PHASE_SETUP, 1, 1, on_qlog},
	{MN_GO, "MN_GO", PHASE_SETUP, 1, 0, on_go},
	{MN_SIGNED, "MN_SIGNED", PHASE_RUN, 1, 0, NULL}, /* only as an answer */
	{MN_AUTH_RESULT, "MN_AUTH_RESULT", PHASE_RUN, 0, 0, on_auth_result},
	{MN_BANNER, "MN_BANNER", PHASE_RUN, 0, 0, on_banner},
	{MN_BROKER, "MN_BROKER", PHASE_RUN, 1, 1, on_broker},
	{MN_END, "MN_END", PHASE_RUN, 0, 0, on_end},
	{MN_LISTENER, "MN_LISTENER", PHASE_RUN, 0, 1, on_listener},
};

/* Without its monitor a connection cannot go on: nobody would log it, or end it. */
static void
on_monitor_gone(void *ctx, int err)
{
	struct net *net = ctx;

	(void)err;
	net->failed = true;
	role_log_to(NULL, 0);
	ipc_free(&net->monitor);
	net_close(net, TP_E_INTERNAL, "the server's process for this connection has ended");
}

int
monlink_open(struct net *net, int fd)
{
	return ipc_new(&net->monitor, net->ev, fd, rows, sizeof(rows) / sizeof(rows[0]), net,
	    on_monitor_gone);
}

int
monlink_setup(struct net *net)
{
	while (!net->setup.go) {
		/* Started ahead, it may wait long for its client. */
		int r = ipc_recv_one(
		    net->monitor, net->setup.have_init ? SETUP_TIMEOUT_NS : UINT64_MAX);

		if (r < 0)
			return r;
	}
	return 0;
}

static int
send_body(struct net *net, uint16_t type, struct buf *b, int r)
{
	if (r == 0)
		r = net->monitor != NULL ? ipc_send(net->monitor, type, b, NULL, 0) : QERR_CLOSED;
	buf_free(b);
	return r;
}

int
monlink_sign(struct net *net, const uint8_t *data, size_t n, uint8_t sig[64])
{
	struct smsg_blob m = {.data = {data, n}};
	struct buf b, out;
	struct rd r;
	int err;

	if (net->monitor == NULL)
		return QERR_CLOSED;
	buf_init(&b, IPC_BODY_MAX);
	buf_init(&out, IPC_BODY_MAX);
	err = smsg_put_blob(&b, &m);
	if (err == 0)
		err = ipc_call(net->monitor, MN_SIGN, &b, MN_SIGNED, &out, NET_SIGN_NS);
	if (err == 0) {
		rd_init(&r, buf_data(&out), buf_len(&out));
		err = smsg_get_blob(&r, &m);
	}
	if (err == 0 && m.data.n != 64)
		err = QERR_DENIED;
	if (err == 0)
		memcpy(sig, m.data.p, 64);
	else
		log_error("no host key signature from the monitor: %s", qerr_str(err));
	buf_free(&b);
	buf_free(&out);
	return err;
}

int
monlink_auth(struct net *net, const struct smsg_auth *m)
{
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	return send_body(net, MN_AUTH, &b, smsg_put_auth(&b, m));
}

void
monlink_validated(struct net *net)
{
	struct buf b;

	buf_init(&b, 0);
	(void)send_body(net, MN_VALIDATED, &b, 0);
}

void
monlink_path(struct net *net, const struct tp_path *path)
{
	struct smsg_path m = {.path = *path};
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	/* Without the monitor's leave the connection must not go on from there. */
	if (send_body(net, MN_PATH, &b, smsg_put_path(&b, &m)) < 0)
		net_close(net, TP_E_INTERNAL, "the client's new address cannot be checked");
}

void
monlink_listener_gone(struct net *net)
{
	struct buf b;

	buf_init(&b, 0);
	(void)send_body(net, MN_LISTENER_GONE, &b, 0);
}

int
monlink_closed(struct net *net, const char *text)
{
	struct smsg_text m = {.text = str_printf("%s", text)};
	struct buf b;
	int r = QERR_NOMEM;

	buf_init(&b, IPC_BODY_MAX);
	if (m.text != NULL)
		r = smsg_put_text(&b, &m);
	if (r == 0 && net->monitor == NULL)
		r = QERR_CLOSED;
	if (r == 0)
		r = ipc_try_send(net->monitor, MN_CLOSED, &b, NULL, 0);
	buf_free(&b);
	smsg_free_text(&m);
	return r;
}
