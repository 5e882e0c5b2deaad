/* Redundant datagrams: frame, merging, schedule, budget. */
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/redun.h"

#define OFFSET_MAX   (UINT64_C(1) << 62) /* of streams (RFC 9000 section 19.8) */
#define FIRST        (10 * NS_PER_MS)
#define REPEATS      10    /* the last one after 5.1 s: a path that is dead is not our matter */
#define RATE         4000  /* bytes a second */
#define DEPTH        RATE
#define AROUND       (28 + 1 + 17 + 4 + 16 + 3) /* IPv4, UDP, packet header, tag, frame's type and length */

/* ---- the frame ---- */

bool
redun_is(const uint8_t *p, size_t n)
{
	struct rd r;
	uint64_t flow;

	rd_init(&r, p, n);
	flow = rd_varint(&r);
	return r.err == 0 && flow == REDUN_FLOW;
}

int
redun_parse(struct redun_frame *f, const uint8_t *p, size_t n)
{
	struct rd r;

	rd_init(&r, p, n);
	rd_varint(&r);
	f->stream = rd_varint(&r);
	f->offset = rd_varint(&r);
	if (r.err != 0)
		return r.err;
	f->n = r.n;
	f->p = p + (n - f->n);
	return f->n > 0 && f->offset < OFFSET_MAX && f->n <= OFFSET_MAX - f->offset ? 0 : QERR_FORMAT;
}

static size_t
put_varint(uint8_t *p, uint64_t v)
{
	unsigned log = v < 64 ? 0 : v < 16384 ? 1 : v < (1u << 30) ? 2 : 3, i;
	size_t n = (size_t)1 << log;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	p[0] |= (uint8_t)(log << 6);
	return n;
}

size_t
redun_header(uint8_t *p, uint64_t stream, uint64_t offset)
{
	size_t n = put_varint(p, REDUN_FLOW);

	n += put_varint(p + n, stream);
	return n + put_varint(p + n, offset);
}

/* ---- merging ---- */

size_t
redun_rx_stream(struct redun_rx *r, size_t n)
{
	uint64_t ahead = r->merged - r->stream;

	r->stream += n;
	if (r->merged < r->stream)
		r->merged = r->stream;
	return ahead < n ? (size_t)ahead : n;
}

size_t
redun_rx_early(struct redun_rx *r, uint64_t offset, size_t n, uint64_t limit)
{
	uint64_t end = offset + n;
	size_t fresh;

	if (offset > r->merged || end <= r->merged || end > limit)
		return 0;
	fresh = (size_t)(end - r->merged);
	r->merged = end;
	return fresh;
}

uint64_t
redun_rx_credit(struct redun_rx *r, uint64_t kept)
{
	uint64_t taken = r->merged - kept, n;

	if (taken > r->stream)
		taken = r->stream;
	n = taken - r->credited;
	r->credited = taken;
	return n;
}

/* ---- schedule ---- */

void
redun_tx_sent(struct redun_tx *t, uint64_t now)
{
	t->newest = now;
	t->n = 0;
	t->at = now + FIRST;
}

void
redun_tx_repeated(struct redun_tx *t, uint64_t now)
{
	do {
		t->n++;
		t->at = t->n < REPEATS ? t->newest + (FIRST << t->n) : REDUN_NEVER;
	} while (t->at <= now);
}

/* ---- budget ---- */

uint64_t
redun_budget_wait(struct redun_budget *b, size_t n, uint64_t now)
{
	uint64_t more, need = n + AROUND;

	if (!b->begun || now - b->at >= NS_PER_S) {
		b->begun = true;
		b->bytes = DEPTH;
		b->at = now;
	} else if ((more = (now - b->at) * RATE / NS_PER_S) > 0) {
		b->bytes += more;
		b->at += more * NS_PER_S / RATE;
		if (b->bytes > DEPTH)
			b->bytes = DEPTH;
	}
	return need <= b->bytes ? 0 : (need - b->bytes) * NS_PER_S / RATE + 1;
}

void
redun_budget_spend(struct redun_budget *b, size_t n)
{
	uint64_t need = n + AROUND;

	b->bytes -= need < b->bytes ? need : b->bytes;
}
