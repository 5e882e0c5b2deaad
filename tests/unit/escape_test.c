/* Escape keys and terminal modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <termios.h>
#include <unistd.h>

#include "client/escape.h"
#include "client/ttymodes.h"

/* Types keys; what goes on is put into out, the actions' numbers as letters into actions. */
static void
type(int key, const char *keys, char *out, char *actions)
{
	struct escape e;

	escape_init(&e, key);
	for (; *keys; keys++) {
		uint8_t o[2];
		size_t n;
		enum escape_action a = escape_step(&e, (uint8_t)*keys, o, &n);

		assert_true(n <= 2);
		for (size_t i = 0; i < n; i++)
			*out++ = (char)o[i];
		if (a != ESCAPE_NONE) {
			assert_int_equal(n, 0);
			*actions++ = (char)('a' + (char)a);
		}
	}
	*out = 0;
	*actions = 0;
}

#define A(x) ((char)('a' + (char)(ESCAPE_##x)))

static void
keys(void **state)
{
	static const struct {
		int key;
		const char *typed, *sent;
		char actions[4];
	} cases[] = {
		{'~', "ls\r", "ls\r", ""},
		{'~', "~.", "", {A(DISCONNECT)}},
		{'~', "x~.", "x~.", ""},
		{'~', "x\r~.", "x\r", {A(DISCONNECT)}},
		{'~', "x\n~.", "x\n", {A(DISCONNECT)}},
		{'~', "~~.", "~.", ""},
		{'~', "~~\r~?", "~\r", {A(HELP)}},
		{'~', "~x", "~x", ""},
		{'~', "~\r~.", "~\r", {A(DISCONNECT)}},
		{'~', "~?~#~s", "", {A(HELP), A(LIST), A(STATUS)}},
		{'~', "~B~v~V", "", {A(BREAK), A(LOUDER), A(QUIETER)}},
		{'~', "~\x1a", "", {A(SUSPEND)}},
		{'~', "~&", "", {A(BACKGROUND)}},
		{'~', "~C", "", {A(COMMAND)}},
		{'~', "~R", "~R", ""},
		{'%', "%.", "", {A(DISCONNECT)}},
		{'%', "~.", "~.", ""},
		{1, "\001.", "", {A(DISCONNECT)}},
		{'.', "..", ".", ""},         /* the character itself comes first */
		{-1, "~.\r~.", "~.\r~.", ""},
		{'~', "\303\266\r~~\377", "\303\266\r~\377", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64], actions[16];

		type(cases[i].key, cases[i].typed, out, actions);
		assert_string_equal(out, cases[i].sent);
		assert_string_equal(actions, cases[i].actions);
	}
}

static void
the_help_names_every_key(void **state)
{
	struct buf b;
	char name[5];

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(escape_help(&b, 1), 0);
	buf_put_u8(&b, 0);
	for (const char *k = ".BCVv#&s?"; *k; k++) {
		char want[8];

		snprintf(want, sizeof(want), " ^A%c ", *k);
		assert_non_null(strstr((const char *)buf_data(&b), want));
	}
	assert_non_null(strstr((const char *)buf_data(&b), " ^A^Z "));
	assert_non_null(strstr((const char *)buf_data(&b), " ^A^A "));
	buf_free(&b);
	assert_string_equal(escape_name('~', name), "~");
	assert_string_equal(escape_name(0x7f, name), "^?");
	assert_string_equal(escape_name(0xe4, name), "\\344");
}

static uint32_t
value(const struct buf *b, unsigned op)
{
	const uint8_t *p = buf_data(b);

	for (size_t i = 0; i + 5 <= buf_len(b); i += 5)
		if (p[i] == op)
			return (uint32_t)p[i + 1] << 24 | (uint32_t)p[i + 2] << 16 |
			    (uint32_t)p[i + 3] << 8 | p[i + 4];
	fail_msg("no opcode %u", op);
	return 0;
}

/* Opcodes as RFC 4254 section 8 has them. */
static void
modes(void **state)
{
	struct termios t = {0};
	struct buf b;

	(void)state;
	t.c_cc[VINTR] = 3;
	t.c_cc[VERASE] = 0x7f;
	t.c_cc[VEOL] = (cc_t)_POSIX_VDISABLE;
	t.c_iflag = ICRNL | IUTF8;
	t.c_oflag = OPOST | ONLCR;
	t.c_lflag = ECHO | ICANON;
	t.c_cflag = CS8 | PARENB;
	cfsetispeed(&t, B38400);
	cfsetospeed(&t, B115200);
	buf_init(&b, 4096);
	assert_int_equal(ttymodes_put(&b, &t), 0);
	assert_int_equal(buf_len(&b) % 5, 1);
	assert_int_equal(buf_data(&b)[buf_len(&b) - 1], 0);
	assert_int_equal(value(&b, 1), 3);
	assert_int_equal(value(&b, 3), 0x7f);
	assert_int_equal(value(&b, 6), 255);
	assert_int_equal(value(&b, 36), 1);
	assert_int_equal(value(&b, 42), 1);
	assert_int_equal(value(&b, 38), 0);
	assert_int_equal(value(&b, 50), 0);
	assert_int_equal(value(&b, 51), 1);
	assert_int_equal(value(&b, 53), 1);
	assert_int_equal(value(&b, 70), 1);
	assert_int_equal(value(&b, 72), 1);
	assert_int_equal(value(&b, 90), 0); /* CS8 contains CS7's bit */
	assert_int_equal(value(&b, 91), 1);
	assert_int_equal(value(&b, 92), 1);
	assert_int_equal(value(&b, 93), 0);
	assert_int_equal(value(&b, 129), 115200);
	buf_free(&b);
}

static void
no_terminal_no_modes(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 16);
	assert_int_equal(ttymodes_put(&b, NULL), 0);
	assert_int_equal(buf_len(&b), 1);
	assert_memory_equal(buf_data(&b), "", 1);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(the_help_names_every_key),
		cmocka_unit_test(modes),
		cmocka_unit_test(no_terminal_no_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
