#include "common/base/clock.h"
#include "server/listener/limits.h"

bool
startups_refuse(const struct smsg_limits *l, uint32_t n, uint32_t dice)
{
	uint64_t p;

	if (n < l->startups_begin)
		return false;
	if (n >= l->startups_full || l->startups_rate >= 100)
		return true;
	/* From rate at begin in a straight line to 100 at full; begin <= n < full here. */
	p = (100 - l->startups_rate) * (uint64_t)(n - l->startups_begin);
	p /= l->startups_full - l->startups_begin;
	return dice < p + l->startups_rate;
}

void
budget_init(struct budget *b, uint32_t rate, uint32_t burst, uint64_t now)
{
	b->rate = rate;
	b->burst = burst;
	b->level = burst * NS_PER_S;
	b->last = now;
}

bool
budget_take(struct budget *b, uint64_t now)
{
	uint64_t full = b->burst * NS_PER_S;
	uint64_t since = now > b->last ? now - b->last : 0;

	/* A long pause fills it, and must not overflow. */
	if (since >= full / b->rate || b->level + since * b->rate > full)
		b->level = full;
	else
		b->level += since * b->rate;
	b->last = now;
	if (b->level < NS_PER_S)
		return false;
	b->level -= NS_PER_S;
	return true;
}
