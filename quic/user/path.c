/* Paths: addresses in ngtcp2's form and ours, and what happens when one was validated. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/protect/keys.h"
#include "quic/user/conn_int.h"

#define SIZE_MIN 64 /* a packet with any frame in it takes that */

#define HOLD_PTO  (325 * NS_PER_MS) /* ngtcp2 validates with no shorter one: that of INITIAL_RTT */
#define HOLD_PTOS 4
#define RTT_SLACK (250 * NS_PER_MS)
#define PING_PACKETS 4 /* after a move: path challenges that wait come first */

static void
addr_to_ng(ngtcp2_addr *ng, const struct addr *a)
{
	/* ngtcp2 only copies from it. */
	ng->addr = (ngtcp2_sockaddr *)(uintptr_t)&a->u.sa;
	ng->addrlen = a->len;
}

/* Borrows p's addresses. */
void
qpath_to_ng(ngtcp2_path *ng, const struct tp_path *p)
{
	addr_to_ng(&ng->local, &p->local);
	addr_to_ng(&ng->remote, &p->remote);
	ng->user_data = NULL;
}

static void
addr_from_ng(struct addr *a, const ngtcp2_addr *ng)
{
	memset(a, 0, sizeof(*a));
	if (addr_from_sa(a, ng->addr, ng->addrlen) != 0)
		a->len = 0;
}

void
qpath_from_ng(struct tp_path *p, const ngtcp2_path *ng)
{
	addr_from_ng(&p->local, &ng->local);
	addr_from_ng(&p->remote, &ng->remote);
}

bool
qpath_equal(const struct tp_path *a, const struct tp_path *b)
{
	return addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote);
}

/* An address translator gave the client another address: ngtcp2 1.11 validates it under the connection ID that it
 * uses already, and then the old address once more. If the client moves meanwhile, with a connection ID of its own,
 * ngtcp2 retires that one, and goes on to use it where it falls back to it: by a packet that retires its own connection
 * ID (which ends the connection: RFC 9000 section 19.16), or by one that the client no longer knows. And it counts it,
 * so that one that the client sends in its place is one too many, and never used. So the move has to wait: the client
 * repeats it. A validation takes three probe timeouts, or as long as its last challenge may be answered. */
static void
hold(struct tp_conn *c, unsigned validations)
{
	uint64_t pto = ngtcp2_conn_get_pto(c->ng);

	if (pto < HOLD_PTO)
		pto = HOLD_PTO;
	c->hold = c->now + validations * HOLD_PTOS * pto;
}

/* ngtcp2 sees that a validation has timed out when it is to send, which it was not asked to where the limit for an
 * address that is not validated was reached: qpath_size. */
static void
time_out(struct tp_conn *c)
{
	c->hold = 0;
	if (!c->pending || c->is_held || c->fail_set)
		return;
	c->pending = false;
	qsend(c);
	c->pending = c->ev_path == 0; /* the callback tells */
}

bool
qpath_hold(struct tp_conn *c, const struct tp_path *name)
{
	struct tp_path cur;

	if (c->hold == 0)
		return false;
	qpath_from_ng(&cur, ngtcp2_conn_get_path(c->ng));
	if (qpath_equal(&cur, name))
		return false;
	if (c->now < c->hold)
		return true;
	time_out(c);
	return c->dead || c->fail_set;
}

/* After each datagram that a server has read: has ngtcp2 turned to a new path that it has to
 * validate? */
void
qpath_heard(struct tp_conn *c, const struct tp_path *from, size_t n, bool fresh)
{
	struct tp_path cur;

	if (!c->server || !c->done_told || (!c->pending && qpath_equal(from, &c->path)))
		return;
	qpath_from_ng(&cur, ngtcp2_conn_get_path(c->ng));
	qname_real(c, &cur);
	if (qpath_equal(&cur, &c->path)) {
		c->pending = false;
		return;
	}
	if (!c->pending || !qpath_equal(&cur, &c->pending_path)) {
		c->pending = true;
		c->jolt = true; /* what has left for the old one may be lost */
		c->news = !qpath_equal(&cur, &c->pending_path);
		c->pending_path = cur;
		c->pending_tx = 0;
		if (!fresh)
			hold(c, 2);
		c->pending_rx = qpath_equal(from, &cur) ? n : 0; /* not what came before: it may have been forgotten */
	} else if (qpath_equal(from, &cur)) {
		c->pending_rx += n;
	}
}

/* To an address that is not validated go at most three bytes for one received (RFC 9000 section
 * 8.1). ngtcp2 1.11 keeps to that, but when it meets the limit it stops its loss timer, and nothing
 * starts it again: with the congestion window full, a client that moves twice in a row would never
 * be heard of again. So it is never given all of what is left. The little that an acknowledgement
 * permits has to do for a PATH_CHALLENGE: a client that only receives may send nothing else. */
size_t
qpath_size(const struct tp_conn *c, size_t n)
{
	uint64_t limit = 3 * c->pending_rx;

	if (!c->pending || c->pending_tx + n < limit)
		return n;
	return c->pending_tx + SIZE_MIN < limit ? (size_t)(limit - c->pending_tx) - 1 : 0;
}

bool
qpath_may_send(const struct tp_conn *c)
{
	return qpath_size(c, QTX_PLAIN) > 0;
}

/* Called after input: a path has been validated, and ngtcp2 uses it now; or it did not answer. */
void
qpath_validated(struct tp_conn *c)
{
	struct tp_path from = c->path, to, name;

	int result = c->ev_path;
	bool ok = c->ev_validated;

	c->ev_validated = false;
	c->ev_path = 0;
	if (c->hold > c->now && ok)
		hold(c, 1);
	else if (result < 0 && !c->pending)
		c->hold = 0;
	if (result != 0 && c->host->path_result != NULL)
		c->host->path_result(c->host_arg, result > 0);
	if (!ok || c->dead)
		return;
	c->pending = false;
	qpath_from_ng(&to, ngtcp2_conn_get_path(c->ng));
	qname_real(c, &to);
	if (c->host->real_path != NULL) {
		name = to;
		c->host->real_path(c->host_arg, &name, &to);
	}
	if (qpath_equal(&from, &to))
		return;
	c->path = to;
	c->moves++;
	qhole_moved(c);
	if (c->host->path_validated != NULL)
		c->host->path_validated(c->host_arg, &to);
	if (!c->dead && c->ops != NULL && c->ops->moved != NULL)
		c->ops->moved(c->arg, &from, &to);
}

/* ---- a client's moves ---- */

static void
set_keepalive(struct tp_conn *c, uint64_t ns)
{
	ngtcp2_conn_set_keep_alive_timeout(c->ng, ns != 0 ? ns : UINT64_MAX);
}

/* ngtcp2 1.11 sends a PING by itself only where its keep-alive is due: so it is, for a moment. */
void
qpath_ping(struct tp_conn *c, int most)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	struct tp_path path;
	uint64_t responses = keys_responses();
	ngtcp2_ssize n = 0;
	int i;

	if (c->is_held || c->closing || c->over || c->fail_set || qrest_txbuf(c) == NULL)
		return;
	ngtcp2_path_storage_zero(&ps);
	set_keepalive(c, 1);
	for (i = 0; i < most; i++) { /* challenges go before it */
		c->skew++;
		n = ngtcp2_conn_write_pkt(c->ng, &ps.path, &pi, c->txbuf, NGTCP2_MAX_UDP_PAYLOAD_SIZE,
		    qc_ts(c));
		if (n <= 0)
			break;
		qpath_from_ng(&path, &ps.path);
		qname_real(c, &path);
		c->bytes_tx += (size_t)n;
		c->pkts_tx++;
		qtimer_asked(c, 0); /* it begins anew, or nothing is under way */
		c->host->send(c->host_arg, &path, pi.ecn, c->txbuf, (size_t)n, (size_t)n);
	}
	set_keepalive(c, c->keepalive);
	c->owed |= keys_responses() != responses;
	ngtcp2_conn_update_pkt_tx_time(c->ng, qc_ts(c));
	if (n < 0)
		qclose_liberr(c, (int)n);
}

static int
move_failed(struct tp_conn *c, int r)
{
	switch (r) {
	case NGTCP2_ERR_INVALID_STATE:
		return c->confirmed ? QERR_DENIED : QERR_AGAIN;
	case NGTCP2_ERR_CONN_ID_BLOCKED:
		return QERR_AGAIN;
	case NGTCP2_ERR_INVALID_ARGUMENT:
		return QERR_INVAL;
	default:
		qclose_liberr(c, r);
		return QERR_CLOSED;
	}
}

int
qconn_move(struct tp_conn *c, const struct tp_path *name, bool probe, uint64_t now)
{
	ngtcp2_path ngp;
	int r;

	if (c->dead || c->over || c->fail_set || c->closing)
		return QERR_CLOSED;
	qconn_enter(c, now);
	qpath_to_ng(&ngp, name);
	if (probe) {
		r = ngtcp2_conn_initiate_migration(c->ng, &ngp, qc_ts(c));
	} else {
		r = ngtcp2_conn_initiate_immediate_migration(c->ng, &ngp, qc_ts(c));
		if (r == 0) {
			c->is_held = false; /* it was for the path that is left */
			c->jolt = c->news = false;
			qhole_moved(c);
			qpath_ping(c, PING_PACKETS);
		}
	}
	if (r != 0)
		r = move_failed(c, r);
	else
		c->ev_path = 0;
	qc_wake(c);
	return qconn_leave(c) != 0 ? QERR_CLOSED : r;
}

void
qconn_name(const struct tp_conn *c, struct tp_path *name)
{
	qpath_from_ng(name, ngtcp2_conn_get_path(c->ng));
}

bool
qconn_rtt_false(const struct tp_conn *c, uint64_t within)
{
	ngtcp2_conn_info ci;

	ngtcp2_conn_get_conn_info(c->ng, &ci);
	return ci.min_rtt != UINT64_MAX && ci.smoothed_rtt > within + RTT_SLACK;
}

void
qconn_path_event(struct tp_conn *c, enum tp_path_event ev, const struct tp_path *path)
{
	if (!c->dead && !c->over && c->ops != NULL && c->ops->path_event != NULL)
		c->ops->path_event(c->arg, ev, path);
}
