/* Message framing: what is handed on, and how it ends, must not depend on the pieces in
 * which the bytes come, nor on handlers that want a message later.
 *
 * Input: two bytes that choose the second run's pieces and refusals, then what the peer
 * sends. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/chan/msgstream.h"
#include "tests/unit/fake_transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define STEPS 4096

struct run {
	struct ev *ev;
	struct tp_conn *client, *server;
	struct tp_stream *s;
	struct msgstream *ms;
	const uint8_t *p;
	size_t n;
	unsigned refuse; /* every so many calls a handler says: later; 0: never */
	unsigned calls;
	bool held, eof;
	struct buf seen;
	struct tp_close why;
	bool closed;
};

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static int
handle(struct run *r, uint8_t row, struct rd *body)
{
	if (r->refuse != 0 && ++r->calls % r->refuse == 0) {
		r->held = true;
		return QERR_AGAIN;
	}
	must(buf_put_u8(&r->seen, row) == 0);
	must(buf_put_str(&r->seen, body->p, body->n) == 0);
	/* A body that begins so is wrong. */
	return body->n > 0 && body->p[0] == 0xee ? QERR_FORMAT : 0;
}

static int
on_even(void *ctx, struct msgstream *ms, struct rd *body)
{
	(void)ms;
	return handle(ctx, 0, body);
}

static int
on_odd(void *ctx, struct msgstream *ms, struct rd *body)
{
	(void)ms;
	return handle(ctx, 1, body);
}

static int
on_phase(void *ctx, struct msgstream *ms, struct rd *body)
{
	msgstream_set_phase(ms, 3);
	return handle(ctx, 2, body);
}

static const struct msg_row rows[] = {
	{0x02, "EVEN", 3, on_even},
	{0x03, "ODD", 3, on_odd},
	{0x04, "PHASE", 1, on_phase},
	{0x06, "LATER", 2, on_even},
	{0x4000, "WIDE", 3, on_odd},
};

static void
on_eof(void *ctx, struct msgstream *ms)
{
	(void)ms;
	((struct run *)ctx)->eof = true;
}

static const struct msgstream_ops ops = {
	.eof = on_eof,
};

static void
on_opened(void *arg, struct tp_stream *s)
{
	struct run *r = arg;

	must(msgstream_new(&r->ms, s, rows, sizeof(rows) / sizeof(rows[0]), 300, &ops, r) == 0);
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct run *r = arg;

	r->closed = true;
	r->why = *why;
}

static const struct tp_conn_ops server_ops = {
	.stream_opened = on_opened,
	.closed = on_closed,
};
static const struct tp_conn_ops client_ops = {0};

static void
feed(void *arg, struct tp_stream *s)
{
	struct run *r = arg;
	ssize_t done = tp_stream_write(s, r->p, r->n);

	if (done < 0)
		return;
	r->p += done;
	r->n -= (size_t)done;
	if (r->n == 0)
		tp_stream_fin(s);
}

static const struct tp_stream_ops client_stream_ops = {
	.writable = feed,
};

static void
run(struct run *r, const uint8_t *p, size_t n, size_t segment, unsigned refuse)
{
	struct fake_limits l;

	memset(r, 0, sizeof(*r));
	fake_limits_default(&l);
	l.segment = segment;
	r->p = p;
	r->n = n;
	r->refuse = refuse;
	buf_init(&r->seen, 1 << 24);
	must(ev_new_virtual(&r->ev, 1) == 0);
	must(fake_pair(r->ev, &l, &l, &r->client, &r->server) == 0);
	tp_conn_set_ops(r->server, &server_ops, r);
	tp_conn_set_ops(r->client, &client_ops, r);
	must(tp_stream_open(r->client, false, &client_stream_ops, r, TP_PRIO_BULK, &r->s) == 0);
	feed(r, r->s);
	do {
		if (r->held) {
			r->held = false;
			msgstream_resume(r->ms);
		}
		(void)ev_run(r->ev);
	} while (r->held);
}

static void
finish(struct run *r)
{
	msgstream_free(&r->ms);
	tp_conn_free(&r->client);
	tp_conn_free(&r->server);
	ev_free(&r->ev);
	buf_free(&r->seen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct run a, b;

	if (n < 2 || n > STEPS)
		return 0;
	run(&a, p + 2, n - 2, STEPS, 0);
	run(&b, p + 2, n - 2, 1 + p[0] % 32, p[1] % 8 == 1 ? 0 : p[1] % 8);
	must(buf_len(&a.seen) == buf_len(&b.seen));
	must(buf_len(&a.seen) == 0 ||
	    memcmp(buf_data(&a.seen), buf_data(&b.seen), buf_len(&a.seen)) == 0);
	must(a.closed == b.closed && a.eof == b.eof);
	must(a.closed != a.eof); /* one or the other, and nothing in between */
	must(!a.closed || (a.why.code == b.why.code && strcmp(a.why.reason, b.why.reason) == 0));
	finish(&a);
	finish(&b);
	return 0;
}
