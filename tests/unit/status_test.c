/* The status line: what is drawn, and where in a program's output it may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/netwatch.h"
#include "client/statusline.h"
#include "client/vtscan.h"
#include "common/base/clock.h"

static bool
between(const char *s)
{
	struct vtscan v = {0};

	vtscan_feed(&v, (const uint8_t *)s, strlen(s));
	return vtscan_between(&v);
}

static void
test_vtscan(void **state)
{
	static const char *const whole[] = {"", "text", "\033[1;31mred", "\033(B", "\033]0;title\a",
	    "\033]0;title\033\\", "\033Pq#0\033\\x", "\303\244", "\342\202\254", "\033[31\030"};
	static const char *const cut[] = {"\033", "text\033[", "\033[1;3", "\033(", "\033]0;ti", "\033]0;t\033",
	    "\033P1$r", "\303", "long enough a text \342\202", "\360\237\230"};

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		assert_true(between(whole[i]));
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++)
		assert_false(between(cut[i]));
}

static void
test_text(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(statusline_text(&b, 12 * NS_PER_S, '~'), 0);
	assert_int_equal(buf_put_u8(&b, 0), 0);
	assert_string_equal((const char *)buf_data(&b), "qsh: last contact 12 s ago, ~. to quit");
	buf_free(&b);
	buf_init(&b, 1000);
	assert_int_equal(statusline_draw(&b, "0123456789", 6), 0);
	assert_int_equal(buf_put_u8(&b, 0), 0);
	assert_non_null(strstr((const char *)buf_data(&b), "01234\033[0m\0338"));
	buf_free(&b);
}

static void
test_sleep(void **state)
{
	uint64_t ahead = 0;

	(void)state;
	(void)netwatch_slept(&ahead, 100 * NS_PER_S, 500 * NS_PER_S);
	assert_false(netwatch_slept(&ahead, 110 * NS_PER_S, 510 * NS_PER_S + 1000));
	assert_true(netwatch_slept(&ahead, 111 * NS_PER_S, 4000 * NS_PER_S));
	assert_false(netwatch_slept(&ahead, 112 * NS_PER_S, 4001 * NS_PER_S));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vtscan),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
