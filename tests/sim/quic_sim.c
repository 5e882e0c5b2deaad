/* Two connections over a simulated network, seed after seed: loss, reordering, duplication, delay,
 * rates, full sockets, rebinding address translators, readers that hold data back. Every byte of
 * every stream is checked, in both directions; so are the end of each stream and the close code.
 *
 * quic_sim [FIRST-SEED [COUNT]] */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/sim/simnet.h"

#ifdef QSH_SANITIZERS
#define SEEDS 300
#else
#define SEEDS 2000
#endif

#define LIMIT (3600 * NS_PER_S) /* virtual time; a run that needs more is stuck */
#define NSTREAMS 12

struct party;

struct flow { /* one stream as one end sees it */
	struct party *p;
	struct tp_stream *s;
	uint64_t id;
	uint64_t out_total, out_done;
	uint64_t in_total, in_done;
	bool out, in;               /* which directions it has */
	bool finned, got_fin, acked, closed;
	bool asleep, holding;       /* waits for the timer to go on writing, reading */
};

struct party {
	struct run *run;
	int side;
	struct ev_timer *timer;
	struct flow flows[NSTREAMS * 2];
	unsigned nflows, to_open_bidi, to_open_uni;
	unsigned done, early, closed;
	struct tp_close why;
};

struct run {
	struct simnet net;
	uint64_t seed;
	uint64_t size;              /* up to this many bytes a direction */
	struct party party[2];
	unsigned planned[2];        /* streams that each side opens */
	unsigned rebinds;
	bool closing;
};

static void __attribute__((noreturn, format(printf, 2, 3)))
die(const struct run *r, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "quic_sim: seed %" PRIu64 ": ", r->seed);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nagain with: quic_sim %" PRIu64 " 1\n", r->seed);
	exit(1);
}

/* ---- content: known to both ends from stream, direction and offset ---- */

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	return x;
}

static uint8_t
content(uint64_t id, int from, uint64_t off)
{
	return (uint8_t)(mix((off >> 3) + id * 1000003 + (uint64_t)from * 7919) >> (8 * (off & 7)));
}

static uint64_t
total_of(const struct run *r, uint64_t id, int from)
{
	uint64_t h = mix(r->seed * 31 + id * 2 + (uint64_t)from + 1);

	if (h % 8 == 0)
		return 0;
	return h / 8 % r->size + 1;
}

/* ---- one stream ---- */

static void
write_some(struct flow *f)
{
	struct simnet *net = &f->p->run->net;
	uint8_t buf[4096], *p;
	uint64_t i;
	size_t n, want;
	ssize_t w;

	while (f->out_done < f->out_total) {
		if (simnet_below(net, 16) == 0) {
			f->asleep = true;
			return;
		}
		want = (size_t)simnet_below(net, sizeof(buf)) + 1;
		if (want > f->out_total - f->out_done)
			want = (size_t)(f->out_total - f->out_done);
		if (simnet_below(net, 2) == 0) {
			n = want;
			p = tp_stream_reserve(f->s, &n);
			if (p == NULL)
				return;
			for (i = 0; i < n; i++)
				p[i] = content(f->id, f->p->side, f->out_done + i);
			tp_stream_commit(f->s, n);
		} else {
			for (i = 0; i < want; i++)
				buf[i] = content(f->id, f->p->side, f->out_done + i);
			w = tp_stream_write(f->s, buf, want);
			if (w < 0)
				die(f->p->run, "write to stream %" PRIu64 ": %zd", f->id, w);
			n = (size_t)w;
			if (n < want) {
				f->out_done += n;
				return;
			}
		}
		f->out_done += n;
	}
	if (!f->finned) {
		f->finned = true;
		tp_stream_fin(f->s);
	}
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct flow *f = arg;
	struct simnet *net = &f->p->run->net;
	size_t take = n, i;

	if (s != f->s || f->got_fin || f->closed)
		die(f->p->run, "data after the end of stream %" PRIu64, f->id);
	if (simnet_below(net, 8) == 0) {
		take = (size_t)simnet_below(net, n + 1);
		f->holding = take < n;
	}
	for (i = 0; i < take; i++) {
		if (p[i] != content(f->id, !f->p->side, f->in_done + i))
			die(f->p->run, "side %d stream %" PRIu64 ": wrong byte at %" PRIu64,
			    f->p->side, f->id, f->in_done + i);
	}
	f->in_done += take;
	if (fin && take == n) {
		f->got_fin = true;
		if (f->in_done != f->in_total)
			die(f->p->run, "stream %" PRIu64 ": FIN at %" PRIu64 " of %" PRIu64, f->id,
			    f->in_done, f->in_total);
	}
	return take;
}

static void
on_writable(void *arg, struct tp_stream *s)
{
	struct flow *f = arg;

	(void)s;
	if (!f->asleep)
		write_some(f);
}

static void
on_acked(void *arg, struct tp_stream *s)
{
	struct flow *f = arg;

	(void)s;
	if (f->acked || !f->finned || f->closed)
		die(f->p->run, "stream %" PRIu64 " acknowledged too early or twice", f->id);
	f->acked = true;
}

static void
on_wrong(void *arg, struct tp_stream *s, uint64_t code)
{
	struct flow *f = arg;

	(void)s;
	die(f->p->run, "stream %" PRIu64 " reset or stopped with %" PRIu64, f->id, code);
}

static void
on_stream_closed(void *arg, struct tp_stream *s)
{
	struct flow *f = arg;

	(void)s;
	if (f->closed)
		die(f->p->run, "stream %" PRIu64 " closed twice", f->id);
	if (!f->p->run->closing && ((f->in && !f->got_fin) || (f->out && !f->acked)))
		die(f->p->run, "stream %" PRIu64 " closed before its end", f->id);
	f->closed = true;
	f->s = NULL;
}

static const struct tp_stream_ops stream_ops = {
	.data = on_data,
	.writable = on_writable,
	.acked = on_acked,
	.reset = on_wrong,
	.stopped = on_wrong,
	.closed = on_stream_closed,
};

static struct flow *
flow_new(struct party *p)
{
	struct flow *f = &p->flows[p->nflows];

	if (p->nflows == NSTREAMS * 2)
		die(p->run, "too many streams");
	p->nflows++;
	f->p = p;
	return f;
}

static void
flow_start(struct flow *f, struct tp_stream *s, bool local)
{
	f->s = s;
	f->id = tp_stream_id(s);
	f->out = local || !tp_stream_is_uni(s);
	f->in = !local || !tp_stream_is_uni(s);
	if (f->out)
		f->out_total = total_of(f->p->run, f->id, f->p->side);
	if (f->in)
		f->in_total = total_of(f->p->run, f->id, !f->p->side);
	tp_stream_set_prio(s, (enum tp_prio)(f->id / 4 % 3));
	if (f->out)
		write_some(f);
}

/* ---- one end ---- */

static void
open_streams(struct party *p)
{
	struct tp_conn *c = simnet_conn(&p->run->net, p->side);
	struct tp_stream *s;
	struct flow *f;
	bool uni;
	int r;

	while (p->to_open_bidi + p->to_open_uni > 0) {
		uni = p->to_open_bidi == 0;
		f = flow_new(p);
		r = tp_stream_open(c, uni, &stream_ops, f, TP_PRIO_INTERACTIVE, &s);
		if (r != 0) {
			p->nflows--;
			return; /* on_streams goes on */
		}
		if (uni)
			p->to_open_uni--;
		else
			p->to_open_bidi--;
		flow_start(f, s, true);
	}
}

static void
on_stream(void *arg, struct tp_stream *s)
{
	struct party *p = arg;
	struct flow *f = flow_new(p);

	tp_stream_set_ops(s, &stream_ops, f);
	flow_start(f, s, false);
}

static void
on_early(void *arg)
{
	struct party *p = arg;

	p->early++;
	if (p->done)
		die(p->run, "early after done");
	open_streams(p);
}

static void
on_done(void *arg)
{
	struct party *p = arg;

	p->done++;
	tp_conn_set_window(simnet_conn(&p->run->net, p->side), UINT64_C(1) << 24);
	tp_conn_set_keepalive(simnet_conn(&p->run->net, p->side), NS_PER_S);
	open_streams(p);
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct party *p = arg;

	p->closed++;
	p->why = *why;
}

static const struct tp_conn_ops conn_ops = {
	.handshake_done = on_done,
	.early_data_ok = on_early,
	.stream_opened = on_stream,
	.streams_available = (void (*)(void *))open_streams,
	.closed = on_closed,
};

/* Wakes what sleeps. */
static void
on_tick(void *arg)
{
	struct party *p = arg;
	struct simnet *net = &p->run->net;
	struct flow *f;
	unsigned i;

	for (i = 0; i < p->nflows; i++) {
		f = &p->flows[i];
		if (f->s == NULL || p->closed)
			continue;
		if (f->asleep && simnet_below(net, 2) == 0) {
			f->asleep = false;
			write_some(f);
		}
		if (f->holding && simnet_below(net, 2) == 0) {
			f->holding = false;
			tp_stream_resume(f->s);
		}
	}
	if (p->side == SIM_CLIENT && p->done && p->run->rebinds > 0 && net->end[0].d.c != NULL &&
	    qconn_is_confirmed(net->end[0].d.c) && simnet_below(net, 8) == 0) {
		p->run->rebinds--;
		simnet_rebind(net, simnet_below(net, 2) == 0);
	}
	if (net->end[p->side].full)
		simnet_set_full(net, p->side, false);
	else if (net->end[p->side].d.c != NULL)
		simnet_set_full(net, p->side, false); /* what chance held back */
	ev_timer_at(p->timer, simnet_now(net) + NS_PER_MS * (1 + simnet_below(net, 40)));
}

/* ---- a run ---- */

static void
plan_link(struct simnet *n, struct simlink *l)
{
	static const unsigned losses[] = {0, 0, 1000, 10000, 50000, 150000};

	l->delay = (1 + simnet_below(n, 120)) * NS_PER_MS;
	l->jitter = simnet_below(n, 3) == 0 ? simnet_below(n, l->delay) : 0;
	l->loss = losses[simnet_below(n, 6)];
	l->dup = simnet_below(n, 3) == 0 ? 50000 : 0;
	l->reorder = simnet_below(n, 3) == 0 ? 100000 : 0;
	if (simnet_below(n, 3) == 0) {
		l->rate = 100000 + simnet_below(n, 10000000);
		l->queue = (10 + simnet_below(n, 200)) * NS_PER_MS;
	}
	if (simnet_below(n, 4) == 0)
		l->mtu = 1200 + (size_t)simnet_below(n, 300);
}

static void
plan(struct run *r)
{
	struct simnet *n = &r->net;
	int i;

	r->size = simnet_below(n, 8) == 0 ? 300000 : 20000;
	r->rebinds = simnet_below(n, 3) == 0 ? (unsigned)simnet_below(n, 4) : 0;
	for (i = 0; i < 2; i++) {
		plan_link(n, &n->link[i]);
		n->end[i].full_ppm = simnet_below(n, 4) == 0 ? 20000 : 0;
		r->party[i].run = r;
		r->party[i].side = i;
		r->planned[i] = (unsigned)simnet_below(n, NSTREAMS / 2 + 1);
		r->party[i].to_open_bidi = (unsigned)simnet_below(n, r->planned[i] + 1);
		r->party[i].to_open_uni = r->planned[i] - r->party[i].to_open_bidi;
		if (ev_timer_new(&r->party[i].timer, n->ev, on_tick, &r->party[i]) != 0)
			abort();
		ev_timer_at(r->party[i].timer, SIM_START + NS_PER_MS);
	}
}

static bool
all_done(void *arg)
{
	const struct run *r = arg;
	const struct flow *f;
	unsigned i, k, n = r->planned[0] + r->planned[1];

	for (i = 0; i < 2; i++) {
		if (r->party[i].closed)
			return true;
		if (!r->party[i].done || r->party[i].nflows < n)
			return false;
		for (k = 0; k < n; k++) {
			f = &r->party[i].flows[k];
			if ((f->in && !f->got_fin) || (f->out && !f->acked))
				return false;
		}
	}
	return true;
}

/* The server has heard the client from where it is now, so that the two can part. */
static bool
settled(void *arg)
{
	struct run *r = arg;
	struct tp_path path;

	r->rebinds = 0;
	qconn_path(simnet_conn(&r->net, SIM_SERVER), &path);
	return addr_equal(&path.remote, &r->net.nat);
}

static bool
both_closed(void *arg)
{
	const struct run *r = arg;

	return r->party[0].closed && r->party[1].closed;
}

static void
report_stuck(struct run *r)
{
	const struct flow *f;
	unsigned i, k;

	for (i = 0; i < 2; i++) {
		fprintf(stderr, "side %u: done %u closed %u by %d code %" PRIu64 " (%s)\n", i,
		    r->party[i].done, r->party[i].closed, (int)r->party[i].why.by,
		    r->party[i].why.code, r->party[i].why.reason);
		for (k = 0; k < r->party[i].nflows; k++) {
			f = &r->party[i].flows[k];
			fprintf(stderr, "  stream %" PRIu64 " out %" PRIu64 "/%" PRIu64 "%s%s in %" PRIu64
			    "/%" PRIu64 "%s\n", f->id, f->out_done, f->out_total,
			    f->finned ? " FIN" : "", f->acked ? " acked" : "", f->in_done,
			    f->in_total, f->got_fin ? " FIN" : "");
		}
	}
}

static void
check_end(struct run *r)
{
	uint64_t code = r->seed % 1000;
	const struct tp_close *w = &r->party[SIM_SERVER].why;
	unsigned i;

	if (r->party[SIM_CLIENT].why.by != TP_CLOSED_LOCAL)
		die(r, "client closed by %d", (int)r->party[SIM_CLIENT].why.by);
	if (w->by != TP_CLOSED_APP || !w->remote || w->code != code ||
	    strcmp(w->reason, "all done") != 0)
		die(r, "server closed by %d code %" PRIu64 " (%s)", (int)w->by, w->code, w->reason);
	for (i = 0; i < 2; i++) {
		if (r->party[i].done != 1 || r->party[i].closed != 1 ||
		    r->party[i].early != (i == SIM_SERVER))
			die(r, "side %u: an event is missing or came twice", i);
	}
	if (r->net.signs != 1)
		die(r, "%u signatures", r->net.signs);
}

static void
run_seed(uint64_t seed)
{
	struct quic_limits cl, sl;
	struct run *r;

	r = calloc(1, sizeof(*r));
	if (r == NULL)
		abort();
	r->seed = seed;
	simnet_init(&r->net, seed);
	plan(r);
	quic_limits_client(&cl);
	quic_limits_server(&sl);
	cl.handshake_timeout = sl.handshake_timeout = 600 * NS_PER_S;
	if (simnet_below(&r->net, 3) == 0) {
		cl.stream_window = sl.stream_window = 8192 + simnet_below(&r->net, 30000);
		cl.uni_window = sl.uni_window = cl.stream_window;
	}
	if (simnet_below(&r->net, 3) == 0)
		cl.send_buffer = sl.send_buffer = 2048 + (size_t)simnet_below(&r->net, 30000);
	if (simnet_below(&r->net, 3) == 0)
		cl.max_bidi = cl.max_uni = sl.max_bidi = sl.max_uni = 2;
	simnet_connect(&r->net, &cl, &conn_ops, &r->party[0], &sl, &conn_ops, &r->party[1]);
	if (!simnet_run(&r->net, LIMIT, all_done, r) || r->party[0].closed || r->party[1].closed) {
		report_stuck(r);
		die(r, "did not finish");
	}
	if (!simnet_run(&r->net, LIMIT, settled, r))
		die(r, "the move was not noticed");
	r->closing = true;
	tp_conn_close(simnet_conn(&r->net, SIM_CLIENT), seed % 1000, "all done");
	if (!simnet_run(&r->net, LIMIT, both_closed, r))
		die(r, "close was not delivered");
	check_end(r);
	ev_timer_free(&r->party[0].timer);
	ev_timer_free(&r->party[1].timer);
	simnet_free(&r->net);
	free(r);
}

int
main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, i;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : SEEDS;

	for (i = 0; i < count; i++)
		run_seed(first + i);
	printf("%" PRIu64 " seeds\n", count);
	return 0;
}
