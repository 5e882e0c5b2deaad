/* Redundant datagrams of a peer that makes its own: before it is let in, beyond its credit, beyond an end,
 * malformed, with other bytes than its stream's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "quic/user/conn_int.h"
#include "tests/unit/quic_raw.h"

struct app {
	struct rawpair r;
	struct tp_stream *s;
	char got[256];
	size_t n;
	bool fin, hold, reset, closed;
	struct tp_close why;
};

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct app *a = arg;

	(void)s;
	if (a->hold)
		return 0;
	assert_false(a->fin);
	assert_true(a->n + n < sizeof(a->got));
	memcpy(a->got + a->n, p, n);
	a->n += n;
	a->fin = fin;
	return n;
}

static void
on_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	struct app *a = arg;

	(void)s;
	(void)code;
	a->reset = true;
}

static void
on_stream_closed(void *arg, struct tp_stream *s)
{
	struct app *a = arg;

	if (a->s == s)
		a->s = NULL;
}

static const struct tp_stream_ops stream_ops = {
	.data = on_data, .reset = on_reset, .closed = on_stream_closed,
};

static void
on_opened(void *arg, struct tp_stream *s)
{
	struct app *a = arg;

	a->s = s;
	tp_stream_set_ops(s, &stream_ops, a);
}

static void
on_dgram(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	fail_msg("flow 0 is the transport's own");
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct app *a = arg;

	a->closed = true;
	a->why = *why;
}

static const struct tp_conn_ops conn_ops = {
	.stream_opened = on_opened, .datagram = on_dgram, .closed = on_closed,
};

static struct app *
app_new(bool let_in)
{
	struct app *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	raw_server_init(&a->r, QUIC_ALPN);
	tp_conn_set_ops(a->r.c, &conn_ops, a);
	raw_run(&a->r, 6);
	if (let_in)
		tp_conn_set_window(a->r.c, 1);
	return a;
}

static void
app_free(struct app *a)
{
	raw_free(&a->r);
	free(a);
}

static void
deliver(struct app *a, struct buf *b)
{
	raw_inject(&a->r, buf_data(b), buf_len(b));
	a->r.now += NS_PER_MS;
	raw_deliver(&a->r);
	buf_free(b);
}

/* The client's first unidirectional stream. */
#define ID 2

static void
stream(struct app *a, uint64_t off, const char *text, bool fin)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_put_varint(&b, fin ? 0x0f : 0x0e);
	buf_put_varint(&b, ID);
	buf_put_varint(&b, off);
	buf_put_cstr(&b, text);
	deliver(a, &b);
}

static void
repeat(struct app *a, uint64_t id, uint64_t off, const char *text)
{
	struct buf b;
	uint8_t hdr[REDUN_HDR_MAX];
	size_t n = redun_header(hdr, id, off);

	buf_init(&b, 4096);
	buf_put_varint(&b, 0x31);
	buf_put_varint(&b, n + strlen(text));
	buf_put(&b, hdr, n);
	buf_put(&b, text, strlen(text));
	deliver(a, &b);
}

static void
reset(struct app *a, uint64_t final_size)
{
	struct buf b;

	buf_init(&b, 64);
	buf_put_varint(&b, 4);
	buf_put_varint(&b, ID);
	buf_put_varint(&b, 0);
	buf_put_varint(&b, final_size);
	deliver(a, &b);
}

static void
expect(const struct app *a, const char *text)
{
	assert_false(a->closed);
	assert_int_equal(a->n, strlen(text));
	assert_memory_equal(a->got, text, a->n);
}

static void
expect_end(const struct app *a, uint64_t code)
{
	assert_true(a->closed);
	assert_int_equal(a->why.by, TP_CLOSED_TRANSPORT);
	assert_false(a->why.remote);
	assert_int_equal(a->why.code, code);
}

static void
test_early(void **state)
{
	struct app *a = app_new(true);
	struct tp_stats st;
	uint64_t limit;

	(void)state;
	stream(a, 0, "ab", false);
	limit = a->r.c->rx_limit;
	repeat(a, ID, 1, "bcd");
	expect(a, "abcd");
	repeat(a, ID, 0, "abcdef");
	expect(a, "abcdef");
	assert_int_equal(a->r.c->rx_limit, limit); /* credit comes with the stream's own bytes, ... */
	stream(a, 2, "cd", false);
	expect(a, "abcdef");
	assert_int_equal(a->r.c->rx_limit, limit + 2);
	stream(a, 4, "XYgh", true); /* ... of which those are given that are new */
	expect(a, "abcdefgh");
	assert_true(a->fin);
	assert_int_equal(a->r.c->rx_limit, limit + 6);
	repeat(a, ID, 8, "more");
	expect(a, "abcdefgh");
	tp_conn_stats(a->r.c, &st);
	assert_int_equal(st.repeats_used, 4);
	app_free(a);
}

/* Out of order, of streams that are not known or not the peer's to write to: nothing happens. */
static void
test_ignored(void **state)
{
	struct app *a = app_new(true);

	(void)state;
	repeat(a, ID, 0, "ab");
	assert_null(a->s);
	stream(a, 0, "ab", false);
	repeat(a, ID, 3, "d");
	repeat(a, 3, 0, "d");
	repeat(a, 4000, 0, "d");
	expect(a, "ab");
	stream(a, 3, "d", false);
	repeat(a, ID, 2, "c");
	stream(a, 2, "c", false);
	expect(a, "abcd");
	app_free(a);
}

/* A stream that only we write to brings nothing. */
static void
test_ours(void **state)
{
	struct app *a = app_new(true);
	struct tp_stream *s;

	(void)state;
	assert_int_equal(tp_stream_open(a->r.c, true, &stream_ops, a, TP_PRIO_INTERACTIVE, &s), 0);
	assert_int_equal(tp_stream_id(s), 3);
	repeat(a, 3, 0, "d");
	expect(a, "");
	app_free(a);
}

/* Who is not let in yet gains nothing by it. */
static void
test_not_let_in(void **state)
{
	struct app *a = app_new(false);

	(void)state;
	stream(a, 0, "ab", false);
	repeat(a, ID, 2, "cd");
	expect(a, "ab");
	tp_conn_set_window(a->r.c, 1);
	repeat(a, ID, 2, "cd");
	expect(a, "abcd");
	app_free(a);
}

static void
test_credit(void **state)
{
	struct app *a = app_new(true);

	(void)state;
	stream(a, 0, "ab", false);
	a->s->rx_limit = 5;
	repeat(a, ID, 2, "cdef");
	expect(a, "ab");
	repeat(a, ID, 2, "cde");
	expect(a, "abcde");
	a->s->rx_limit = 100;
	a->r.c->rx_limit = a->r.c->rx_merged + 2;
	repeat(a, ID, 5, "fgh");
	expect(a, "abcde");
	repeat(a, ID, 5, "fg");
	expect(a, "abcdefg");
	repeat(a, ID, 7, "h"); /* what came early has used it up */
	expect(a, "abcdefg");
	app_free(a);
}

/* What nobody takes is kept, in order, and costs the peer its credit. */
static void
test_held(void **state)
{
	struct app *a = app_new(true);
	uint64_t limit;

	(void)state;
	a->hold = true;
	limit = a->r.c->rx_limit;
	stream(a, 0, "ab", false);
	repeat(a, ID, 2, "cd");
	stream(a, 2, "cdef", true);
	assert_int_equal(a->r.c->rx_limit, limit);
	repeat(a, ID, 6, "gh"); /* there is nothing behind the end */
	a->hold = false;
	tp_stream_resume(a->s);
	repeat(a, ID, 0, "x");
	expect(a, "abcdef");
	assert_true(a->fin);
	assert_int_equal(a->r.c->rx_limit, limit + 6);
	app_free(a);
}

static void
test_stopped(void **state)
{
	struct app *a = app_new(true);
	uint64_t limit;

	(void)state;
	stream(a, 0, "ab", false);
	a->hold = true;
	repeat(a, ID, 2, "cd");
	limit = a->r.c->rx_limit;
	tp_stream_stop(a->s, TP_E_CANCELLED);
	a->hold = false;
	repeat(a, ID, 4, "ef");
	expect(a, "ab");
	assert_int_equal(a->r.c->rx_limit, limit);
	app_free(a);
}

/* An end before what a datagram has already brought. */
static void
test_final_size(void **state)
{
	struct app *a = app_new(true);

	(void)state;
	stream(a, 0, "ab", false);
	repeat(a, ID, 2, "cd");
	stream(a, 2, "c", true);
	expect_end(a, NGTCP2_FINAL_SIZE_ERROR);
	app_free(a);

	a = app_new(true);
	stream(a, 0, "ab", false);
	repeat(a, ID, 2, "cd");
	reset(a, 3);
	expect_end(a, NGTCP2_FINAL_SIZE_ERROR);
	assert_false(a->reset);
	app_free(a);

	a = app_new(true);
	stream(a, 0, "ab", false);
	repeat(a, ID, 2, "cd");
	reset(a, 4);
	expect(a, "abcd");
	assert_true(a->reset);
	app_free(a);
}

static void
test_malformed(void **state)
{
	static const char *const bad[] = {"\x31\x01\x00", "\x31\x02\x00\x02", "\x31\x03\x00\x02\x00",
	    "\x31\x03\x00\x02\x40"};
	static const size_t len[] = {3, 4, 5, 5};
	struct app *a;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		a = app_new(true);
		buf_init(&b, 64);
		buf_put(&b, bad[i], len[i]);
		deliver(a, &b);
		expect_end(a, NGTCP2_PROTOCOL_VIOLATION);
		app_free(a);
	}
}

/* What names no flow is for nobody: neither for the layer above nor a mistake. */
static void
test_empty(void **state)
{
	static const char *const empty[] = {"\x30", "\x31\x00", "\x31\x00\x01\x31\x00"};
	static const size_t len[] = {1, 2, 5};
	struct app *a = app_new(true);
	struct buf b;

	(void)state;
	stream(a, 0, "ab", false);
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		buf_init(&b, 64);
		buf_put(&b, empty[i], len[i]);
		deliver(a, &b);
		expect(a, "ab");
	}
	repeat(a, ID, 2, "cd");
	expect(a, "abcd");
	app_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_not_let_in),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_final_size),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
