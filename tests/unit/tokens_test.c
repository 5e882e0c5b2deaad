/* Address tokens in their file: shown once, to whom they are of, and not too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "client/tokens.h"
#include "common/base/fd.h"
#include "common/base/log.h"

static char path[64];

/* ---- between the program and the kernel ---- */

static bool somebody_else, full_disk;

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

uid_t
__wrap_geteuid(void)
{
	return __real_geteuid() + (somebody_else ? 1 : 0);
}

int
__wrap_rename(const char *from, const char *to)
{
	if (!full_disk)
		return __real_rename(from, to);
	errno = ENOSPC;
	return -1;
}

static int
set_up(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/qsh-tokens-test-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	unlink(path);
	return tokens_new((struct tokens **)state, path);
}

static int
tear_down(void **state)
{
	tokens_free((struct tokens **)state);
	unlink(path);
	return 0;
}

static struct tp_path
between(const char *local, const char *remote, uint16_t port)
{
	struct tp_path p;

	assert_int_equal(addr_parse(&p.local, local, 50000), 0);
	assert_int_equal(addr_parse(&p.remote, remote, port), 0);
	return p;
}

static void
keep(void *t, struct tp_path p, const char *text)
{
	tokens_ops.keep(t, &p, (const uint8_t *)text, strlen(text));
}

/* The token as text, "" where there is none. */
static const char *
take(void *t, struct tp_path p)
{
	static char text[QUIC_ADDR_TOKEN_MAX + 1];
	uint8_t dst[QUIC_ADDR_TOKEN_MAX];
	size_t n = tokens_ops.take(t, &p, dst);

	memcpy(text, dst, n);
	text[n] = '\0';
	return text;
}

static void
write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static unsigned
count_lines(void)
{
	uint8_t *text;
	unsigned n = 0;
	size_t len;

	assert_int_equal(fd_read_file(path, 1 << 20, &text, &len), 0);
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	free(text);
	return n;
}

static void
shown_once(void **state)
{
	struct tp_path a = between("192.0.2.1", "198.51.100.1", 22), b = a;
	struct stat st;

	assert_string_equal(take(*state, a), "");
	keep(*state, a, "one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	addr_set_port(&b.local, 1234); /* another socket of the same machine */
	assert_string_equal(take(*state, b), "one");
	assert_string_equal(take(*state, a), "");
}

static void
shown_to_whom_they_are_of(void **state)
{
	keep(*state, between("192.0.2.1", "198.51.100.1", 22), "one");
	assert_string_equal(take(*state, between("192.0.2.1", "198.51.100.1", 2022)), "");
	assert_string_equal(take(*state, between("192.0.2.1", "198.51.100.2", 22)), "");
	assert_string_equal(take(*state, between("192.0.2.2", "198.51.100.1", 22)), "");
	keep(*state, between("2001:db8::1", "2001:db8::2", 22), "six");
	assert_string_equal(take(*state, between("2001:db8::1", "2001:db8::2", 22)), "six");
	assert_string_equal(take(*state, between("192.0.2.1", "198.51.100.1", 22)), "one");
}

static void
not_too_many(void **state)
{
	struct tp_path a = between("192.0.2.1", "198.51.100.1", 22);
	char text[8];

	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "t%d", i);
		keep(*state, a, text);
	}
	assert_int_equal(count_lines(), TOKENS_SAME);
	assert_string_equal(take(*state, a), "t9");
	for (uint16_t port = 1; port < 200; port++)
		keep(*state, between("192.0.2.1", "198.51.100.1", port), "x");
	assert_int_equal(count_lines(), TOKENS_MAX);
	assert_string_equal(take(*state, between("192.0.2.1", "198.51.100.1", 199)), "x");
	assert_string_equal(take(*state, between("192.0.2.1", "198.51.100.1", 100)), "");
}

static void
strange_files(void **state)
{
	static const char line[] = "198.51.100.1 22 192.0.2.1 %llu 6f6e65\n";
	struct tp_path a = between("192.0.2.1", "198.51.100.1", 22);
	char text[256], other[sizeof(path) + 8];
	unsigned long long now = (unsigned long long)time(NULL);

	snprintf(text, sizeof(text), line, now);
	write_file(text, 0600);
	assert_string_equal(take(*state, a), "one");
	write_file(text, 0644); /* others may have written it, or read it */
	assert_string_equal(take(*state, a), "");
	snprintf(text, sizeof(text), line, now - 8 * 24 * 3600);
	write_file(text, 0600); /* too old */
	assert_string_equal(take(*state, a), "");
	snprintf(text, sizeof(text), line, now + 1000);
	write_file(text, 0600);
	assert_string_equal(take(*state, a), "");
	snprintf(text, sizeof(text), "rubbish\n198.51.100.1 22 192.0.2.1 %llu\n198.51.100.1 22 192.0.2.1 %llu xyz\n", now, now);
	write_file(text, 0600);
	assert_string_equal(take(*state, a), "");
	/* Not through a name that somebody else may have put there. */
	snprintf(other, sizeof(other), "%s.other", path);
	snprintf(text, sizeof(text), line, now);
	write_file(text, 0600);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_string_equal(take(*state, a), "");
	assert_int_equal(unlink(other), 0);
	/* Nothing is too long for nothing. */
	keep(*state, a, "");
	assert_int_equal(mkdir("/nonexistent/x", 0700), -1);
	struct tokens *t;
	assert_int_equal(tokens_new(&t, "/nonexistent/x/file"), 0);
	keep(t, a, "one");
	assert_string_equal(take(t, a), "");
	tokens_free(&t);
}

/* A file of another user's is not read. */
static void
not_ours(void **state)
{
	struct tp_path a = between("192.0.2.1", "198.51.100.1", 22);

	keep(*state, a, "one");
	somebody_else = true;
	assert_string_equal(take(*state, a), "");
	somebody_else = false;
	assert_string_equal(take(*state, a), "one");
}

/* A token that cannot be taken out of the file is not shown: it would be once more. Nothing is left beside it. */
static void
not_saved(void **state)
{
	struct tp_path a = between("192.0.2.1", "198.51.100.1", 22);
	char beside[sizeof(path) + 2];
	glob_t g;

	keep(*state, a, "one");
	full_disk = true;
	assert_string_equal(take(*state, a), "");
	keep(*state, a, "two");
	full_disk = false;
	snprintf(beside, sizeof(beside), "%s.*", path);
	assert_int_equal(glob(beside, 0, NULL, &g), GLOB_NOMATCH);
	assert_string_equal(take(*state, a), "one");
	assert_string_equal(take(*state, a), "");
}

/* A line that is longer than any of ours does not stay in the file for ever. */
static void
too_long(void **state)
{
	static char text[4 * QUIC_ADDR_TOKEN_MAX + 1024];
	int n = snprintf(text, sizeof(text), "198.51.100.9 22 192.0.2.1 %llu ",
	    (unsigned long long)time(NULL));

	memset(text + n, 'a', sizeof(text) - 2 - (size_t)n);
	text[sizeof(text) - 2] = '\n';
	write_file(text, 0600);
	keep(*state, between("192.0.2.1", "198.51.100.1", 22), "one");
	assert_int_equal(count_lines(), 1);
	assert_string_equal(take(*state, between("192.0.2.1", "198.51.100.1", 22)), "one");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(shown_once), T(shown_to_whom_they_are_of), T(not_too_many), T(strange_files),
		T(not_ours), T(not_saved), T(too_long),
	};

	log_init("test", LOG_L_QUIET);
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
