/* The transport's server side, and what it needs from the other roles. */
#include <string.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "quic/trace.h"
#include "server/net/net.h"

static int
host_sign(void *arg, const uint8_t *data, size_t n, uint8_t sig[64])
{
	return monlink_sign(arg, data, n, sig);
}

static void
host_need_cids(void *arg, unsigned count)
{
	lstlink_need_cids(arg, count);
}

static void
host_send_steered(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	lstlink_dgram(arg, LN_SEND, path, ecn, p, n);
}

static void
host_foreign(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	lstlink_dgram(arg, LN_FOREIGN, path, ecn, p, n);
}

static void
host_path_validated(void *arg, const struct tp_path *path)
{
	monlink_path(arg, path);
}

static void
on_accepted(void *arg, struct tp_conn *c, const char *why)
{
	struct net *net = arg;

	if (c == NULL) {
		net_failed(net, why);
		return;
	}
	quic_accept_free(&net->accept);
	net->conn = c;
	net_connected(net);
}

static bool
is_socket(int fd)
{
	int type = 0;
	socklen_t n = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
}

static int
start_stream(struct net *net, const struct quic_server_cfg *cfg,
    const struct quic_server_host *host)
{
	struct quic_carrier via = {.in = net->setup.stream[0], .out = net->setup.stream[1],
	    .path = cfg->path};

	via.kind = via.path.remote.len != 0 && is_socket(via.out) ? QUIC_CARRIER_TCP :
								    QUIC_CARRIER_STDIO;
	net->setup.stream[0] = net->setup.stream[1] = -1;
	return quic_accept_new(&net->accept, net->ev, cfg, &via, host, &net_conn_ops, on_accepted,
	    net);
}

int
quichost_start(struct net *net)
{
	const struct smsg_ninit *init = &net->setup.init;
	const struct smsg_admit *admit = &init->admit;
	const struct quic_server_host host = {
		.sign = host_sign,
		.need_cids = host_need_cids,
		.send_steered = host_send_steered,
		.foreign = host_foreign,
		.path_validated = host_path_validated,
		.arg = net,
	};
	struct quic_server_cfg cfg = {
		.path = admit->path,
		.odcid = admit->odcid,
		.retry_scid = admit->retry_scid,
		.scid = admit->cids.v[0],
		.client_scid = admit->client_scid,
		.version = admit->version,
		.validated = admit->validated != 0,
		.fd = net->setup.socket_fd,
	};
	int r;

	memcpy(cfg.host_key, init->host_pk, sizeof(cfg.host_key));
	quic_limits_server(&cfg.limits);
	if (init->cc < TP_CC_END)
		cfg.limits.cc = (enum tp_cc)init->cc;
	quic_limits_buffer(&cfg.limits, init->buffer);
	net->setup.socket_fd = -1;
	r = quic_trace_new(&cfg.trace, net->setup.keys_fd, net->setup.qlog_fd, NULL);
	net->setup.keys_fd = net->setup.qlog_fd = -1;
	if (r < 0) {
		fd_close(&cfg.fd);
		return r;
	}
	if (net->setup.is_stream)
		return start_stream(net, &cfg, &host);
	r = quic_server_new(&net->conn, net->ev, &cfg, &host, &net_conn_ops, net);
	if (r < 0)
		return r;
	if (admit->cids.n > 1)
		quic_server_add_cids(net->conn, admit->cids.v + 1, admit->cids.n - 1);
	return 0;
}
