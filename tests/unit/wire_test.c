#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/wire/wire.h"

/* Every message: an example, its bytes, and a comparison after decoding. */

#define B(s) {(const uint8_t *)(s), sizeof(s) - 1}

static struct bytes
lit(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static void
same(struct bytes b, const char *s)
{
	assert_int_equal(b.n, strlen(s));
	if (b.n > 0)
		assert_memory_equal(b.p, s, b.n);
}

static char *
str(const char *s)
{
	char *p;

	memcpy(&p, &s, sizeof(p)); /* encoders do not write there */
	return p;
}

typedef void make_fn(struct buf *b);
typedef int get_fn(struct rd *r);

#define GETTER(name, ...) \
	static int get_##name(struct rd *r) \
	{ \
		struct wire_##name m; \
		int err = wire_get_##name(r, &m); \
		if (err == 0) { \
			__VA_ARGS__ \
		} \
		wire_free_##name(&m); \
		return err; \
	}

static void
put_settings(struct buf *b)
{
	wire_put_settings(b, &(struct wire_settings){str("qsh_0.1"), 10, 64});
}
GETTER(settings, assert_string_equal(m.version, "qsh_0.1"); assert_int_equal(m.max_sessions, 10);
    assert_int_equal(m.flags, 64);)

static void
put_auth_none(struct buf *b)
{
	wire_put_auth_request(b, &(struct wire_auth_request){str("u"), str("s"), str("none"),
	    B("not sent"), true, B("not sent")});
}
static void
put_auth_probe(struct buf *b)
{
	wire_put_auth_request(b, &(struct wire_auth_request){str("u"), str("s"),
	    str("publickey"), B("key"), false, B("not sent")});
}
static void
put_auth_sig(struct buf *b)
{
	wire_put_auth_request(b, &(struct wire_auth_request){str("u"), str("s"),
	    str("publickey"), B("key"), true, B("sig")});
}
GETTER(auth_request, assert_string_equal(m.user, "u"); assert_string_equal(m.service, "s");
    if (strcmp(m.method, "publickey") == 0) {
	    same(m.key, "key");
	    same(m.sig, m.has_sig ? "sig" : "");
    } else {
	    assert_int_equal(m.key.n + m.sig.n, 0);
    })

static void
put_auth_failure(struct buf *b)
{
	wire_put_auth_failure(b, &(struct wire_auth_failure){str("publickey"), true});
}
GETTER(auth_failure, assert_string_equal(m.methods, "publickey"); assert_true(m.partial);)

static void
put_pk_ok(struct buf *b)
{
	wire_put_pk_ok(b, &(struct wire_pk_ok){B("key")});
}
GETTER(pk_ok, same(m.key, "key");)

static void
put_text(struct buf *b)
{
	wire_put_text(b, &(struct wire_text){str("hi\n")});
}
GETTER(text, assert_string_equal(m.text, "hi\n");)

static void
put_open(struct buf *b)
{
	wire_put_open(b, &(struct wire_open){str("session")});
}
GETTER(open, assert_string_equal(m.type, "session");)

static void
put_pty(struct buf *b)
{
	wire_put_pty(b, &(struct wire_pty){str("xterm"), 80, 24, 640, 70000, B("\1\0\0\0\0")});
}
GETTER(pty, assert_string_equal(m.term, "xterm"); assert_int_equal(m.cols, 80);
    assert_int_equal(m.rows, 24); assert_int_equal(m.xpixel, 640);
    assert_int_equal(m.ypixel, 70000); assert_int_equal(m.modes.n, 5);)

static void
put_env(struct buf *b)
{
	wire_put_env(b, &(struct wire_env){str("LANG"), str("a=b")});
}
GETTER(env, assert_string_equal(m.name, "LANG"); assert_string_equal(m.value, "a=b");)

static void
put_start_exec(struct buf *b)
{
	wire_put_start(b, &(struct wire_start){WIRE_START_EXEC, str("true")});
}
static void
put_start_shell(struct buf *b)
{
	wire_put_start(b, &(struct wire_start){WIRE_START_SHELL, NULL});
}
GETTER(start, assert_string_equal(m.command, m.kind == WIRE_START_EXEC ? "true" : "");)

static void
put_window(struct buf *b)
{
	wire_put_window(b, &(struct wire_window){132, 50, 1, 2});
}
GETTER(window, assert_int_equal(m.cols, 132); assert_int_equal(m.rows, 50);
    assert_int_equal(m.xpixel, 1); assert_int_equal(m.ypixel, 2);)

static void
put_signal(struct buf *b)
{
	wire_put_signal(b, &(struct wire_signal){str("INT")});
}
GETTER(signal, assert_string_equal(m.name, "INT");)

static void
put_break(struct buf *b)
{
	wire_put_break(b, &(struct wire_break){500});
}
GETTER(break, assert_int_equal(m.ms, 500);)

static void
put_started(struct buf *b)
{
	wire_put_started(b, &(struct wire_started){true});
}
GETTER(started, assert_true(m.pty);)

static void
put_failure(struct buf *b)
{
	wire_put_failure(b, &(struct wire_failure){WIRE_PTY, str("no")});
}
GETTER(failure, assert_int_equal(m.request, WIRE_PTY); assert_string_equal(m.reason, "no");)

static void
put_exit_status(struct buf *b)
{
	wire_put_exit_status(b, &(struct wire_exit_status){7});
}
GETTER(exit_status, assert_int_equal(m.status, 7);)

static void
put_exit_signal(struct buf *b)
{
	wire_put_exit_signal(b, &(struct wire_exit_signal){str("SEGV"), true, str("bad")});
}
GETTER(exit_signal, assert_string_equal(m.name, "SEGV"); assert_true(m.core);
    assert_string_equal(m.text, "bad");)

static const struct {
	make_fn *put;
	get_fn *get;
	struct bytes bytes;
} messages[] = {
	{put_settings, get_settings, B("\7qsh_0.1\12\100\100")},
	{put_auth_none, get_auth_request, B("\1u\1s\4none")},
	{put_auth_probe, get_auth_request, B("\1u\1s\11publickey\3key\0")},
	{put_auth_sig, get_auth_request, B("\1u\1s\11publickey\3key\1\3sig")},
	{put_auth_failure, get_auth_failure, B("\11publickey\1")},
	{put_pk_ok, get_pk_ok, B("\3key")},
	{put_text, get_text, B("\3hi\n")},
	{put_open, get_open, B("\7session")},
	{put_pty, get_pty, B("\5xterm\x40\x50\x18\x42\x80\x80\1\x11\x70\5\1\0\0\0\0")},
	{put_env, get_env, B("\4LANG\3a=b")},
	{put_start_exec, get_start, B("\1\4true")},
	{put_start_shell, get_start, B("\0\0")},
	{put_window, get_window, B("\x40\x84\x32\1\2")},
	{put_signal, get_signal, B("\3INT")},
	{put_break, get_break, B("\x41\xf4")},
	{put_started, get_started, B("\1")},
	{put_failure, get_failure, B("\x40\x42\2no")},
	{put_exit_status, get_exit_status, B("\7")},
	{put_exit_signal, get_exit_signal, B("\4SEGV\1\3bad")},
};
#define N_MESSAGES (sizeof(messages) / sizeof(messages[0]))

static void
messages_have_their_bytes(void **state)
{
	struct buf b;
	struct rd r;

	(void)state;
	for (size_t i = 0; i < N_MESSAGES; i++) {
		buf_init(&b, 1000);
		messages[i].put(&b);
		assert_int_equal(b.err, 0);
		assert_int_equal(buf_len(&b), messages[i].bytes.n);
		assert_memory_equal(buf_data(&b), messages[i].bytes.p, messages[i].bytes.n);
		rd_init(&r, buf_data(&b), buf_len(&b));
		assert_int_equal(messages[i].get(&r), 0);
		buf_free(&b);
	}
}

/* In a copy of the exact size, so that reading past the end is seen. */
static int
get_copy(get_fn *get, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	struct rd r;
	int err;

	assert_non_null(copy);
	memcpy(copy, p, n);
	rd_init(&r, copy, n);
	err = get(&r);
	free(copy);
	return err;
}

static void
truncated_and_overlong_bodies_are_refused(void **state)
{
	uint8_t longer[200];

	(void)state;
	for (size_t i = 0; i < N_MESSAGES; i++) {
		struct bytes b = messages[i].bytes;

		for (size_t n = 0; n < b.n; n++)
			assert_int_equal(get_copy(messages[i].get, b.p, n), QERR_TRUNC);
		memcpy(longer, b.p, b.n);
		longer[b.n] = 0;
		assert_int_equal(get_copy(messages[i].get, longer, b.n + 1), QERR_FORMAT);
	}
}

static const struct {
	get_fn *get;
	struct bytes bytes;
	int err;
} malformed[] = {
	{get_auth_failure, B("\11publickey\2"), QERR_FORMAT},       /* no truth value */
	{get_started, B("\377"), QERR_FORMAT},
	{get_auth_request, B("\1u\1s\11publickey\3key\2\3sig"), QERR_FORMAT},
	{get_text, B("\3a\0b"), QERR_FORMAT},                         /* zero byte in a text */
	{get_open, B("\1\0"), QERR_FORMAT},
	{get_env, B("\0\1v"), QERR_FORMAT},                           /* no name */
	{get_env, B("\3A=B\1v"), QERR_FORMAT},                        /* two names */
	{get_start, B("\0\1x"), QERR_TOOBIG},                         /* a shell with a command */
	{get_start, B("\2\x41\0"), QERR_TOOBIG},                      /* subsystem's name */
	{get_exit_status, B("\xc0\0\0\1\0\0\0\0"), QERR_TOOBIG},      /* 2^32 */
	{get_break, B("\xff\xff\xff\xff\xff\xff\xff\xff"), QERR_TOOBIG},
	{get_text, B("\xff\xff\xff\xff\xff\xff\xff\xff"), QERR_TOOBIG}, /* lengths */
	{get_open, B("\x41\0"), QERR_TOOBIG},
	{get_pk_ok, B("\x80\0\x40\1"), QERR_TOOBIG},
};

static void
malformed_bodies_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		assert_int_equal(get_copy(malformed[i].get, malformed[i].bytes.p,
		    malformed[i].bytes.n), malformed[i].err);
}

static void
unknown_method_is_read_by_name(void **state)
{
	static const struct bytes b = B("\1u\1s\10passwordwhatever follows");
	struct wire_auth_request m;
	struct rd r;

	(void)state;
	rd_init(&r, b.p, b.n);
	assert_int_equal(wire_get_auth_request(&r, &m), 0);
	assert_string_equal(m.method, "password");
	wire_free_auth_request(&m);
	assert_null(m.method);
}

static void
unknown_start_kind_is_passed_on(void **state)
{
	static const struct bytes b = B("\5\3abc");
	struct wire_start m;
	struct rd r;

	(void)state;
	rd_init(&r, b.p, b.n);
	assert_int_equal(wire_get_start(&r, &m), 0);
	assert_int_equal(m.kind, 5);
	wire_free_start(&m);
}

static char *
text_of(size_t n)
{
	char *s = malloc(n + 1);

	assert_non_null(s);
	memset(s, 'x', n);
	s[n] = '\0';
	return s;
}

static int
start_of(size_t n, uint64_t kind)
{
	struct wire_start m = {kind, text_of(n)}, got;
	struct buf b;
	struct rd r;
	int err;

	buf_init(&b, 1 << 20);
	err = wire_put_start(&b, &m);
	if (err == 0) {
		rd_init(&r, buf_data(&b), buf_len(&b));
		assert_int_equal(wire_get_start(&r, &got), 0);
		assert_string_equal(got.command, m.command);
		assert_true(buf_len(&b) <= WIRE_BODY_MAX);
		wire_free_start(&got);
	}
	buf_free(&b);
	wire_free_start(&m);
	return err;
}

static void
limits_hold_on_both_sides(void **state)
{
	struct wire_env env = {NULL, NULL};
	struct buf b;

	(void)state;
	assert_int_equal(start_of(WIRE_COMMAND_MAX, WIRE_START_EXEC), 0);
	assert_int_equal(start_of(WIRE_COMMAND_MAX + 1, WIRE_START_EXEC), QERR_TOOBIG);
	assert_int_equal(start_of(WIRE_NAME_MAX, WIRE_START_SUBSYSTEM), 0);
	assert_int_equal(start_of(WIRE_NAME_MAX + 1, WIRE_START_SUBSYSTEM), QERR_TOOBIG);
	buf_init(&b, 1000);
	assert_int_equal(wire_put_env(&b, &env), QERR_INVAL);
	buf_reset(&b);
	env.name = str("A=B");
	assert_int_equal(wire_put_env(&b, &env), QERR_INVAL);
	buf_free(&b);
}

static void
message_is_type_length_body(void **state)
{
	struct buf b, body;

	(void)state;
	buf_init(&b, 1000);
	buf_init(&body, 1000);
	buf_put(&body, "abc", 3);
	assert_int_equal(wire_put_msg(&b, WIRE_OPEN, &body), 0);
	assert_int_equal(wire_put_msg(&b, WIRE_AUTH_OK, NULL), 0);
	assert_int_equal(buf_len(&b), 8);
	assert_memory_equal(buf_data(&b), "\x40\x40\3abc\x20\0", 8);
	body.err = QERR_NOMEM;
	assert_int_equal(wire_put_msg(&b, WIRE_OPEN, &body), QERR_NOMEM);
	buf_free(&b);
	buf_free(&body);
	assert_string_equal(wire_type_name(WIRE_EXIT_SIGNAL), "EXIT_SIGNAL");
	assert_string_equal(wire_type_name(9999), "unknown");
}

static void
auth_message_has_its_fields(void **state)
{
	uint8_t exporter[WIRE_EXPORTER_LEN];
	struct buf b;

	(void)state;
	memset(exporter, 'e', sizeof(exporter));
	buf_init(&b, 1000);
	assert_int_equal(wire_put_auth_message(&b, exporter, lit("hostkey"), "user",
	    WIRE_SERVICE, "publickey", lit("userkey")), 0);
	assert_int_equal(buf_len(&b), 6 + 33 + 8 + 5 + 15 + 10 + 8);
	assert_memory_equal(buf_data(&b), "\5qsh/1\x20" "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	    "\7hostkey\4user\16qsh-connection\11publickey\7userkey", buf_len(&b));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_have_their_bytes),
		cmocka_unit_test(truncated_and_overlong_bodies_are_refused),
		cmocka_unit_test(malformed_bodies_are_refused),
		cmocka_unit_test(unknown_method_is_read_by_name),
		cmocka_unit_test(unknown_start_kind_is_passed_on),
		cmocka_unit_test(limits_hold_on_both_sides),
		cmocka_unit_test(message_is_type_length_body),
		cmocka_unit_test(auth_message_has_its_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
