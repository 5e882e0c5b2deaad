/* How long a failed attempt takes at least. Pure. */
#ifndef QSH_SERVER_MONITOR_DELAY_H
#define QSH_SERVER_MONITOR_DELAY_H

#include <stdint.h>

#define DELAY_SECRET_LEN 32

/* The time (ns since the attempt began) at which the answer to a failure goes out: a few ms that depend on the
 * user's name in a way that only the holder of secret can tell, doubled until it is more than elapsed. So the
 * answer shows only a rough power of two of the work done, and none of the user's existence. */
uint64_t delay_for(const char *user, const uint8_t secret[DELAY_SECRET_LEN], uint64_t elapsed);

#endif
