/* Bulk yields to who types. Whatever congestion control sends, a loss-based one fills the queue before the
 * bottleneck, and there the echo of a key waits behind it, where no priority of ours reaches. So
 * while interactive streams send, bulk is held to what keeps the path full with three eighths of its round trip
 * waiting: of the bytes in flight, the share (shortest round trip + allowed wait) / round trip.
 *
 * Congestion control goes on as before; this only takes less than it permits. Where the round trip does not get
 * shorter by it, the queue is filled by others: then there is nothing to gain, and it is left alone. */
#include "common/base/clock.h"
#include "quic/user/conn_int.h"

#define ACTIVE    (10 * NS_PER_S)  /* after the last interactive byte */
#define WAIT_MIN  (5 * NS_PER_MS)
#define FUTILE    3
#define LEAVE_BE  (30 * NS_PER_S)
#define FLOOR     ((uint64_t)16 * 1200) /* so little fills no queue */

void
qyield_typed(struct tp_conn *c)
{
	c->yield.until = c->now + ACTIVE;
}

static void
begin_round(struct qyield *y, uint64_t now, uint64_t rtt)
{
	/* What was sent before the cap changed tells nothing of it. */
	y->from = now + rtt;
	y->to = now + 2 * rtt;
	y->rtt = UINT64_MAX;
	y->level = 0;
}

/* A queue of our own gets shorter as we send less: after a cut by an eighth or more the round trip has to fall by
 * at least half of what that means. Judged since the last time it was; three times in a row in vain are enough. */
static bool
in_vain(struct qyield *y, uint64_t level)
{
	uint64_t expected;

	if (y->cap == 0 || y->level0 == 0) {
		y->level0 = level;
		y->rtt0 = y->rtt;
		y->futile = 0;
	} else if (level <= y->level0 - y->level0 / 8) {
		expected = (uint64_t)((double)y->rtt0 * (double)level / (double)y->level0);
		y->futile = y->rtt > expected + (y->rtt0 - expected) / 2 ? y->futile + 1 : 0;
		y->level0 = level;
		y->rtt0 = y->rtt;
	}
	return y->futile == FUTILE;
}

static void
cut(struct qyield *y, uint64_t now, uint64_t allowed)
{
	uint64_t level = y->cap != 0 && y->cap < y->level ? y->cap : y->level;

	if (level <= FLOOR || in_vain(y, level)) {
		y->off_until = level <= FLOOR && y->futile == 0 ? 0 : now + LEAVE_BE;
		y->cap = y->level0 = 0;
		return;
	}
	y->cap = (uint64_t)((double)level * (double)allowed / (double)y->rtt);
	if (y->cap < FLOOR)
		y->cap = FLOOR;
}

static void
widen(struct qyield *y, uint64_t allowed, const ngtcp2_conn_info *ci)
{
	y->level0 = 0;
	if (y->cap == 0 || y->level < y->cap - y->cap / 8)
		return; /* it is not what limits */
	y->cap = (uint64_t)((double)y->cap * (double)allowed / (double)y->rtt);
	if (y->cap > 2 * ci->cwnd)
		y->cap = 0;
}

uint64_t
qyield_room(struct tp_conn *c, const ngtcp2_conn_info *ci)
{
	struct qyield *y = &c->yield;
	uint64_t wait = ci->min_rtt * 3 / 8, allowed;

	if (c->now >= y->until || c->now < y->off_until || ci->min_rtt == UINT64_MAX) {
		y->cap = y->to = 0;
		return UINT64_MAX;
	}
	if (y->to == 0) {
		begin_round(y, c->now, 0);
		y->to = c->now + ci->smoothed_rtt;
	}
	if (c->now >= y->from && ci->latest_rtt < y->rtt)
		y->rtt = ci->latest_rtt;
	if (c->now < y->from || y->level == 0) /* the packets whose round trips are looked at */
		y->level = ci->bytes_in_flight;
	if (c->now >= y->to && y->rtt != UINT64_MAX) {
		allowed = ci->min_rtt + (wait > WAIT_MIN ? wait : WAIT_MIN);
		if (y->rtt > allowed)
			cut(y, c->now, allowed);
		else
			widen(y, allowed, ci);
		begin_round(y, c->now,
		    ci->latest_rtt > ci->smoothed_rtt ? ci->latest_rtt : ci->smoothed_rtt);
	}
	if (y->cap == 0)
		return UINT64_MAX;
	return ci->bytes_in_flight < y->cap ? y->cap - ci->bytes_in_flight : 0;
}
