/* How often. */
#include "server/monitor/rate.h"

bool
rate_take(struct rate *r, uint64_t now, uint64_t interval, unsigned burst, uint64_t *before)
{
	if (r->spent < now)
		r->spent = now;
	if (r->spent - now > (burst - 1) * interval) {
		r->refused++;
		return false;
	}
	r->spent += interval;
	if (before)
		*before = r->refused;
	r->refused = 0;
	return true;
}
