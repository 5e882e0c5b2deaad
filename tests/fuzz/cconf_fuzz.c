/* The client's configuration: a file's text, and a setting of the command line. */
#include <stdlib.h>
#include <string.h>

#include "client/conf/cconf.h"
#include "common/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
finish(struct cconf_ctx *ctx)
{
	struct cconf *c;
	struct buf b;

	if (cconf_finish(ctx, "host.example", NULL, "ls -l", &c) != 0)
		return;
	buf_init(&b, 16 * 1024 * 1024);
	if (cconf_dump(&b, c) != 0)
		abort();
	buf_free(&b);
	cconf_free(&c);
}

/* The first line is a setting, the rest is the file. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *eol = n > 0 ? memchr(data, '\n', n) : NULL;
	struct cconf_ctx *ctx;
	char *setting;

	log_set_level(LOG_L_QUIET);
	if (cconf_new(&ctx) != 0)
		abort();
	if (eol != NULL) {
		setting = strndup((const char *)data, (size_t)(eol - data));
		if (setting == NULL)
			abort();
		(void)cconf_set(ctx, "command-line", setting);
		free(setting);
		n -= (size_t)(eol + 1 - data);
		data = eol + 1;
	}
	if (cconf_add_text(ctx, "config", data, n) == 0)
		finish(ctx);
	cconf_ctx_free(&ctx);
	return 0;
}
