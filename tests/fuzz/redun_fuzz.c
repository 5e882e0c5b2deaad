/* Redundant datagrams: the frame, and merging with what the stream brings. tests/unit/redun_model.c says
 * what the bytes mean and what must hold. */
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/redun_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	redun_model_run(p, n);
	return 0;
}
