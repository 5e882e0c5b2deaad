/* Silence: since when something waits for an answer, and what counts as one. */
#include "common/base/clock.h"
#include "quic/protect/protect.h"
#include "quic/user/conn_int.h"

#define QUIET (3 * NS_PER_S) /* people are told */

/* ngtcp2 does not say whether a packet was genuine, but its decryption, which is ours, counts. Anybody can
 * write our connection ID on a datagram, and another host, at an address that was the server's, answers with
 * a stateless reset that means nothing here. */
void
qtimer_doubt(struct qdoubt *d)
{
	d->opened = protect_opened();
}

bool
qtimer_alive(const struct qdoubt *d)
{
	return protect_opened() != d->opened;
}

void
qtimer_asked(struct tp_conn *c, uint64_t in_flight)
{
	c->last_tx = c->now;
	if (in_flight == 0)
		c->waits = c->now;
	if (c->pending)
		c->jolt = c->news = false; /* a challenge is out, whose timer is not to be run over */
	if (c->asked == 0)
		c->asked = c->now;
}

void
qtimer_tell(struct tp_conn *c)
{
	bool quiet = c->asked != 0 && c->now - c->asked >= QUIET && c->now - c->last_rx >= QUIET;

	if (quiet == c->quiet_told || !c->done_told)
		return;
	c->quiet_told = quiet;
	if (c->ops != NULL && c->ops->silent != NULL)
		c->ops->silent(c->arg, quiet);
}

uint64_t
qtimer_quiet_at(const struct tp_conn *c)
{
	if (c->asked == 0 || c->quiet_told || !c->done_told)
		return UINT64_MAX;
	return (c->asked > c->last_rx ? c->asked : c->last_rx) + QUIET;
}

uint64_t
qconn_asked(const struct tp_conn *c)
{
	return c->over || c->fail_set ? 0 : c->asked;
}

unsigned
qconn_heard(const struct tp_conn *c)
{
	return c->heard;
}

uint64_t
qconn_pto(const struct tp_conn *c)
{
	return ngtcp2_conn_get_pto(c->ng);
}
