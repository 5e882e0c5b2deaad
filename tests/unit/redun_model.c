/* The account of a receiver that merges. */
#include <stdbool.h>
#include <stdlib.h>

#include "quic/user/redun.h"
#include "tests/unit/redun_model.h"

#define WINDOW 300

struct model {
	struct redun_rx rx;
	uint64_t given, kept, limit, early;
};

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
settle(struct model *m)
{
	uint64_t n = redun_rx_credit(&m->rx, m->kept);

	m->limit += n;
	must(m->rx.credited + WINDOW == m->limit);
	must(m->rx.credited <= m->rx.stream && m->rx.stream <= m->rx.merged);
	must(m->rx.credited <= m->given - m->kept);
	must(redun_rx_credit(&m->rx, m->kept) == 0);
}

static void
gave(struct model *m, uint64_t n)
{
	m->given += n;
	m->kept += n;
	must(m->given == m->rx.merged && m->given <= m->limit);
	settle(m);
}

/* What the stream itself brings never goes beyond the credit: the QUIC library sees to it. */
static void
stream(struct model *m, uint64_t n)
{
	uint64_t at = m->rx.stream;
	size_t known;

	if (n > m->limit - at)
		n = m->limit - at;
	known = redun_rx_stream(&m->rx, (size_t)n);
	must(known <= n && m->rx.stream == at + n);
	gave(m, n - known);
}

static void
datagram(struct model *m, const uint8_t *p, size_t n)
{
	struct redun_frame f;
	uint64_t was = m->rx.merged;
	size_t fresh;

	if (!redun_is(p, n) || redun_parse(&f, p, n) != 0)
		return;
	must(f.n > 0 && f.p + f.n == p + n && f.p > p);
	fresh = redun_rx_early(&m->rx, f.offset, f.n, m->limit);
	must(fresh <= f.n && m->rx.merged == was + fresh);
	must(fresh == 0 || (f.offset <= was && f.offset + f.n == was + fresh));
	m->early += fresh;
	gave(m, fresh);
}

/* A datagram near to where we are. */
static void
near_datagram(struct model *m, uint8_t back, uint8_t n)
{
	uint8_t buf[REDUN_HDR_MAX + 256] = {0};
	uint64_t to = m->rx.merged + 16;
	size_t hdr;

	hdr = redun_header(buf, 4, to > back ? to - back : 0);
	must(hdr <= REDUN_HDR_MAX);
	datagram(m, buf, hdr + n);
}

size_t
redun_model_run(const uint8_t *p, size_t n)
{
	struct model m = {.limit = WINDOW};
	size_t len;

	for (; n >= 3; p += 3, n -= 3) {
		switch (p[0] & 3) {
		case 0:
			stream(&m, p[1]);
			break;
		case 1:
			near_datagram(&m, p[1], p[2]);
			break;
		case 2:
			m.kept -= p[1] < m.kept ? p[1] : m.kept;
			settle(&m);
			break;
		default:
			len = p[1] < n - 3 ? p[1] : n - 3;
			datagram(&m, p + 3, len);
			p += len;
			n -= len;
			break;
		}
	}
	/* The stream brings the rest and all is taken: all credit is back. */
	stream(&m, m.rx.merged - m.rx.stream);
	m.kept = 0;
	settle(&m);
	must(m.rx.credited == m.given);
	return (size_t)m.early;
}
