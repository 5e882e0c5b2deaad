/* A byte stream from anybody, as it comes in pieces: the first byte says of which size. Whatever the pieces, the same
 * datagrams must come out. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quic/user/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct sum {
	uint64_t frames, bytes, hash;
	int end;
};

static void
add(struct sum *s, const uint8_t *p, size_t n)
{
	if (n == 0)
		abort();
	s->frames++;
	s->bytes += n;
	while (n-- > 0)
		s->hash = s->hash * 31 + *p++;
}

static void
run(const uint8_t *p, size_t n, size_t piece, struct sum *s)
{
	struct qframe_rx *rx;
	char text[256];
	const uint8_t *d;
	size_t m, room, len;
	uint8_t *to;

	memset(s, 0, sizeof(*s));
	if (qframe_rx_new(&rx) != 0)
		abort();
	for (; n > 0 && s->end == 0; p += m, n -= m) {
		to = qframe_rx_room(rx, &room);
		m = n < piece ? n : piece;
		if (room == 0)
			abort();
		if (m > room)
			m = room;
		memcpy(to, p, m);
		qframe_rx_filled(rx, m);
		while ((s->end = qframe_rx_next(rx, &d, &len)) == 1)
			add(s, d, len);
	}
	(void)qframe_rx_stranger(rx, true, text, sizeof(text));
	(void)qframe_rx_refused(rx, text, sizeof(text));
	qframe_rx_free(&rx);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sum whole, pieces;

	if (n == 0)
		return 0;
	run(p + 1, n - 1, n, &whole);
	run(p + 1, n - 1, (size_t)p[0] + 1, &pieces);
	if (whole.frames != pieces.frames || whole.bytes != pieces.bytes ||
	    whole.hash != pieces.hash || whole.end != pieces.end)
		abort();
	return 0;
}
