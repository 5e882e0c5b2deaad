/* Time in nanoseconds. */
#ifndef QSH_BASE_CLOCK_H
#define QSH_BASE_CLOCK_H
#include <stdint.h>
#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)
uint64_t clock_mono(void); /* CLOCK_MONOTONIC */
uint64_t clock_boot(void); /* goes on during suspend where the system has it */
uint64_t clock_wall(void); /* since the epoch */
#endif
