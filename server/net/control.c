/* The control stream: authentication. The monitor decides; here requests are read, one at a
 * time, and its answers written. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/net/net.h"

enum {
	PHASE_AUTH = 1,
	PHASE_AUTHED = 2,
};

static int
ask(struct net *net, const struct wire_auth_request *m)
{
	struct smsg_auth a = {
		.user = m->user,
		.service = m->service,
		.method = m->method,
		.key = m->key,
		.has_sig = m->has_sig,
		.sig = m->sig,
	};
	int r = tp_conn_export(net->conn, WIRE_EXPORTER_LABEL, a.exporter, sizeof(a.exporter));

	if (r < 0)
		return r;
	buf_reset(&net->control.key);
	r = buf_put(&net->control.key, m->key.p, m->key.n);
	if (r == 0)
		r = monlink_auth(net, &a);
	if (r == 0)
		net->control.asked = true;
	return r;
}

static int
on_auth_request(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct net *net = ctx;
	struct wire_auth_request m;
	int r;

	(void)ms;
	/* A client may send its next request before the answer to this one. */
	if (!net->handshake_done || net->control.asked)
		return QERR_AGAIN;
	r = wire_get_auth_request(body, &m);
	if (r < 0)
		return r;
	/* And so may one that turns out to have been needless. */
	if (!net->authed)
		r = ask(net, &m);
	wire_free_auth_request(&m);
	return r;
}

static const struct msg_row control_rows[] = {
	{WIRE_AUTH_REQUEST, "AUTH_REQUEST", PHASE_AUTH | PHASE_AUTHED, on_auth_request},
};

static void
on_eof(void *ctx, struct msgstream *ms)
{
	(void)ms;
	net_close(ctx, TP_E_PROTOCOL, "the control stream has ended");
}

static void
on_failed(void *ctx, struct msgstream *ms, uint64_t code)
{
	(void)ms;
	(void)code;
	net_close(ctx, TP_E_PROTOCOL, "the control stream was reset");
}

static void
on_stream_closed(void *ctx, struct msgstream *ms)
{
	struct net *net = ctx;

	(void)ms;
	msgstream_free(&net->control.ms);
}

static const struct msgstream_ops control_ops = {
	.eof = on_eof,
	.failed = on_failed,
	.closed = on_stream_closed,
};

void
control_opened(struct net *net, struct tp_stream *s)
{
	char *banner = net->control.banner;

	tp_stream_set_prio(s, TP_PRIO_CONTROL);
	if (msgstream_new(&net->control.ms, s, control_rows,
		sizeof(control_rows) / sizeof(control_rows[0]), WIRE_CONTROL_MAX, &control_ops,
		net) < 0) {
		net_close(net, TP_E_INTERNAL, "no memory for the control stream");
		return;
	}
	net->control.banner = NULL;
	if (banner != NULL)
		control_banner(net, banner);
	free(banner);
}

void
control_handshake_done(struct net *net)
{
	if (net->control.ms != NULL)
		msgstream_resume(net->control.ms);
}

/* ---- answers --------------------------------------------------------------------- */

static void
send_answer(struct net *net, uint64_t type, const struct buf *body)
{
	int r = net->control.ms != NULL ? msgstream_send(net->control.ms, type, body) : QERR_CLOSED;

	/* A client that asks and asks, but does not read. */
	if (r == QERR_TOOBIG)
		net_close(net, TP_E_LIMIT, "answers on the control stream are not read");
}

static void
send_failure(struct net *net, const struct smsg_auth_result *res)
{
	struct wire_auth_failure m = {
		.methods = res->methods,
		.partial = res->code == SMSG_AUTH_PARTIAL,
	};
	struct buf b;

	buf_init(&b, WIRE_TEXT_MAX);
	if (wire_put_auth_failure(&b, &m) < 0)
		net_close(net, TP_E_INTERNAL, "no memory for AUTH_FAILURE");
	else
		send_answer(net, WIRE_AUTH_FAILURE, &b);
	buf_free(&b);
}

static void
send_pk_ok(struct net *net)
{
	struct wire_pk_ok m = {
		.key = {buf_data(&net->control.key), buf_len(&net->control.key)},
	};
	struct buf b;

	buf_init(&b, WIRE_KEY_MAX + WIRE_HDR_MAX);
	if (wire_put_pk_ok(&b, &m) < 0)
		net_close(net, TP_E_INTERNAL, "no memory for AUTH_PK_OK");
	else
		send_answer(net, WIRE_AUTH_PK_OK, &b);
	buf_free(&b);
}

static void
accepted(struct net *net)
{
	if (net->broker == NULL) {
		net_close(net, TP_E_INTERNAL, "the session's process could not be started");
		return;
	}
	send_answer(net, WIRE_AUTH_OK, NULL);
	if (net->control.ms != NULL)
		msgstream_set_phase(net->control.ms, PHASE_AUTHED);
	net_authenticated(net);
}

void
control_auth_result(struct net *net, const struct smsg_auth_result *m)
{
	if (net->over)
		return;
	if (!net->control.asked) {
		log_error("an answer to no authentication request came from the monitor");
		return;
	}
	net->control.asked = false;
	switch ((enum smsg_auth_code)m->code) {
	case SMSG_AUTH_OK:
		accepted(net);
		break;
	case SMSG_AUTH_FAIL:
	case SMSG_AUTH_PARTIAL:
		send_failure(net, m);
		break;
	case SMSG_AUTH_PK_OK:
		send_pk_ok(net);
		break;
	case SMSG_AUTH_END:
	default:
		net_close(net, TP_E_AUTH, "Too many authentication failures");
		break;
	}
	buf_reset(&net->control.key);
	if (net->control.ms != NULL)
		msgstream_resume(net->control.ms);
}

void
control_banner(struct net *net, const char *text)
{
	char *copy = strdup(text);
	struct wire_text m = {.text = copy};
	struct buf b;

	if (copy == NULL)
		return; /* a banner is not worth a connection */
	if (net->control.ms == NULL) {
		free(net->control.banner);
		net->control.banner = copy;
		return;
	}
	buf_init(&b, WIRE_TEXT_MAX + WIRE_HDR_MAX);
	if (wire_put_text(&b, &m) == 0)
		send_answer(net, WIRE_BANNER, &b);
	else
		log_error("the banner is too long: not shown");
	buf_free(&b);
	free(copy);
}

void
control_free(struct net *net)
{
	msgstream_free(&net->control.ms);
	buf_free(&net->control.key);
	free(net->control.banner);
	net->control.banner = NULL;
}
