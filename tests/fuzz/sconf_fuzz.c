/* qshd's configuration: text to lines, checks, evaluation for a connection, bytes and back. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "server/conf/sconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
dump(struct buf *b, const struct sconf_src *s, const struct sconf_match *m)
{
	struct sconf *c;

	buf_init(b, 16 * 1024 * 1024);
	if (sconf_eval(s, m, &c) != 0)
		abort(); /* what was accepted can be evaluated */
	if (sconf_dump(b, c) != 0)
		abort();
	sconf_free(&c);
}

static void
same(const struct sconf_src *s, const struct sconf_src *copy, const struct sconf_match *m)
{
	struct buf one, two;

	dump(&one, s, m);
	dump(&two, copy, m);
	assert(buf_len(&one) == buf_len(&two));
	assert(memcmp(buf_data(&one), buf_data(&two), buf_len(&one)) == 0);
	buf_free(&one);
	buf_free(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const groups[] = {"bob", "staff"};
	struct addr remote, local;
	struct sconf_match m = {.user = "bob", .groups = groups, .ngroups = 2};
	struct sconf_src *s, *copy;
	struct buf b;
	struct rd r;

	log_set_level(LOG_L_QUIET);
	if (addr_parse(&remote, "192.0.2.7", 5000) != 0 ||
	    addr_parse(&local, "10.0.0.1", 22) != 0)
		abort();
	m.remote = &remote;
	m.local = &local;
	if (sconf_parse_text(&s, "sshd_config", data, n) != 0)
		return 0;
	buf_init(&b, 1024 * 1024);
	if (sconf_src_put(&b, s) != 0)
		abort();
	rd_init(&r, buf_data(&b), buf_len(&b));
	if (sconf_src_get(&copy, &r) != 0 || rd_end(&r) != 0)
		abort();
	same(s, copy, &m);
	same(s, copy, NULL);
	sconf_src_free(&s);
	sconf_src_free(&copy);
	buf_free(&b);
	return 0;
}
