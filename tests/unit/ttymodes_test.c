/* Terminal modes of RFC 4254 section 8 reach the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "server/broker/ttymodes.h"

static struct termios
blank(void)
{
	struct termios t;
	memset(&t, 0, sizeof t);
	return t;
}

static void
test_characters(void **state)
{
	(void)state;
	const uint8_t p[] = {1, 0, 0, 0, 3, 3, 0, 0, 0, 0x7f, 10, 0, 0, 0, 255, 0};
	struct termios t = blank();
	t.c_cc[VSUSP] = 26;
	assert_int_equal(ttymodes_decode(&t, p, sizeof p), 0);
	assert_int_equal(t.c_cc[VINTR], 3);
	assert_int_equal(t.c_cc[VERASE], 0x7f);
	assert_int_equal(t.c_cc[VSUSP], (cc_t)_POSIX_VDISABLE);
}

static void
test_flags(void **state)
{
	(void)state;
	const uint8_t p[] = {36, 0, 0, 0, 1, 38, 0, 0, 0, 0, 53, 0, 0, 0, 1, 51, 0, 0, 0, 0, 70, 0, 0,
	    0, 1, 72, 1, 0, 0, 0, 91, 0, 0, 0, 1, 92, 0, 0, 0, 0, 0};
	struct termios t = blank();
	t.c_iflag = IXON;
	t.c_lflag = ICANON | ISIG;
	t.c_cflag = CS7 | PARENB;
	assert_int_equal(ttymodes_decode(&t, p, sizeof p), 0);
	assert_int_equal(t.c_iflag, ICRNL);
	assert_int_equal(t.c_lflag, ECHO | ISIG);
	assert_int_equal(t.c_oflag, OPOST | ONLCR);
	assert_int_equal(t.c_cflag & CSIZE, CS8);
	assert_int_equal(t.c_cflag & PARENB, 0);
}

static void
test_speeds(void **state)
{
	(void)state;
	/* some systems have one speed for both directions: one at a time */
	const uint8_t in[] = {128, 0, 0, 0x96, 0, 0};
	/* then a speed that does not exist, which changes nothing */
	const uint8_t out[] = {129, 0, 1, 0xc2, 0, 129, 0, 0, 0, 7, 0};
	struct termios t = blank();
	assert_int_equal(ttymodes_decode(&t, in, sizeof in), 0);
	assert_int_equal(cfgetispeed(&t), B38400);
	assert_int_equal(ttymodes_decode(&t, out, sizeof out), 0);
	assert_int_equal(cfgetospeed(&t), B115200);
}

/* Unknown opcodes up to 159 have an argument and are skipped; from 160 on nothing is known. */
static void
test_unknown(void **state)
{
	(void)state;
	const uint8_t p[] = {99, 1, 2, 3, 4, 53, 0, 0, 0, 1, 160, 50, 0, 0, 0, 1};
	struct termios t = blank();
	assert_int_equal(ttymodes_decode(&t, p, sizeof p), 0);
	assert_int_equal(t.c_lflag, ECHO);
}

static void
test_end(void **state)
{
	(void)state;
	const uint8_t p[] = {53, 0, 0, 0, 1, 0, 50, 0, 0, 0, 1};
	struct termios t = blank();
	assert_int_equal(ttymodes_decode(&t, p, sizeof p), 0);
	assert_int_equal(t.c_lflag, ECHO);
	assert_int_equal(ttymodes_decode(&t, p, 0), 0);
}

static void
test_truncated(void **state)
{
	(void)state;
	const uint8_t p[] = {53, 0, 0, 0, 1, 50, 0, 0};
	struct termios t = blank();
	assert_int_equal(ttymodes_decode(&t, p, sizeof p), QERR_TRUNC);
	assert_int_equal(t.c_lflag, ECHO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_characters),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_speeds),
	    cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_end),
	    cmocka_unit_test(test_truncated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
