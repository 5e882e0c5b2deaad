/* How long a failed attempt takes at least. */
#include "server/monitor/delay.h"

#include <sodium.h>
#include <string.h>

#include "common/base/clock.h"

#define LEAST  (5 * NS_PER_MS)
#define SPREAD UINT64_C(0x3fffff) /* about 4.2 ms */
#define MOST   (8 * NS_PER_S)     /* the grace time ends what takes longer */

uint64_t
delay_for(const char *user, const uint8_t secret[DELAY_SECRET_LEN], uint64_t elapsed)
{
	uint64_t h = 0;
	uint8_t out[16];
	crypto_generichash(out, sizeof out, (const unsigned char *)user, strlen(user), secret,
	    DELAY_SECRET_LEN);
	for (size_t i = 0; i < 8; i++)
		h = h << 8 | out[i];
	uint64_t d = LEAST + (h & SPREAD);
	while (d <= elapsed && d < MOST)
		d *= 2;
	return d;
}
