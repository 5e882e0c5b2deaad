/* How often others may have us write to files that the whole system shares. Pure. */
#ifndef QSH_SERVER_MONITOR_RATE_H
#define QSH_SERVER_MONITOR_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed at first. */
struct rate {
	uint64_t spent;       /* time (ns) up to which what was taken counts */
	uint64_t refused;     /* since the last time that something was taken */
};

/* May one more be taken at time now (ns, any clock that does not go back)? burst at once, then one in every interval (ns).
 * *before (may be NULL): how many were refused since the last one that was taken. */
bool rate_take(struct rate *r, uint64_t now, uint64_t interval, unsigned burst, uint64_t *before);

#endif
