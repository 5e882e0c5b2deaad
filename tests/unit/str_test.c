#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"

struct vis {
	const char *in;
	size_t n;
	const char *out;
};
#define V(in, out) {in, sizeof(in) - 1, out}

static const struct vis vis_cases[] = {
	V("plain", "plain"),
	V("", ""),
	V("a\nb\tc", "a\\012b\\011c"),
	V("\033[31m", "\\033[31m"),
	V("\177", "\\177"),
	V("back\\slash", "back\\134slash"),
	V("zero\0byte", "zero\\000byte"),
	V("gr\303\274n \342\202\254 \360\237\230\200", "gr\303\274n \342\202\254 \360\237\230\200"),
	V("\302\233" "31m", "\\302\\23331m"),           /* U+009B: CSI in one character */
	V("\342\200\256", "\\342\\200\\256"),           /* U+202E: right to left from here */
	V("\377\376", "\\377\\376"),
	V("\303", "\\303"),                             /* cut short */
	V("\300\257", "\\300\\257"),                    /* overlong '/' */
	V("\340\200\257", "\\340\\200\\257"),
	V("\355\240\200", "\\355\\240\\200"),           /* surrogate */
	V("\364\220\200\200", "\\364\\220\\200\\200"),  /* past U+10FFFF */
	V("\342\202x", "\\342\\202x"),
};

static void
untrusted_bytes_become_printable(void **state)
{
	char dst[100];

	(void)state;
	for (size_t i = 0; i < sizeof(vis_cases) / sizeof(vis_cases[0]); i++)
		assert_string_equal(str_vis(dst, sizeof(dst), vis_cases[i].in, vis_cases[i].n),
		    vis_cases[i].out);
	assert_string_equal(str_vis_text(dst, sizeof(dst), "a\n\tb\r\033", 6), "a\n\tb\\015\\033");
}

static void
long_text_is_cut(void **state)
{
	char dst[32];

	(void)state;
	assert_string_equal(str_vis(dst, 6, "abcde", 5), "abcde");
	assert_string_equal(str_vis(dst, 6, "abcdef", 6), "ab...");
	assert_string_equal(str_vis(dst, 8, "a\n\nbc", 5), "a...");
	assert_string_equal(str_vis(dst, 9, "a\n\nbc", 5), "a\\012...");
	assert_string_equal(str_vis(dst, 7, "ab\303\274cd", 6), "ab\303\274cd");
	assert_string_equal(str_vis(dst, 6, "ab\303\274cd", 6), "ab...");
	for (size_t n = 1; n < 6; n++) {
		memset(dst, 'x', sizeof(dst));
		str_vis(dst, n, "\n\n\n", 3);
		assert_true(strlen(dst) < n);
		assert_int_equal(dst[n], 'x');
	}
	dst[0] = 'x';
	str_vis(dst, 0, "a", 1);
	assert_int_equal(dst[0], 'x');
}

static void
patterns_match(void **state)
{
	(void)state;
	assert_true(str_match("host", "host"));
	assert_true(str_match("", ""));
	assert_true(str_match("", "*"));
	assert_true(str_match("host.example.com", "*.example.com"));
	assert_true(str_match("host", "h?st"));
	assert_true(str_match("abcabcd", "*abcd"));
	assert_true(str_match("a.b.c", "a*c"));
	assert_true(str_match("abc", "a**c"));
	assert_false(str_match("host", "hos"));
	assert_false(str_match("host", "host?"));
	assert_false(str_match("host", "Host"));
	assert_false(str_match("example.com", "*.example.com"));
	assert_false(str_match("", "?"));
	assert_false(str_match("abc", "*b"));
}

static void
many_stars_are_quick(void **state)
{
	char s[2001], pattern[401];

	(void)state;
	memset(s, 'a', sizeof(s) - 1);
	s[sizeof(s) - 1] = '\0';
	for (size_t i = 0; i < 200; i++)
		memcpy(pattern + 2 * i, "*a", 2);
	memcpy(pattern + 398, "*b", 3);
	assert_false(str_match(s, pattern));
}

static void
lists_match(void **state)
{
	(void)state;
	assert_int_equal(str_match_list("b", "a,b,c", false), 1);
	assert_int_equal(str_match_list("d", "a,b,c", false), 0);
	assert_int_equal(str_match_list("b", "*,!b", false), -1);
	assert_int_equal(str_match_list("b", "!b,*", false), -1);
	assert_int_equal(str_match_list("c", "!b", false), 0);
	assert_int_equal(str_match_list("c", "!b,*", false), 1);
	assert_int_equal(str_match_list("HOST", "host", false), 0);
	assert_int_equal(str_match_list("HOST", "h*", true), 1);
	assert_int_equal(str_match_list("host", "!HO*", true), -1);
	assert_int_equal(str_match_list("a", "", false), 0);
	assert_int_equal(str_match_list("a", ",,a", false), 1);
}

static void
numbers_are_strict(void **state)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1x", "0x1", "--1",
	    "9223372036854775808", "-9223372036854775809", "99999999999999999999", "-0x"};
	long long v;

	(void)state;
	assert_int_equal(str_to_int("42", 0, 100, &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(str_to_int("-7", -10, 10, &v), 0);
	assert_int_equal(v, -7);
	assert_int_equal(str_to_int("-9223372036854775808", LLONG_MIN, 0, &v), 0);
	assert_true(v == LLONG_MIN);
	assert_int_equal(str_to_int("9223372036854775807", 0, LLONG_MAX, &v), 0);
	assert_true(v == LLONG_MAX);
	assert_int_equal(str_to_int("101", 0, 100, &v), QERR_FORMAT);
	assert_int_equal(str_to_int("-1", 0, 100, &v), QERR_FORMAT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(str_to_int(bad[i], LLONG_MIN, LLONG_MAX, &v), QERR_FORMAT);
}

static void
times_are_read(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "-1", "1h-2", "h", "1 h", "2147483648",
	    "100000w", "99999999999999999999999"};
	uint64_t v;

	(void)state;
	assert_int_equal(str_to_time("90", &v), 0);
	assert_true(v == 90);
	assert_int_equal(str_to_time("1h30m", &v), 0);
	assert_true(v == 5400);
	assert_int_equal(str_to_time("1W2D3h4M5s6", &v), 0);
	assert_true(v == 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5 + 6);
	assert_int_equal(str_to_time("2147483647", &v), 0);
	assert_true(v == INT_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(str_to_time(bad[i], &v), QERR_FORMAT);
}

static void
sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t v;
		const char *back;
	} good[] = {{"0", 0, "0"}, {"1", 1, "1"}, {"1023", 1023, "1023"}, {"1024", 1024, "1K"},
	    {"1025", 1025, "1025"}, {"4k", 4096, "4K"}, {"1536K", 1536 * 1024, "1536K"},
	    {"64M", 64 << 20, "64M"}, {"64m", 64 << 20, "64M"}, {"1024M", 1 << 30, "1G"}, {"2g", UINT64_C(2) << 30, "2G"},
	    {"8191G", UINT64_C(8191) << 30, "8191G"}, {"9223372036854775790", INT64_MAX - 17, "9223372036854775790"}};
	static const char *const bad[] = {"", "k", "-1", " 1", "1 ", "1kk", "1x", "1T", "1kB", "1.5M", "0x10", "+4",
	    "9223372036854775808", "18446744073709551617", "8589934592G", "9999999999999999999999"};
	char text[STR_SIZE_LEN];
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(str_to_size(good[i].text, &v), 0);
		assert_true(v == good[i].v);
		assert_string_equal(str_size(text, v), good[i].back);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(str_to_size(bad[i], &v), QERR_FORMAT);
}

static void
base64_both_ways(void **state)
{
	static const struct {
		const char *plain, *text;
	} t[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\377\376", "//4="}};
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "Zm9v=", "Zm 9v", "Zm9v\n",
	    "Zh==", "Zm9_", "Zm9\366", "====", "Zg==Zg=="};
	uint8_t *p;
	char *s;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		s = str_b64(t[i].plain, strlen(t[i].plain));
		assert_string_equal(s, t[i].text);
		free(s);
		p = str_b64_decode(t[i].text, strlen(t[i].text), &n);
		assert_non_null(p);
		assert_int_equal(n, strlen(t[i].plain));
		if (n > 0)
			assert_memory_equal(p, t[i].plain, n);
		free(p);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(str_b64_decode(bad[i], strlen(bad[i]), &n));
		assert_int_equal(n, 0);
	}
	p = str_b64_decode("Zm9vxxxx", 4, &n); /* no more than n bytes are read */
	assert_int_equal(n, 3);
	free(p);
}

static void
copies_are_made(void **state)
{
	char *s = str_printf("%s %d", "a", 1);
	void *p = mem_dup("xyz", 3);

	(void)state;
	assert_string_equal(s, "a 1");
	assert_memory_equal(p, "xyz", 3);
	free(s);
	free(p);
	p = mem_dup(NULL, 0);
	assert_non_null(p);
	free(p);
}

static void
errors_have_texts(void **state)
{
	(void)state;
	for (int e = 1; e >= QERR_INVAL - 1; e--) {
		assert_non_null(qerr_str(e));
		if (e <= 0 && e >= QERR_INVAL)
			assert_string_not_equal(qerr_str(e), "unknown error");
	}
	assert_string_equal(qerr_str(INT_MIN), "unknown error");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untrusted_bytes_become_printable),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(many_stars_are_quick),
		cmocka_unit_test(lists_match),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(base64_both_ways),
		cmocka_unit_test(copies_are_made),
		cmocka_unit_test(errors_have_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
