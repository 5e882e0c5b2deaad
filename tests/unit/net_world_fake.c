/* A world whose qshd-net runs in the test's own process, over the transport in memory. */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/err.h"
#include "tests/unit/fake_transport.h"
#include "quic/trace.h"
#include "tests/unit/net_world.h"

/* ---- the transport library's server side, played by the fake ------------------------- */

#define BUFFER (UINT64_C(48) << 20) /* ConnectionBuffer */

static struct world *the_world; /* whose connection quic_server_new hands out */

void
quic_limits_server(struct quic_limits *l)
{
	memset(l, 0, sizeof(*l));
}

void
quic_limits_buffer(struct quic_limits *l, uint64_t bytes)
{
	l->send_total = (size_t)bytes;
}

int
quic_server_new(struct tp_conn **out, struct ev *ev, const struct quic_server_cfg *cfg,
    const struct quic_server_host *host, const struct tp_conn_ops *ops, void *arg)
{
	struct world *w = the_world;

	(void)host;
	assert_int_equal(cfg->limits.send_total, BUFFER);
	if (cfg->fd >= 0)
		close(cfg->fd);
	if (fake_pair(ev, &w->client_limits, &w->server_limits, &w->client, out) < 0)
		return QERR_NOMEM;
	tp_conn_set_ops(*out, ops, arg);
	return 0;
}

/* Nothing is recorded here. */
int
quic_trace_new(struct quic_trace **out, int keys, int qlog, const char *qlog_dir)
{
	assert(keys < 0 && qlog < 0 && qlog_dir == NULL);
	*out = NULL;
	return 0;
}

void
quic_server_add_cids(struct tp_conn *c, const struct quic_cid *cids, size_t n)
{
	(void)c;
	(void)cids;
	(void)n;
}

void
quic_server_send_token(struct tp_conn *c, const uint8_t *p, size_t n)
{
	(void)c;
	(void)p;
	(void)n;
}

void
quic_server_ask_cids(struct tp_conn *c)
{
	(void)c;
	lstlink_need_cids(the_world->net, 7);
}

void
quic_server_input(struct tp_conn *c, const struct tp_path *path, unsigned ecn, const uint8_t *p,
    size_t n)
{
	(void)c;
	(void)path;
	(void)ecn;
	(void)p;
	(void)n;
}

/* The world's connections come over UDP. */
int
quic_accept_new(struct quic_accept **out, struct ev *ev, const struct quic_server_cfg *cfg,
    struct quic_carrier *via, const struct quic_server_host *host, const struct tp_conn_ops *ops,
    quic_accept_fn *done, void *arg)
{
	(void)ev;
	(void)cfg;
	(void)via;
	(void)host;
	(void)ops;
	(void)done;
	(void)arg;
	*out = NULL;
	return QERR_UNSUPPORTED;
}

void
quic_accept_free(struct quic_accept **a)
{
	assert_null(*a);
}

void
quic_server_set_socket(struct tp_conn *c, int fd, const struct tp_path *path)
{
	(void)c;
	(void)path;
	close(fd);
}

static void
send_setup(struct world *w, int listener_fd)
{
	char dir[] = "";
	struct quic_cid cid = {.len = 17};
	struct smsg_ninit m = {
		.grace_ns = w->grace_ns,
		.log_level = 3,
		.chroot_dir = dir,
		.buffer = BUFFER,
	};
	struct smsg_path path;
	struct buf b;
	int fds[2];

	memset(&path, 0, sizeof(path));
	assert_int_equal(addr_parse(&m.admit.path.local, "127.0.0.1", 22), 0);
	assert_int_equal(addr_parse(&m.admit.path.remote, "127.0.0.1", 4711), 0);
	path.path = m.admit.path;
	m.admit.cids.v = &cid;
	m.admit.cids.n = 1;
	m.admit.odcid.len = 8;
	m.admit.client_scid.len = 8;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_ninit(&b, &m), 0);
	assert_int_equal(ipc_send(w->monitor, MN_INIT, &b, &listener_fd, 1), 0);
	if (!w->steered) {
		assert_int_equal(ipc_pair(fds), 0);
		buf_reset(&b);
		assert_int_equal(smsg_put_path(&b, &path), 0);
		assert_int_equal(ipc_send(w->monitor, MN_SOCKET, &b, &fds[0], 1), 0);
		close(fds[0]);
		close(fds[1]);
	}
	assert_int_equal(ipc_send(w->monitor, MN_GO, NULL, NULL, 0), 0);
	buf_free(&b);
}

static void
free_net(struct world *w)
{
	net_free(&w->net);
}

void
world_start(struct world *w)
{
	int mn[2], ln[2], fd;

	the_world = w;
	assert_int_equal(ipc_pair(mn), 0);
	assert_int_equal(ipc_pair(ln), 0);
	world_roles(w, mn[1], ln[1]);
	w->free_net = free_net;
	assert_int_equal(net_new(&w->net, w->ev), 0);
	assert_int_equal(monlink_open(w->net, mn[0]), 0);
	send_setup(w, ln[0]);
	close(ln[0]);
	assert_int_equal(monlink_setup(w->net), 0);
	fd = w->net->setup.listener_fd;
	w->net->setup.listener_fd = -1;
	assert_int_equal(lstlink_open(w->net, fd), 0);
	assert_int_equal(quichost_start(w->net), 0);
	net_start(w->net);
	world_client(w);
	fake_handshake(w->client);
	if (!w->no_handshake)
		fake_handshake(w->net->conn);
}
