/* A configuration as it comes from another process. */
#include <stdlib.h>

#include "common/base/log.h"
#include "server/conf/sconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sconf_src *s;
	struct sconf *c;
	struct buf b;
	struct rd r;

	log_set_level(LOG_L_QUIET);
	rd_init(&r, data, n);
	if (sconf_src_get(&s, &r) != 0)
		return 0;
	if (sconf_eval(s, NULL, &c) == 0) {
		buf_init(&b, 16 * 1024 * 1024);
		if (sconf_dump(&b, c) != 0)
			abort();
		buf_free(&b);
		sconf_free(&c);
	}
	sconf_src_free(&s);
	return 0;
}
