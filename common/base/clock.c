#include "common/base/clock.h"

#include <time.h>

static uint64_t
read_clock(clockid_t id)
{
	struct timespec ts = {0, 0};

	clock_gettime(id, &ts); /* fails for no clock used here */
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clock_boot(void)
{
#ifdef CLOCK_BOOTTIME
	return read_clock(CLOCK_BOOTTIME);
#else
	return read_clock(CLOCK_MONOTONIC);
#endif
}

uint64_t
clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}
