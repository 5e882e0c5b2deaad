/* The connection: its beginning, its streams, its clocks and its end. */
#include "server/net/net.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/chan/detach.h"
#include "server/ipc/role.h"
#include "server/net/closetext.h"
#include "server/net/session.h"

void
net_close(struct net *net, uint64_t code, const char *fmt, ...)
{
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	if (net->conn != NULL && !net->over)
		tp_conn_close(net->conn, code, reason);
	else if (net->accept != NULL)
		net_failed(net, reason);
}

/* ---- SETTINGS ------------------------------------------------------------------ */

static int
put_settings(struct buf *b)
{
	char version[] = "qsh_" PACKAGE_VERSION;
	/* How many sessions a user may have is not known before the user is. */
	struct wire_settings m = {.version = version};
	struct buf body;
	int r;

	buf_init(&body, WIRE_TEXT_MAX);
	(void)buf_put_varint(b, WIRE_UNI_SETTINGS);
	r = wire_put_settings(&body, &m);
	if (r == 0)
		r = wire_put_msg(b, WIRE_SETTINGS, &body);
	buf_free(&body);
	return r;
}

static void
send_settings(struct net *net)
{
	static const struct tp_stream_ops none = {0};
	struct tp_stream *s;
	struct buf b;
	int r;

	if (net->settings_sent)
		return;
	r = tp_stream_open(net->conn, true, &none, NULL, TP_PRIO_CONTROL, &s);
	if (r == QERR_AGAIN)
		return; /* streams_available comes back here */
	net->settings_sent = true;
	if (r < 0)
		return;
	buf_init(&b, WIRE_TEXT_MAX);
	if (put_settings(&b) < 0 ||
	    tp_stream_write(s, buf_data(&b), buf_len(&b)) != (ssize_t)buf_len(&b))
		net_close(net, TP_E_INTERNAL, "no memory for SETTINGS");
	else
		tp_stream_fin(s);
	chan_detach(s);
	buf_free(&b);
}

/* ---- clocks -------------------------------------------------------------------- */

static void
on_grace(void *arg)
{
	net_close(arg, TP_E_TIMEOUT, "login grace time is over");
}

static void
on_unused(void *arg)
{
	struct net *net = arg;

	if (net->limits.unused_ns != 0)
		net_close(net, TP_E_TIMEOUT, "the connection was unused for too long");
	else
		net_close(net, TP_OK, "no session left");
}

static void
on_channels(void *arg)
{
	idle_check(arg);
}

/* Once the last session is over, or, where the administrator wants it, also before the first. */
static void
set_unused(struct net *net, bool had_one)
{
	uint64_t after = net->limits.unused_ns != 0 ? net->limits.unused_ns : net->unused_ns;
	bool wanted = net->open_sessions == 0 && (had_one || net->limits.unused_ns != 0);

	ev_timer_at(net->unused, wanted ? ev_now(net->ev) + after : UINT64_MAX);
}

void
net_start(struct net *net)
{
	uint64_t grace = net->setup.init.grace_ns;

	if (grace != 0)
		ev_timer_at(net->grace, ev_now(net->ev) + grace);
	if (net->conn != NULL)
		net_connected(net);
}

void
net_connected(struct net *net)
{
	/* Without it, a client that has gone would hold its place under MaxStartups for ever. */
	tp_conn_set_idle(net->conn, NET_IDLE_NS);
}

/* Times of the configuration end here, too. */
#define IDLE_MAX_NS (3650 * UINT64_C(86400) * NS_PER_S)

static void
set_idle(struct net *net)
{
	const struct smsg_session *l = &net->limits;
	uint64_t idle = sessions_have_tty(net) ? l->connection_timeout_ns : NET_IDLE_NS;
	uint64_t keepalive = l->alive_interval_ns;

	/* ClientAliveCountMax 0: asked for a sign of life, but never ended for the lack of
	 * one. */
	if (keepalive != 0 && l->alive_count == 0)
		idle = l->connection_timeout_ns;
	else if (keepalive != 0)
		idle = keepalive < IDLE_MAX_NS / l->alive_count ? keepalive * l->alive_count : IDLE_MAX_NS;
	/* A client says something of its own every 25 s. Where that is not enough, it is asked in time. */
	if (idle < NET_IDLE_NS && (keepalive == 0 || keepalive > idle / 3))
		keepalive = idle / 3;
	tp_conn_set_keepalive(net->conn, keepalive);
	tp_conn_set_idle(net->conn, idle);
}

void
net_sessions_changed(struct net *net)
{
	if (!net->authed || net->over)
		return;
	set_idle(net);
	set_unused(net, true);
	idle_check(net);
}

void
net_authenticated(struct net *net)
{
	/* A session has its own stream and one for input; some more are being closed or
	 * refused. */
	uint64_t streams = NET_STREAMS_MIN + 2 * (uint64_t)net->limits.max_sessions;

	if (streams > NET_STREAMS_MAX)
		streams = NET_STREAMS_MAX;
	net->authed = true;
	ev_timer_stop(net->grace);
	tp_conn_set_window(net->conn, net->setup.init.buffer);
	tp_conn_set_max_streams(net->conn, streams, streams);
	set_idle(net);
	set_unused(net, false);
	sessions_resume(net);
	instreams_resume(net);
}

/* ---- the transport's events ------------------------------------------------------ */

static void
on_early_data_ok(void *arg)
{
	struct net *net = arg;

	net->may_send = true;
	send_settings(net);
}

static void
on_handshake_done(void *arg)
{
	struct net *net = arg;

	net->handshake_done = net->may_send = true;
	monlink_validated(net);
	lstlink_validated(net);
	send_settings(net);
	control_handshake_done(net);
}

static void
on_stream_opened(void *arg, struct tp_stream *s)
{
	struct net *net = arg;
	uint64_t id = tp_stream_id(s);

	if (tp_stream_is_uni(s)) {
		instream_opened(net, s);
	} else if (chanids_add(&net->seen, id) < 0) {
		chan_detach(s);
		net_close(net, TP_E_LIMIT, "stream %llu is too far ahead of others",
		    (unsigned long long)id);
	} else if (id == 0) {
		control_opened(net, s);
	} else {
		session_opened(net, s);
	}
}

static void
on_streams_available(void *arg)
{
	struct net *net = arg;

	if (net->may_send)
		send_settings(net);
	sessions_open_outputs(net);
}

static void
on_moved(void *arg, const struct tp_path *from, const struct tp_path *to)
{
	(void)arg;
	log_debug("path changed from %s to %s", addr_show(&from->remote), addr_show(&to->remote));
}

/* The process ends with the reason in the monitor's hands: what it still has to send before,
 * log lines mostly, must not make it disappear. */
static void
say_last(void *arg)
{
	struct net *net = arg;
	char text[CLOSE_TEXT_MAX];
	int r = monlink_closed(net, close_text(text, sizeof(text), &net->why));

	if (r == QERR_AGAIN && ev_now(net->ev) < net->last_try)
		ev_timer_at(net->last, ev_now(net->ev) + NET_RETRY_NS);
	else
		ev_stop(net->ev);
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct net *net = arg;

	net->over = true;
	net->why = *why;
	net->last_try = ev_now(net->ev) + NET_LAST_NS;
	say_last(net);
}

void
net_failed(struct net *net, const char *why)
{
	struct tp_close end = {.by = TP_CLOSED_CARRIER};

	(void)str_vis(end.reason, sizeof(end.reason), why, strlen(why));
	quic_accept_free(&net->accept);
	on_closed(net, &end);
}

const struct tp_conn_ops net_conn_ops = {
	.handshake_done = on_handshake_done,
	.early_data_ok = on_early_data_ok,
	.stream_opened = on_stream_opened,
	.streams_available = on_streams_available,
	.moved = on_moved,
	.closed = on_closed,
};

/* ---- life ------------------------------------------------------------------------ */

int
net_new(struct net **out, struct ev *ev)
{
	struct net *net = calloc(1, sizeof(*net));

	*out = NULL;
	if (net == NULL)
		return QERR_NOMEM;
	net->ev = ev;
	net->unused_ns = NET_UNUSED_NS;
	net->setup.listener_fd = net->setup.socket_fd = -1;
	net->setup.keys_fd = net->setup.qlog_fd = -1;
	net->setup.stream[0] = net->setup.stream[1] = -1;
	buf_init(&net->control.key, WIRE_KEY_MAX);
	if (ev_timer_new(&net->grace, ev, on_grace, net) < 0 ||
	    ev_timer_new(&net->unused, ev, on_unused, net) < 0 ||
	    ev_timer_new(&net->channels, ev, on_channels, net) < 0 ||
	    ev_timer_new(&net->last, ev, say_last, net) < 0) {
		net_free(&net);
		return QERR_NOMEM;
	}
	*out = net;
	return 0;
}

void
net_free(struct net **netp)
{
	struct net *net = *netp;

	*netp = NULL;
	if (net == NULL)
		return;
	sessions_free(net);
	instreams_free(net);
	control_free(net);
	quic_accept_free(&net->accept);
	tp_conn_free(&net->conn);
	ipc_free(&net->broker);
	ipc_free(&net->listener);
	role_log_to(NULL, 0);
	ipc_free(&net->monitor);
	ev_timer_free(&net->grace);
	ev_timer_free(&net->unused);
	ev_timer_free(&net->channels);
	ev_timer_free(&net->last);
	if (net->setup.have_init)
		smsg_free_ninit(&net->setup.init);
	smsg_free_session(&net->limits);
	fd_close(&net->setup.listener_fd);
	fd_close(&net->setup.socket_fd);
	fd_close(&net->setup.keys_fd);
	fd_close(&net->setup.qlog_fd);
	fd_close(&net->setup.stream[0]);
	fd_close(&net->setup.stream[1]);
	free(net);
}
