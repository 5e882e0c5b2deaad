/* Timers, silence, and the connection's own clock.
 *
 * While a path is dead, the interval between ngtcp2's probes doubles without end, and when the
 * path is back nothing happens until the next one is due: as long again as the outage was. So
 * each connection has a clock of its own, ahead of the real one by c->skew. The first packet
 * after a silence, one that comes though ours stay unanswered, or news of the network move it forward to
 * that backed-off timer; the probe leaves now, its acknowledgement resets the back-off, and data flows. */
#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/conn_int.h"

#define SILENCE_MIN (500 * NS_PER_MS)
#define JOLT_STEPS  16 /* timers that may stand before the one that sends */
#define JOLT_MAX    (UINT64_C(3650) * 24 * 3600 * NS_PER_S) /* far from where ngtcp2 cannot count any more */
/* Each jolt that is in vain doubles what the next one has to skip. Where only one direction is dead, packets come all
 * the time and prove little: for those it goes no further than so many times what has been waited for. */
#define JOLT_SHIFT  6

static void
ng_expired(struct tp_conn *c)
{
	int r;

	if (ngtcp2_conn_get_expiry(c->ng) > qc_ts(c))
		return;
	r = ngtcp2_conn_handle_expiry(c->ng, qc_ts(c));
	if (r != 0)
		qclose_liberr(c, r);
}

/* Until HANDSHAKE_DONE has come, a client repeats only its Finished, which a server that has got it
 * cannot read any more. If the client's address changes just then, neither hears the other again
 * (RFC 9000 section 9 forbids to move, but nobody asks an address translator). */
static uint64_t
confirm_by(const struct tp_conn *c)
{
	if (c->confirmed || c->lim.handshake_timeout == 0)
		return UINT64_MAX;
	return c->born + c->lim.handshake_timeout;
}

/* What a full byte stream does not take cannot be repeated, and what it took is not lost. */
static bool
stream_full(const struct tp_conn *c)
{
	return c->is_held && c->host->packet != 0;
}

void
qtimer_expired(struct tp_conn *c)
{
	if (c->idle != 0 && c->now - c->last_rx >= c->idle)
		qclose_idle(c);
	else if (c->now >= confirm_by(c))
		qclose_handshake(c);
	else if (!c->fail_set && !c->muted && !stream_full(c))
		ng_expired(c);
}

uint64_t
qconn_expiry(const struct tp_conn *c)
{
	uint64_t t, e;

	if (c->woken)
		return 0;
	if (c->over)
		return UINT64_MAX;
	t = confirm_by(c);
	if (c->idle != 0 && c->last_rx + c->idle < t)
		t = c->last_rx + c->idle;
	if (c->close_by != 0 && c->close_by < t)
		t = c->close_by;
	if (c->rest_at != 0 && c->rest_at < t)
		t = c->rest_at;
	e = qtimer_quiet_at(c);
	if (e < t)
		t = e;
	if (c->is_held)
		return t; /* the carrier is full: qconn_writable */
	if (c->jolt && qpath_may_send(c) && c->jolt_at < t)
		t = c->jolt_at;
	e = qredun_expiry(c);
	if (e < t)
		t = e;
	if (c->muted)
		return t;
	e = ngtcp2_conn_get_expiry(c->ng);
	if (e == UINT64_MAX)
		return t;
	e = e > c->skew ? e - c->skew : 0;
	return e < t ? e : t;
}

static uint64_t
in_flight(const struct tp_conn *c)
{
	ngtcp2_conn_info ci;

	ngtcp2_conn_get_conn_info(c->ng, &ci);
	return ci.bytes_in_flight;
}

void
qtimer_heard(struct tp_conn *c, const struct qdoubt *d)
{
	uint64_t silence = c->now - c->last_rx;

	if (!qtimer_alive(d))
		return;
	c->last_rx = c->now;
	c->asked = 0;
	c->heard++;
	if (c->host->packet != 0 || (c->pending && !c->jolt_far))
		return; /* a byte stream loses nothing; for a path that is being validated, qpath_heard has seen to it */
	if (silence > SILENCE_MIN && silence > 3 * ngtcp2_conn_get_pto(c->ng))
		c->jolt = true;
	else if (c->now - c->last_tx > 2 * ngtcp2_conn_get_pto(c->ng) && in_flight(c) > 0)
		c->jolt = true; /* a backed-off timer: see below */
}

void
qconn_network_event(struct tp_conn *c)
{
	c->jolt = c->news = true;
	qc_wake(c);
}

/* Runs ngtcp2's timers ahead of their time until one of them makes it send what will be answered. False
 * where they are backed off further than max. */
static bool
run_ahead(struct tp_conn *c, uint64_t max)
{
	uint64_t before = in_flight(c);
	ngtcp2_tstamp e;
	int i;

	for (i = 0; i < JOLT_STEPS && !c->dead && !c->fail_set && in_flight(c) <= before; i++) {
		e = ngtcp2_conn_get_expiry(c->ng);
		if (e == UINT64_MAX || (e > qc_ts(c) && e - qc_ts(c) > max))
			return false;
		if (e > qc_ts(c))
			c->skew += e - qc_ts(c);
		ng_expired(c);
		if (!c->fail_set)
			qsend(c);
	}
	return true;
}

static uint64_t
jolt_max(const struct tp_conn *c)
{
	uint64_t waited = c->now - c->waits;

	return c->news || waited > JOLT_MAX >> JOLT_SHIFT ? JOLT_MAX : waited << JOLT_SHIFT;
}

/* ngtcp2 does not say when its loss timer is due. But if something is in flight and nothing has
 * been sent for two probe timeouts, then it is backed off; after news, one is enough to have been answered. */
void
qtimer_jolt(struct tp_conn *c)
{
	/* What cannot be sent now would only back the timer off further. */
	if (!c->jolt || c->fail_set || c->is_held || !qpath_may_send(c))
		return;
	c->jolt_at = c->last_tx + (c->news ? 1 : 2) * ngtcp2_conn_get_pto(c->ng);
	if (!c->done_told || in_flight(c) == 0) {
		c->jolt = c->news = false;
	} else if (c->now >= c->jolt_at) {
		c->jolt = false;
		c->jolt_far = !run_ahead(c, jolt_max(c));
		c->news = false;
	}
}

void
qconn_drop_held(struct tp_conn *c)
{
	if (!c->is_held)
		return;
	c->is_held = false;
	qc_wake(c);
}

void
qconn_mute(struct tp_conn *c, bool muted)
{
	c->muted = muted;
	qc_wake(c);
}

int
qconn_probe(struct tp_conn *c, uint64_t now)
{
	bool ok = true;

	if (c->dead || c->over || c->fail_set || c->closing || !c->done_told)
		return QERR_CLOSED;
	qconn_enter(c, now);
	c->is_held = false; /* for a link that may be full for ever; what is lost is repeated */
	if (!qpath_may_send(c))
		ok = true; /* it will be soon */
	else if (in_flight(c) == 0)
		qpath_ping(c, 1);
	else if ((ok = run_ahead(c, JOLT_MAX)))
		qpath_ping(c, 1); /* it may have been a challenge, which a server answers, but does not follow */
	qc_wake(c);
	return qconn_leave(c) != 0 ? QERR_CLOSED : ok ? 0 : QERR_AGAIN;
}
