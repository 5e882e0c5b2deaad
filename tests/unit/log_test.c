#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"

static char line[8192];
static enum log_level line_level;
static int lines;

static void
sink(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	snprintf(line, sizeof(line), "%s", text);
	line_level = level;
	lines++;
	log_error("from the sink"); /* dropped, not for ever */
}

static int
start(void **state)
{
	(void)state;
	log_init("test", LOG_L_INFO);
	log_to_sink(sink, NULL);
	lines = 0;
	line[0] = '\0';
	return 0;
}

static void
levels_filter(void **state)
{
	(void)state;
	log_error("e");
	log_info("i");
	log_verbose("v");
	log_debug("d");
	log_msg(LOG_L_QUIET, "q");
	log_msg((enum log_level)99, "?");
	assert_int_equal(lines, 2);
	log_set_level(LOG_L_DEBUG2);
	assert_int_equal(log_get_level(), LOG_L_DEBUG2);
	log_debug2("d2");
	log_debug3("d3");
	assert_int_equal(lines, 3);
	assert_string_equal(line, "d2"); /* the sink has the level beside the text */
	assert_int_equal(line_level, LOG_L_DEBUG2);
	log_set_level(LOG_L_QUIET);
	log_msg(LOG_L_FATAL, "f");
	assert_int_equal(lines, 3);
}

static void
lines_cannot_be_injected(void **state)
{
	(void)state;
	log_info("user %s", "x\nsshd: Accepted \033[2J\\012");
	assert_int_equal(lines, 1);
	/* what is shown already stays: escaping again would change it at every hop */
	assert_string_equal(line, "user x\\012sshd: Accepted \\033[2J\\012");
}

static void
long_lines_are_cut(void **state)
{
	char *s = malloc(20000);

	(void)state;
	assert_non_null(s);
	memset(s, 'x', 19999);
	s[19999] = '\0';
	log_info("%s", s);
	assert_true(strlen(line) > 4000 && strlen(line) < 4096);
	assert_string_equal(line + strlen(line) - 4, "x...");
	memset(s, '\n', 19999);
	log_info("%s", s);
	assert_true(strlen(line) > 4000 && strlen(line) < 4096);
	assert_string_equal(line + strlen(line) - 7, "\\012...");
	free(s);
}

static void
errno_is_kept(void **state)
{
	(void)state;
	errno = ENOENT;
	log_info("%s", qerr_str(QERR_SYS));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(line, strerror(ENOENT));
}

/* What reaches standard error, while fn runs. */
static char *
captured(void (*fn)(void))
{
	char path[] = "/tmp/qsh-log-test.XXXXXX";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	uint8_t *text;
	size_t n;

	assert_true(fd >= 0 && saved >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	fn();
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	close(fd);
	assert_int_equal(fd_read_file(path, 10000, &text, &n), 0);
	unlink(path);
	return (char *)text;
}

static void
say(void)
{
	log_to_stderr();
	log_error("wrong");
	log_debug("detail");
	log_set_raw_tty(1);
	log_info("raw");
	log_set_raw_tty(0);
}

static void
standard_error_has_sshs_form(void **state)
{
	char *s;

	(void)state;
	log_init("qshd", LOG_L_DEBUG1);
	s = captured(say);
	assert_string_equal(s, "qshd: wrong\nqshd: debug1: detail\nqshd: raw\r\n");
	free(s);
	log_init(NULL, LOG_L_DEBUG1);
	s = captured(say);
	assert_string_equal(s, "wrong\ndebug1: detail\nraw\r\n");
	free(s);
}

static void
file_is_appended_to(void **state)
{
	char path[] = "/tmp/qsh-log-test.XXXXXX";
	int fd = mkstemp(path);
	uint8_t *text;
	size_t n;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "before\n", 7), 7);
	close(fd);
	assert_int_equal(log_to_file("/nonexistent/log"), QERR_SYS);
	assert_int_equal(log_to_file(path), 0);
	log_info("one");
	log_set_raw_tty(1); /* of the terminal, not of files */
	log_info("two");
	log_set_raw_tty(0);
	log_to_stderr();
	assert_int_equal(fd_read_file(path, 1000, &text, &n), 0);
	assert_string_equal((char *)text, "before\ntest: one\ntest: two\n");
	free(text);
	unlink(path);
}

static void
names_are_parsed(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("QUIET"), LOG_L_QUIET);
	assert_int_equal(log_level_parse("debug"), LOG_L_DEBUG1);
	assert_int_equal(log_level_parse("Debug3"), LOG_L_DEBUG3);
	assert_int_equal(log_level_parse("loud"), -1);
	assert_string_equal(log_level_name(LOG_L_VERBOSE), "VERBOSE");
	assert_string_equal(log_level_name((enum log_level)99), "UNKNOWN");
	assert_int_equal(log_facility_parse("auth"), LOG_AUTH);
	assert_int_equal(log_facility_parse("LOCAL7"), LOG_LOCAL7);
	assert_int_equal(log_facility_parse("KERN"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(levels_filter, start),
		cmocka_unit_test_setup(lines_cannot_be_injected, start),
		cmocka_unit_test_setup(long_lines_are_cut, start),
		cmocka_unit_test_setup(errno_is_kept, start),
		cmocka_unit_test_setup(standard_error_has_sshs_form, start),
		cmocka_unit_test_setup(file_is_appended_to, start),
		cmocka_unit_test_setup(names_are_parsed, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
