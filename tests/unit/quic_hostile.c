/* The hostile peer, and a layer above our connection that does a little of everything. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/unit/quic_hostile.h"
#include "tests/unit/quic_raw.h"

struct app {
	struct rawpair r;
	struct tp_stream *held[8]; /* read little by little */
	unsigned nheld, calls, live;
	bool closed;
};

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
forget(struct app *a, const struct tp_stream *s)
{
	unsigned i;

	for (i = 0; i < a->nheld; i++) {
		if (a->held[i] == s)
			a->held[i--] = a->held[--a->nheld];
	}
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct app *a = arg;
	uint8_t sum = 0;
	size_t i;

	must(!a->closed);
	for (i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
	switch ((sum + a->calls++) % 6) {
	case 0:
		if (a->nheld < 8)
			a->held[a->nheld++] = s;
		return n / 2;
	case 1:
		tp_stream_stop(s, sum);
		return n;
	case 2:
		tp_stream_write(s, p, n);
		return n;
	case 3:
		tp_stream_reset(s, sum);
		tp_stream_resume(s);
		return n > 3 ? 3 : n;
	case 4:
		tp_stream_fin(s);
		return n;
	default:
		if (fin)
			tp_stream_fin(s);
		return n;
	}
}

static void
on_event(void *arg, struct tp_stream *s)
{
	struct app *a = arg;

	(void)s;
	must(!a->closed);
	a->calls++;
}

static void
on_code(void *arg, struct tp_stream *s, uint64_t code)
{
	struct app *a = arg;

	(void)code;
	must(!a->closed);
	tp_stream_write(s, "x", 1);
	a->calls++;
}

static void
on_stream_closed(void *arg, struct tp_stream *s)
{
	struct app *a = arg;

	must(!a->closed && a->live > 0);
	a->live--;
	forget(a, s);
}

static const struct tp_stream_ops stream_ops = {
	.data = on_data,
	.writable = on_event,
	.acked = on_event,
	.reset = on_code,
	.stopped = on_code,
	.closed = on_stream_closed,
};

static void
on_opened(void *arg, struct tp_stream *s)
{
	struct app *a = arg;

	must(!a->closed);
	if (++a->calls % 7 == 0)
		return; /* refused */
	a->live++;
	tp_stream_set_ops(s, &stream_ops, a);
}

static void
on_dgram(void *arg, const uint8_t *p, size_t n)
{
	struct app *a = arg;

	must(!a->closed);
	tp_conn_datagram(a->r.c, p, n);
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct app *a = arg;

	must(!a->closed && a->live == 0);
	must(strlen(why->reason) < sizeof(why->reason));
	a->closed = true;
}

static const struct tp_conn_ops conn_ops = {
	.stream_opened = on_opened,
	.datagram = on_dgram,
	.closed = on_closed,
};

static void
open_some(struct app *a)
{
	struct tp_stream *s;
	unsigned i;

	for (i = 0; i < 4; i++) {
		if (tp_stream_open(a->r.c, i % 2, &stream_ops, a, (enum tp_prio)(i % 3), &s) == 0) {
			a->live++;
			tp_stream_write(s, "hello", 5);
		}
	}
}

static void
packet(struct app *a, const uint8_t *p, size_t n)
{
	struct rawpair *r = &a->r;
	unsigned i;

	raw_inject(r, p, n);
	r->now += NS_PER_MS;
	raw_deliver(r);
	if (r->c == NULL)
		return;
	for (i = 0; i < a->nheld; i++)
		tp_stream_resume(a->held[i]);
	r->now += NS_PER_MS;
	if (qconn_run(r->c, r->now) != 0)
		r->c = NULL;
}

unsigned
hostile_run(bool as_server, const uint8_t *p, size_t n)
{
	struct app *a;
	unsigned calls;
	size_t len;

	a = calloc(1, sizeof(*a));
	must(a != NULL);
	if (as_server)
		raw_client_init(&a->r, QUIC_ALPN, RAW_PRIORITY, GNUTLS_ENABLE_RAWPK,
		    raw_cred(GNUTLS_PK_EDDSA_ED25519, 0));
	else
		raw_server_init(&a->r, QUIC_ALPN);
	tp_conn_set_ops(a->r.c, &conn_ops, a);
	raw_run(&a->r, 6);
	if (n % 4 != 0)
		tp_conn_set_window(a->r.c, 1 << 17);
	open_some(a);
	while (n >= 2 && a->r.c != NULL) {
		len = (size_t)p[0] << 8 | p[1];
		p += 2;
		n -= 2;
		if (len > n)
			len = n;
		packet(a, p, len < HOSTILE_PKT ? len : HOSTILE_PKT);
		p += len;
		n -= len;
	}
	if (a->r.c != NULL) {
		tp_conn_close(a->r.c, 1, "end");
		must(qconn_run(a->r.c, a->r.now + NS_PER_S) == 0);
		must(a->closed);
	}
	raw_free(&a->r);
	calls = a->calls;
	free(a);
	return calls;
}
