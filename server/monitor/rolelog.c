/* Log lines of other roles. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "server/ipc/role.h"
#include "server/monitor/monint.h"

/* A connection has few lines to say at the usual levels. */
#define INTERVAL (NS_PER_S / 5)
#define BURST    100

int
monitor_role_log(struct rd *body, struct rate *rate, uint64_t now, const char *prefix)
{
	uint64_t before;
	/* who debugs wants to see it all */
	if (log_get_level() >= LOG_L_DEBUG1)
		return role_log_from(body, prefix);
	if (!rate_take(rate, now, INTERVAL, BURST, &before)) {
		struct smsg_log m;
		int r = smsg_get_log(body, &m);
		if (r == 0)
			smsg_free_log(&m);
		return r;
	}
	if (before > 0)
		log_error("%s%llu log lines were dropped: too many at once", prefix,
		    (unsigned long long)before);
	return role_log_from(body, prefix);
}
