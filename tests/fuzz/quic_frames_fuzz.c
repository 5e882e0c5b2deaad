/* A connection whose peer has done the handshake and sends any frames. The first byte says which
 * end it is; then records of a length and frames: tests/unit/quic_hostile.h. */
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/quic_hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 0)
		hostile_run(p[0] & 1, p + 1, n - 1);
	return 0;
}
