/* Terminal modes as a client sends them. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "server/broker/ttymodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct termios t;
	memset(&t, 0, sizeof t);
	(void)ttymodes_decode(&t, p, n);
	return 0;
}
