/* The end of a connection: why, what the peer is told, and what the layer above is told. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "quic/user/conn_int.h"

#define QCLOSE_LINGER (200 * NS_PER_MS)

static bool
fail(struct tp_conn *c, enum tp_close_by by, bool remote, uint64_t code, const void *reason,
    size_t n)
{
	if (c->fail_set)
		return false;
	c->fail_set = true;
	c->fail.by = by;
	c->fail.remote = remote;
	c->fail.code = code;
	str_vis(c->fail.reason, sizeof(c->fail.reason), reason, n);
	qc_wake(c);
	return true;
}

static bool
fail_text(struct tp_conn *c, enum tp_close_by by, uint64_t code, const char *text)
{
	return fail(c, by, false, code, text, strlen(text));
}

/* ---- the peer ended it ---- */

static void
transport_closed(struct tp_conn *c, const ngtcp2_ccerr *e)
{
	const char *text;

	if (e->error_code >= NGTCP2_CRYPTO_ERROR && e->error_code <= NGTCP2_CRYPTO_ERROR + 0xff) {
		text = tls_alert_text((uint8_t)(e->error_code & 0xff));
		fail(c, TP_CLOSED_TLS, true, e->error_code & 0xff, text, strlen(text));
	} else if (e->error_code == NGTCP2_CONNECTION_REFUSED && !c->done_told) {
		fail(c, TP_CLOSED_REFUSED, true, e->error_code, e->reason, e->reasonlen);
	} else {
		fail(c, TP_CLOSED_TRANSPORT, true, e->error_code, e->reason, e->reasonlen);
	}
}

static void
draining(struct tp_conn *c)
{
	const ngtcp2_ccerr *e = ngtcp2_conn_get_ccerr(c->ng);
	static const char reset[] = "the peer no longer knows this connection";

	if (c->was_reset)
		fail(c, TP_CLOSED_RESET, true, 0, reset, sizeof(reset) - 1);
	else if (e->type == NGTCP2_CCERR_TYPE_APPLICATION)
		fail(c, TP_CLOSED_APP, true, e->error_code, e->reason, e->reasonlen);
	else
		transport_closed(c, e);
}

/* ---- we end it ---- */

static void
tls_failed(struct tp_conn *c)
{
	uint8_t alert = ngtcp2_conn_get_tls_alert(c->ng);

	if (fail_text(c, TP_CLOSED_TLS, alert, tls_alert_text(alert))) {
		ngtcp2_ccerr_set_tls_alert(&c->ccerr, alert, NULL, 0);
		c->tell_peer = true;
	}
}

void
qclose_handshake(struct tp_conn *c)
{
	fail_text(c, TP_CLOSED_HANDSHAKE_TIMEOUT, 0, "handshake timed out");
}

void
qclose_liberr(struct tp_conn *c, int rv)
{
	const char *text = ngtcp2_strerror(rv);

	switch (rv) {
	case NGTCP2_ERR_DRAINING:
		draining(c);
		break;
	case NGTCP2_ERR_CLOSING:
		break;
	case NGTCP2_ERR_CRYPTO:
		tls_failed(c);
		break;
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		fail_text(c, TP_CLOSED_VERSION, 0, "no common QUIC version");
		c->fail.remote = true;
		break;
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		qclose_handshake(c);
		break;
	case NGTCP2_ERR_IDLE_CLOSE:
		fail_text(c, TP_CLOSED_IDLE, 0, "silent for too long");
		break;
	case NGTCP2_ERR_RETRY:
	case NGTCP2_ERR_DROP_CONN:
		fail_text(c, TP_CLOSED_TRANSPORT, 0, "not a first packet that can be used");
		break;
	case NGTCP2_ERR_NOMEM:
	case NGTCP2_ERR_CALLBACK_FAILURE:
		if (fail_text(c, TP_CLOSED_SYS, (uint64_t)-QERR_NOMEM, qerr_str(QERR_NOMEM))) {
			ngtcp2_ccerr_set_transport_error(&c->ccerr, NGTCP2_INTERNAL_ERROR, NULL, 0);
			c->tell_peer = true;
		}
		break;
	default:
		if (fail_text(c, TP_CLOSED_TRANSPORT,
			ngtcp2_err_infer_quic_transport_error_code(rv), text)) {
			ngtcp2_ccerr_set_liberr(&c->ccerr, rv, (const uint8_t *)text, strlen(text));
			c->tell_peer = true;
		}
		break;
	}
}

void
qclose_idle(struct tp_conn *c)
{
	static const char text[] = "silent for too long";

	if (!fail_text(c, TP_CLOSED_IDLE, TP_E_TIMEOUT, text))
		return;
	ngtcp2_ccerr_set_application_error(&c->ccerr, TP_E_TIMEOUT, (const uint8_t *)text,
	    sizeof(text) - 1);
	c->tell_peer = true;
}

void
qconn_refused(struct tp_conn *c)
{
	if (c->over || c->got_any)
		return;
	fail_text(c, TP_CLOSED_REFUSED, 0, "Connection refused");
}

void
qconn_carrier_lost(struct tp_conn *c, enum tp_close_by by, bool remote, const char *text)
{
	if (!c->over)
		fail(c, by, remote, by == TP_CLOSED_SYS ? (uint64_t)-QERR_SYS : 0, text, strlen(text));
}

void
tp_conn_close(struct tp_conn *c, uint64_t code, const char *reason)
{
	if (c->over || c->close_asked)
		return;
	c->close_asked = true;
	c->close_code = code;
	snprintf(c->close_reason, sizeof(c->close_reason), "%s", reason != NULL ? reason : "");
	qc_wake(c);
}

/* What the peer is told before the end (why it is refused, say) goes before it, where pacer and
 * window let it soon. */
static bool
told(struct tp_conn *c)
{
	if (c->ring[TP_PRIO_CONTROL] == NULL || !c->done_told)
		return true;
	if (c->close_by == 0)
		c->close_by = c->now + QCLOSE_LINGER;
	return c->now >= c->close_by;
}

bool
qclose_due(struct tp_conn *c)
{
	return c->fail_set || (c->close_asked && told(c));
}

/* ---- packets of the end ---- */

static void
write_close(struct tp_conn *c)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	struct tp_path path;
	ngtcp2_ssize n;
	uint8_t *p = qrest_txbuf(c);

	if (p == NULL)
		return;
	ngtcp2_path_storage_zero(&ps);
	c->is_held = false; /* what waited is dropped, and its place used */
	n = ngtcp2_conn_write_connection_close(c->ng, &ps.path, &pi, p, QTX_PLAIN, &c->ccerr,
	    qc_ts(c));
	if (n <= 0)
		return; /* nothing was ever sent, or the peer has closed already */
	qpath_from_ng(&path, &ps.path);
	qname_real(c, &path);
	c->closing = true;
	c->close_pkt = malloc((size_t)n);
	if (c->close_pkt != NULL) {
		memcpy(c->close_pkt, p, (size_t)n);
		c->close_len = (size_t)n;
	}
	c->bytes_tx += (size_t)n;
	c->pkts_tx++;
	c->host->send(c->host_arg, &path, pi.ecn, p, (size_t)n, (size_t)n);
}

static void
tell_closed(struct tp_conn *c)
{
	struct tp_close why = c->fail;

	c->over = true;
	qstream_all_over(c);
	if (!c->dead && c->ops != NULL && c->ops->closed != NULL)
		c->ops->closed(c->arg, &why);
}

void
qclose_run(struct tp_conn *c)
{
	size_t n = strlen(c->close_reason);

	if (!c->fail_set) {
		fail(c, TP_CLOSED_LOCAL, false, c->close_code, c->close_reason, n);
		ngtcp2_ccerr_set_application_error(&c->ccerr, c->close_code,
		    (const uint8_t *)c->close_reason, n);
		c->tell_peer = true;
	}
	if (c->tell_peer)
		write_close(c);
	tell_closed(c);
}

/* The peer still sends: it may not have got our CONNECTION_CLOSE. Answered ever more rarely
 * (RFC 9000 section 10.2.1), as long as the object lives. */
void
qclose_input(struct tp_conn *c)
{
	if (c->close_pkt == NULL || ++c->close_hits != c->close_next)
		return;
	c->close_next *= 2;
	c->host->send(c->host_arg, &c->path, 0, c->close_pkt, c->close_len, c->close_len);
}
