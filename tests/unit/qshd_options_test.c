/* qshd's command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/conf/sconf.h"
#include "server/supervisor/options.h"

#define WORDS_MAX 32

static char said[1024];

static void
keep_line(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)snprintf(said, sizeof(said), "%s", line);
}

/* Parses words that spaces part. */
static int
parse(struct options *o, const char *words)
{
	char *copy = strdup(words), *save = NULL, *argv[WORDS_MAX + 1] = {NULL};
	int argc = 0, err;

	for (char *w = strtok_r(copy, " ", &save); w != NULL && argc < WORDS_MAX;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	optind = 0; /* glibc: from the start */
	said[0] = '\0';
	err = options_parse(o, argc, argv);
	free(copy);
	return err;
}

static void
all_options(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "qshd -6Deq -E /l -f /c -h /k1 -h /k2 -o A=1 -o B -p 22 -p 2222 "
				   "-C user=a,addr=192.0.2.1 -C lport=3"), 0);
	assert_true(o.foreground && o.log_stderr && o.quiet);
	assert_false(o.test || o.dump || o.version);
	assert_int_equal(o.debug, 0);
	assert_int_equal(o.family, SCONF_AF_INET6);
	assert_string_equal(o.log_file, "/l");
	assert_string_equal(o.config, "/c");
	assert_int_equal(o.host_keys.n, 2);
	assert_string_equal(o.host_keys.v[1], "/k2");
	assert_int_equal(o.overrides.n, 2);
	assert_string_equal(o.overrides.v[0], "A=1");
	assert_int_equal(o.ports.n, 2);
	assert_string_equal(o.ports.v[1], "2222");
	assert_int_equal(o.specs.n, 3);
	assert_string_equal(o.specs.v[1], "addr=192.0.2.1");
	assert_string_equal(o.specs.v[2], "lport=3");
	options_free(&o);
	assert_int_equal(parse(&o, "qshd -tTV4"), 0);
	assert_true(o.test && o.dump && o.version);
	assert_int_equal(o.family, SCONF_AF_INET);
	options_free(&o);
	assert_int_equal(parse(&o, "qshd"), 0);
	assert_int_equal(o.family, -1);
	assert_false(o.foreground);
	options_free(&o);
}

static void
debug_levels(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, "qshd -ddddd"), 0);
	assert_int_equal(o.debug, 3);
	assert_true(o.foreground && o.log_stderr);
	options_free(&o);
}

/* The daemon changes its directory and reads its files again at SIGHUP. */
static void
paths_become_absolute(void **state)
{
	char cwd[PATH_MAX], want[PATH_MAX + 16];
	struct options o;

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	(void)snprintf(want, sizeof(want), "%s/conf", cwd);
	assert_int_equal(parse(&o, "qshd -f conf -E log -h key"), 0);
	assert_string_equal(o.config, want);
	assert_int_equal(o.log_file[0], '/');
	assert_int_equal(o.host_keys.v[0][0], '/');
	options_free(&o);
}

static void
mistakes(void **state)
{
	static const struct {
		const char *words, *says;
	} wrong[] = {
		{"qshd -Z", "option -Z is not known"}, {"qshd -f", "option -f needs an argument"},
		{"qshd -p 0", "-p 0: not a port number"}, {"qshd -p 65536", "-p 65536"},
		{"qshd -p 22x", "-p 22x"}, {"qshd extra", "extra argument extra"},
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(&o, wrong[i].words), QERR_INVAL);
		assert_non_null(strstr(said, wrong[i].says));
		options_free(&o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_options), cmocka_unit_test(debug_levels),
		cmocka_unit_test(paths_become_absolute), cmocka_unit_test(mistakes),
	};

	log_to_sink(keep_line, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
