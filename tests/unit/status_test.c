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
	    "\033]0;title\033\\", "\033Pq#0\033\\x", "\033(P", "\033#8", "\033(\033[m", "\303\244", "\342\202\254", "\033[31\030"};
	static const char *const cut[] = {"\033", "text\033[", "\033[1;3", "\033(", "\033(\033", "\033]0;ti", "\033]0;t\033",
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
	assert_int_equal(statusline_draw(&b, "0123456789", 6), 0);
	assert_int_equal(buf_put_u8(&b, 0), 0);
	assert_non_null(strstr((const char *)buf_data(&b), "\033[7m01234\033[0m\0338"));
	buf_free(&b);
	buf_init(&b, 1000);
	assert_int_equal(statusline_draw(&b, "0123456789", 0), 0);
	assert_int_equal(buf_put_u8(&b, 0), 0);
	assert_non_null(strstr((const char *)buf_data(&b), "\033[7m0123456789\033[0m\0338"));
	buf_free(&b);
}

/* A narrow terminal is told less, and never half a number. */
static void
test_narrow(void **state)
{
	static const struct {
		unsigned cols;
		int key;
		const char *text;
	} rows[] = {
	    {0, '~', "qsh: last contact 12 s ago, ~. to quit"},
	    {39, '~', "qsh: last contact 12 s ago, ~. to quit"},
	    {38, '~', "qsh: last contact 12 s ago"},
	    {80, -1, "qsh: last contact 12 s ago"},
	    {27, '~', "qsh: last contact 12 s ago"},
	    {26, '~', "qsh: silent 12 s"},
	    {20, '~', "qsh: silent 12 s"},
	    {17, '~', "qsh: silent 12 s"},
	    {16, '~', "12 s"},
	    {1, '~', "12 s"},
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&b, 1000);
		assert_int_equal(statusline_text(&b, 12 * NS_PER_S, rows[i].key, rows[i].cols), 0);
		assert_int_equal(buf_put_u8(&b, 0), 0);
		assert_string_equal((const char *)buf_data(&b), rows[i].text);
		buf_free(&b);
	}
}

/* A terminal that takes what it is given while nothing else writes. */
struct screen {
	struct ev *ev;
	bool free, full;
	unsigned writes;
	char last[512];
};

static bool
screen_free(void *arg)
{
	return ((struct screen *)arg)->free;
}

static uint64_t
screen_heard(void *arg)
{
	(void)arg;
	return NS_PER_S;
}

static bool
screen_put(void *arg, const void *p, size_t n)
{
	struct screen *s = arg;

	if (s->full)
		return false;
	assert_true(n < sizeof(s->last));
	memcpy(s->last, p, n);
	s->last[n] = '\0';
	s->writes++;
	return true;
}

static unsigned
screen_cols(void *arg)
{
	(void)arg;
	return 0;
}

static const struct statusline_ops screen_ops = {screen_free, screen_heard, screen_put, screen_cols};

static void
test_line(void **state)
{
	struct screen s = {.free = true};
	struct statusline *line;

	(void)state;
	assert_int_equal(ev_new_virtual(&s.ev, 5 * NS_PER_S), 0);
	assert_int_equal(statusline_new(&line, s.ev, '~', &screen_ops, &s), 0);
	assert_false(statusline_hide(line)); /* there is none */
	assert_int_equal(s.writes, 0);
	/* At once, and every second. */
	statusline_show(line);
	assert_int_equal(s.writes, 1);
	assert_non_null(strstr(s.last, "last contact 4 s ago"));
	ev_virtual_run(s.ev, 7 * NS_PER_S);
	assert_int_equal(s.writes, 3);
	assert_non_null(strstr(s.last, "last contact 6 s ago"));
	/* Not while the program is in the middle of something, nor is it erased then. */
	s.free = false;
	ev_virtual_run(s.ev, 9 * NS_PER_S);
	assert_int_equal(s.writes, 3);
	assert_false(statusline_hide(line));
	assert_int_equal(s.writes, 3);
	s.free = true;
	assert_true(statusline_hide(line));
	assert_int_equal(s.writes, 4);
	assert_null(strstr(s.last, "contact"));
	assert_false(statusline_hide(line));
	ev_virtual_run(s.ev, 20 * NS_PER_S);
	assert_int_equal(s.writes, 4); /* and it does not come back by itself */
	/* What was not taken is not there to be erased. */
	s.full = true;
	statusline_show(line);
	s.full = false;
	assert_false(statusline_hide(line));
	assert_int_equal(s.writes, 4);
	statusline_free(&line);
	assert_null(line);
	ev_free(&s.ev);
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
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
