#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/err.h"
#include "common/chan/msgstream.h"
#include "tests/unit/fake_transport.h"
#include "tests/unit/loop.h"

#define T_ECHO  0x40
#define T_LATER 0x42
#define T_BAD   0x44
#define T_PHASE 0x46
#define T_FREE  0x48
#define T_OTHER 0x41 /* known, optional */

struct fixture {
	struct ev *ev;
	struct tp_conn *client, *server;
	struct tp_stream *s;   /* the client's raw end */
	struct msgstream *ms;  /* the server's */
	struct buf seen;       /* types and bodies, one after the other */
	int count, later_calls;
	bool refuse, zero_copy;
	const uint8_t *chunk;  /* what the stream offered last */
	int eofs, fails, closes;
	uint64_t fail_code;
	struct tp_close why;   /* at the client */
	bool client_closed;
	struct buf back;       /* what the client got */
	bool back_fin, back_stopped, back_reset;
	bool take_back;
};

static int
note(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct fixture *f = ctx;

	(void)ms;
	f->count++;
	assert_int_equal(buf_put(&f->seen, body->p, body->n), 0);
	assert_int_equal(buf_put_u8(&f->seen, '|'), 0);
	return 0;
}

static int
later(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct fixture *f = ctx;

	f->later_calls++;
	return f->refuse ? QERR_AGAIN : note(ctx, ms, body);
}

static int
bad(void *ctx, struct msgstream *ms, struct rd *body)
{
	(void)ctx;
	(void)ms;
	(void)rd_str(body, 3);
	return body->err;
}

static int
free_it(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct fixture *f = ctx;

	(void)body;
	assert_ptr_equal(ms, f->ms);
	msgstream_free(&f->ms);
	return 0;
}

static const struct msg_row rows[] = {
	{T_ECHO, "ECHO", 3, note},
	{T_LATER, "LATER", 1, later},
	{T_BAD, "BAD", 1, bad},
	{T_PHASE, "PHASE", 2, note},
	{T_FREE, "FREE", 1, free_it},
	{T_OTHER, "OTHER", 1, note},
};

static void
on_eof(void *ctx, struct msgstream *ms)
{
	(void)ms;
	((struct fixture *)ctx)->eofs++;
}

static void
on_failed(void *ctx, struct msgstream *ms, uint64_t code)
{
	struct fixture *f = ctx;

	(void)ms;
	f->fails++;
	f->fail_code = code;
}

static void
on_closed(void *ctx, struct msgstream *ms)
{
	struct fixture *f = ctx;

	(void)ms;
	f->closes++;
	msgstream_free(&f->ms);
}

static const struct msgstream_ops ops = {
	.eof = on_eof,
	.failed = on_failed,
	.closed = on_closed,
};

static void
on_opened(void *arg, struct tp_stream *s)
{
	struct fixture *f = arg;

	assert_int_equal(msgstream_new(&f->ms, s, rows, sizeof(rows) / sizeof(rows[0]), 1000,
	    &ops, f), 0);
}

static size_t
back_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct fixture *f = arg;

	(void)s;
	if (!f->take_back)
		return 0;
	assert_int_equal(buf_put(&f->back, p, n), 0);
	f->back_fin = fin;
	return n;
}

static void
back_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s;
	(void)code;
	((struct fixture *)arg)->back_stopped = true;
}

static void
back_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)s;
	(void)code;
	((struct fixture *)arg)->back_reset = true;
}

static const struct tp_stream_ops back_ops = {
	.data = back_data,
	.stopped = back_stopped,
	.reset = back_reset,
};

static void
client_closed(void *arg, const struct tp_close *why)
{
	struct fixture *f = arg;

	f->client_closed = true;
	f->why = *why;
}

static const struct tp_conn_ops server_ops = {
	.stream_opened = on_opened,
};
static const struct tp_conn_ops client_ops = {
	.closed = client_closed,
};

static struct fixture *
start(size_t segment)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fake_limits l;

	assert_non_null(f);
	fake_limits_default(&l);
	l.segment = segment;
	assert_int_equal(ev_new_virtual(&f->ev, 1), 0);
	assert_int_equal(fake_pair(f->ev, &l, &l, &f->client, &f->server), 0);
	tp_conn_set_ops(f->client, &client_ops, f);
	tp_conn_set_ops(f->server, &server_ops, f);
	buf_init(&f->seen, 1 << 20);
	buf_init(&f->back, 4 << 20);
	f->take_back = true;
	assert_int_equal(tp_stream_open(f->client, false, &back_ops, f, TP_PRIO_CONTROL, &f->s), 0);
	return f;
}

static int
setup(void **state)
{
	*state = start(1000);
	return 0;
}

static int
setup_bytes(void **state)
{
	*state = start(1);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	msgstream_free(&f->ms);
	tp_conn_free(&f->client);
	tp_conn_free(&f->server);
	ev_free(&f->ev);
	buf_free(&f->seen);
	buf_free(&f->back);
	free(f);
	return 0;
}

static void
run(struct fixture *f)
{
	assert_int_equal(ev_run(f->ev), 0);
}

static void
send_raw(struct fixture *f, const void *p, size_t n)
{
	assert_int_equal(tp_stream_write(f->s, p, n), (int)n);
}

static void
send_msg(struct fixture *f, uint64_t type, const char *body)
{
	struct buf b, m;

	buf_init(&b, 2000);
	buf_init(&m, 2000);
	assert_int_equal(buf_put(&b, body, strlen(body)), 0);
	assert_int_equal(wire_put_msg(&m, type, &b), 0);
	send_raw(f, buf_data(&m), buf_len(&m));
	buf_free(&b);
	buf_free(&m);
}

static void
assert_seen(struct fixture *f, const char *what)
{
	assert_int_equal(buf_len(&f->seen), strlen(what));
	assert_memory_equal(buf_data(&f->seen), what, strlen(what));
}

static void
assert_closed(struct fixture *f, uint64_t code, const char *reason)
{
	run(f);
	assert_true(f->client_closed);
	assert_int_equal(f->why.by, TP_CLOSED_APP);
	assert_int_equal(f->why.code, code);
	assert_string_equal(f->why.reason, reason);
}

static void
hands_on_every_message(void **state)
{
	struct fixture *f = *state;
	char big[800];

	memset(big, 'b', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	send_msg(f, T_ECHO, "one");
	send_msg(f, T_OTHER, "");
	send_msg(f, T_ECHO, big);
	send_msg(f, T_ECHO, "three");
	run(f);
	assert_int_equal(f->count, 4);
	assert_int_equal(buf_len(&f->seen), 3 + 0 + 799 + 5 + 4);
	assert_memory_equal(buf_data(&f->seen), "one||bbb", 8);
	tp_stream_fin(f->s);
	run(f);
	assert_int_equal(f->eofs, 1);
	assert_false(f->client_closed);
}

static void
hands_a_refused_one_again(void **state)
{
	struct fixture *f = *state;

	f->refuse = true;
	send_msg(f, T_ECHO, "1");
	send_msg(f, T_LATER, "2");
	send_msg(f, T_ECHO, "3");
	tp_stream_fin(f->s);
	run(f);
	assert_seen(f, "1|");
	assert_int_equal(f->later_calls, 1);
	assert_true(fake_kept(f->server) > 0); /* no credit for what waits */
	msgstream_resume(f->ms);
	run(f);
	assert_int_equal(f->later_calls, 2);
	assert_seen(f, "1|");
	f->refuse = false;
	msgstream_resume(f->ms);
	assert_seen(f, "1|"); /* from the loop only */
	run(f);
	assert_seen(f, "1|2|3|");
	assert_int_equal(f->eofs, 1);
}

static void
holds(void **state)
{
	struct fixture *f = *state;

	send_msg(f, T_ECHO, "1");
	run(f);
	msgstream_hold(f->ms);
	tp_stream_fin(f->s);
	run(f);
	assert_int_equal(f->eofs, 0);
	msgstream_resume(f->ms);
	run(f);
	assert_int_equal(f->eofs, 1);
}

static void
holds_data(void **state)
{
	struct fixture *f = *state;

	send_msg(f, T_ECHO, "1");
	run(f);
	msgstream_hold(f->ms);
	send_msg(f, T_ECHO, "2");
	tp_stream_fin(f->s);
	run(f);
	assert_seen(f, "1|");
	msgstream_resume(f->ms);
	run(f);
	assert_seen(f, "1|2|");
	assert_int_equal(f->eofs, 1);
}

static void
feeds_first(void **state)
{
	struct fixture *f = *state;
	static const uint8_t two[] = {0x40, T_ECHO, 1, '0', 0x40, T_LATER, 2, 'a'};

	send_msg(f, T_ECHO, "x");
	run(f);
	f->refuse = true;
	assert_int_equal(msgstream_feed(f->ms, two, sizeof(two)), 0);
	assert_int_equal(msgstream_feed(f->ms, "b", 1), 0);
	send_msg(f, T_ECHO, "y");
	run(f);
	assert_seen(f, "x|0|");
	f->refuse = false;
	msgstream_resume(f->ms);
	run(f);
	assert_seen(f, "x|0|ab|y|");
	assert_int_equal(msgstream_feed(f->ms, two, 4), 0);
	assert_seen(f, "x|0|ab|y|0|");
}

static void
skips_unknown_optional(void **state)
{
	struct fixture *f = *state;

	send_msg(f, 0x1235, "never mind");
	send_msg(f, 0x1235, "");
	send_msg(f, T_ECHO, "1");
	run(f);
	assert_seen(f, "1|");
	assert_false(f->client_closed);
}

static void
skips_not_too_much(void **state)
{
	struct fixture *f = *state;
	static const uint8_t m[] = {0x41, 0x01, 0x80, 0x10, 0, 0};

	send_raw(f, m, sizeof(m));
	assert_closed(f, TP_E_LIMIT, "message of unknown type 257: too large");
}

static void
refuses_unknown_critical(void **state)
{
	struct fixture *f = *state;

	send_msg(f, 0x1234, "do this");
	assert_closed(f, TP_E_UNKNOWN, "unknown message type 4660");
}

static void
refuses_malformed(void **state)
{
	struct fixture *f = *state;

	send_msg(f, T_BAD, "\x02x");
	assert_closed(f, TP_E_PROTOCOL, "BAD message: message is truncated");
}

static void
refuses_out_of_phase(void **state)
{
	struct fixture *f = *state;

	send_msg(f, T_PHASE, "x");
	run(f);
	assert_int_equal(f->count, 0);
	assert_true(f->client_closed);
	assert_int_equal(f->why.code, TP_E_PROTOCOL);
	assert_memory_equal(f->why.reason, "PHASE message: ", 15);
}

static void
permits_by_phase(void **state)
{
	struct fixture *f = *state;

	send_msg(f, T_ECHO, "1");
	run(f);
	msgstream_set_phase(f->ms, 2);
	send_msg(f, T_PHASE, "2");
	run(f);
	assert_seen(f, "1|2|");
	send_msg(f, T_LATER, "2");
	run(f);
	assert_true(f->client_closed);
}

static void
refuses_oversized(void **state)
{
	struct fixture *f = *state;
	static const uint8_t m[] = {0x40, T_ECHO, 0x43, 0xe9}; /* 1,001 */

	send_raw(f, m, sizeof(m));
	run(f);
	assert_int_equal(f->why.code, TP_E_LIMIT);
	assert_memory_equal(f->why.reason, "ECHO message: ", 14);
}

static void
refuses_a_truncated_end(void **state)
{
	struct fixture *f = *state;

	send_raw(f, "\x40", 1);
	tp_stream_fin(f->s);
	assert_closed(f, TP_E_PROTOCOL, "a stream ends within a message");
}

static void
may_be_freed_by_a_handler(void **state)
{
	struct fixture *f = *state;

	send_msg(f, T_ECHO, "1");
	send_msg(f, T_FREE, "");
	send_msg(f, T_ECHO, "2");
	run(f);
	assert_seen(f, "1|");
	assert_null(f->ms);
	assert_true(f->back_stopped);
	assert_true(f->back_reset);
	assert_false(f->client_closed);
}

static void
reports_reset(void **state)
{
	struct fixture *f = *state;

	send_msg(f, T_ECHO, "1");
	run(f);
	tp_stream_reset(f->s, 77);
	tp_stream_stop(f->s, 78);
	run(f);
	assert_int_equal(f->fails, 1);
	assert_int_equal(f->closes, 1);
}

static void
queues_and_ends(void **state)
{
	struct fixture *f = *state;
	struct buf body;
	int n = 0, r;

	send_msg(f, T_ECHO, "1");
	run(f);
	f->take_back = false;
	buf_init(&body, 1000);
	assert_non_null(buf_reserve(&body, 1000));
	memset(buf_reserve(&body, 1000), 'q', 1000);
	buf_commit(&body, 1000);
	while ((r = msgstream_send(f->ms, T_ECHO, &body)) == 0 && n < 5000)
		n++;
	assert_int_equal(r, QERR_TOOBIG);
	assert_true(n * 1004 <= MSGSTREAM_QUEUE_MAX + 16 * 1024);
	buf_free(&body);
	msgstream_fin(f->ms);
	assert_int_equal(msgstream_send(f->ms, T_ECHO, NULL), QERR_CLOSED);
	run(f);
	f->take_back = true;
	tp_stream_resume(f->s);
	run(f);
	assert_true(f->back_fin);
	assert_int_equal(buf_len(&f->back), n * 1004);
	tp_stream_fin(f->s);
	run(f);
	assert_int_equal(f->closes, 1);
	assert_int_equal(f->fails, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) \
	cmocka_unit_test_setup_teardown(fn, setup, teardown), \
	{ #fn " (byte by byte)", fn, setup_bytes, teardown, NULL }
		T(hands_on_every_message),
		T(hands_a_refused_one_again),
		T(holds),
		T(holds_data),
		T(feeds_first),
		T(skips_unknown_optional),
		T(skips_not_too_much),
		T(refuses_unknown_critical),
		T(refuses_malformed),
		T(refuses_out_of_phase),
		T(permits_by_phase),
		T(refuses_oversized),
		T(refuses_a_truncated_end),
		T(may_be_freed_by_a_handler),
		T(reports_reset),
		T(queues_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
