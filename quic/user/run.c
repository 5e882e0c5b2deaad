/* Datagrams in, and the round that does what is due. */
#include "common/base/err.h"
#include "quic/user/conn_int.h"

static void
read_packet(struct tp_conn *c, const struct tp_path *path, unsigned ecn, const uint8_t *p,
    size_t n)
{
	ngtcp2_pkt_info pi = {.ecn = (uint8_t)(ecn & NGTCP2_ECN_MASK)};
	struct qdoubt doubt;
	struct tp_path name;
	ngtcp2_path ngp;
	bool fresh = c->server && qcid_fresh(c, p, n);
	int r;

	qtimer_doubt(&doubt);
	c->bytes_rx += n;
	c->pkts_rx++;
	qname_of(c, path, &name);
	if (fresh && qpath_hold(c, &name))
		return;
	qpath_to_ng(&ngp, &name);
	r = ngtcp2_conn_read_pkt(c->ng, &ngp, &pi, p, n, qc_ts(c));
	if (c->dead)
		return;
	/* When a client moves again before the first move was validated, ngtcp2 1.11 retires the connection
	 * ID of the path that it would fall back to, and still counts it: the one that the client sends in
	 * its place is one too many. The packet counts as lost; but ngtcp2 has noted the number of that connection ID
	 * already, and will never use it. qpath_hold keeps most of this from happening. */
	if (r == NGTCP2_ERR_CONNECTION_ID_LIMIT && c->server)
		return;
	if (r != 0) {
		qclose_liberr(c, r);
		return;
	}
	c->got_any = true;
	if (qtimer_alive(&doubt)) {
		qname_learn(c, path);
		if (fresh)
			qcid_use(c, p, n);
	}
	qpath_heard(c, path, n, fresh);
	qtimer_heard(c, &doubt);
}

int
qconn_input(struct tp_conn *c, const struct tp_path *path, unsigned ecn, const uint8_t *p,
    size_t n, uint64_t now)
{
	qconn_enter(c, now);
	if (c->over)
		qclose_input(c);
	else if (!qclose_due(c) && n > 0)
		read_packet(c, path, ecn, p, n);
	return qconn_leave(c);
}

void
qrun_tell_early(struct tp_conn *c)
{
	if (!c->ev_early || c->dead)
		return;
	c->ev_early = false;
	if (c->ops != NULL && c->ops->early_data_ok != NULL)
		c->ops->early_data_ok(c->arg);
}

static void
tell_events(struct tp_conn *c)
{
	qrun_tell_early(c);
	if ((c->ev_validated || c->ev_path != 0) && !c->dead)
		qpath_validated(c);
	if (!c->dead)
		qtimer_tell(c);
	if (c->ev_streams && !c->dead) {
		c->ev_streams = false;
		if (c->want_streams && c->ops != NULL && c->ops->streams_available != NULL) {
			c->want_streams = false;
			c->ops->streams_available(c->arg);
		}
	}
}

static void
round_of(struct tp_conn *c)
{
	qcid_check_pool(c);
	qtimer_expired(c);
	qredun_expired(c);
	tell_events(c);
	if (!c->dead)
		qstream_resume_all(c);
	if (!c->dead && c->any_closing)
		qstream_reap(c);
	if (!c->dead)
		qstream_tell_room(c);
	if (!c->dead)
		qtimer_jolt(c);
	if (!c->dead && !c->fail_set)
		qsend(c);
	if (!c->dead)
		qstream_tell_room(c);
	if (!c->dead)
		qcid_check_pool(c);
	if (!c->dead)
		qrest_run(c);
}

int
qconn_run(struct tp_conn *c, uint64_t now)
{
	qconn_enter(c, now);
	c->woken = false;
	if (!c->over)
		round_of(c);
	if (!c->dead && !c->over && qclose_due(c))
		qclose_run(c);
	return qconn_leave(c);
}

int
qconn_writable(struct tp_conn *c, uint64_t now)
{
	qconn_enter(c, now);
	if (!c->over)
		qsend_flush_held(c);
	return qconn_leave(c) != 0 ? QERR_CLOSED : qconn_run(c, now);
}

void
qconn_carrier_changed(struct tp_conn *c)
{
	c->is_held = false;
	qc_wake(c);
}
