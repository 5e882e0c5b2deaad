/* Frames of a hostile peer: all types, with numbers that mean something and numbers that do not. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/unit/quic_hostile.h"

#ifdef QSH_SANITIZERS
#define RUNS 2000
#else
#define RUNS 4000
#endif

static uint64_t rng;

static uint64_t
rnd(uint64_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (rng >> 33) % below;
}

/* Mostly small and likely to be in use; now and then at the limit. */
static uint64_t
number(void)
{
	switch (rnd(10)) {
	case 0:
		return (UINT64_C(1) << 62) - 1 - rnd(3);
	case 1:
		return rnd(UINT64_C(1) << 30);
	case 2:
		return 65536 - 8 + rnd(16);
	default:
		return rnd(24);
	}
}

static bool as_server; /* what the hostile peer is */

/* Of a stream that may carry data from the hostile peer; or, for_us, data to it. */
static uint64_t
stream_id(bool for_us)
{
	uint64_t own = as_server ? 1 : 0, seq = rnd(5) * 4;

	if (rnd(40) == 0)
		return number();
	switch (rnd(3)) {
	case 0:
		return rnd(2) * 4 + (own ^ 1);         /* bidirectional, opened by us */
	case 1:
		return for_us ? rnd(2) * 4 + 2 + (own ^ 1) : seq + 2 + own; /* unidirectional */
	default:
		return seq + own;                      /* bidirectional, its own */
	}
}

static void
bytes(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_put_u8(b, (uint8_t)rnd(256));
}

static void
stream(struct buf *b, uint64_t type)
{
	uint64_t n = rnd(300);

	buf_put_varint(b, stream_id(false));
	if (type & 4)
		buf_put_varint(b, rnd(20) ? rnd(400) : number());
	if (type & 2)
		buf_put_varint(b, rnd(20) ? n : number());
	bytes(b, (size_t)n);
}

static void
connection_id(struct buf *b)
{
	uint64_t seq = rnd(12), len = rnd(20) ? 8 : rnd(256);

	buf_put_varint(b, seq);
	buf_put_varint(b, rnd(2) ? 0 : rnd(seq + 1 + (rnd(20) == 0))); /* retire prior to */
	buf_put_u8(b, (uint8_t)len);
	bytes(b, (size_t)len % 21 + 16);
}

static void
ack(struct buf *b, uint64_t type)
{
	uint64_t ranges = rnd(4), i;

	buf_put_varint(b, rnd(30));
	buf_put_varint(b, number());
	buf_put_varint(b, ranges);
	buf_put_varint(b, rnd(4));
	for (i = 0; i < ranges * 2; i++)
		buf_put_varint(b, rnd(3));
	for (i = 0; type == 3 && i < 3; i++)
		buf_put_varint(b, rnd(100));
}

/* Flow 0 is the transport's own: bytes of a stream. */
static void
datagram(struct buf *b, uint64_t type)
{
	uint64_t n = rnd(200);
	struct buf d;

	buf_init(&d, 1024);
	if (rnd(2)) {
		buf_put_varint(&d, 0);
		buf_put_varint(&d, stream_id(false));
		buf_put_varint(&d, rnd(20) ? rnd(400) : number());
	}
	bytes(&d, (size_t)n);
	if (type == 0x31)
		buf_put_varint(b, buf_len(&d));
	buf_put(b, buf_data(&d), buf_len(&d));
	buf_free(&d);
}

static void
frame(struct buf *b)
{
	static const uint8_t often[] = {4, 5, 5, 0x11, 0x10, 0x1a, 0x1b, 0x18, 0x30, 0x31};
	uint64_t type, i, n;

	type = rnd(2) ? 8 + rnd(8) : rnd(8) ? often[rnd(sizeof(often))] : rnd(0x33);

	buf_put_varint(b, type);
	switch (type) {
	case 2:
	case 3:
		ack(b, type);
		break;
	case 4: /* RESET_STREAM */
	case 5: /* STOP_SENDING */
	case 0x11: /* MAX_STREAM_DATA */
		buf_put_varint(b, stream_id(type != 4));
		buf_put_varint(b, type == 0x11 ? rnd(1 << 20) : number());
		if (type == 4)
			buf_put_varint(b, 200 + rnd(300));
		break;
	case 0x10: /* MAX_DATA */
		buf_put_varint(b, rnd(1 << 20));
		break;
	case 6: /* CRYPTO */
	case 7: /* NEW_TOKEN */
		n = rnd(100);
		if (type == 6)
			buf_put_varint(b, number());
		buf_put_varint(b, n);
		bytes(b, (size_t)n);
		break;
	case 0x18:
		connection_id(b);
		break;
	case 0x1a:
	case 0x1b:
		bytes(b, 8);
		break;
	case 0x30:
	case 0x31:
		datagram(b, type);
		break;
	default:
		if (type >= 8 && type < 16) {
			stream(b, type);
			break;
		}
		for (i = rnd(4); i > 0; i--) /* the others are numbers */
			buf_put_varint(b, number());
		break;
	}
}

static void
test_random_frames(void **state)
{
	struct buf all, pkt;
	unsigned calls[2] = {0, 0};
	uint64_t i, k;

	(void)state;
	buf_init(&all, 1 << 20);
	buf_init(&pkt, 1 << 16);
	for (i = 0; i < RUNS; i++) {
		rng = i;
		as_server = i % 2;
		buf_reset(&all);
		for (k = 1 + rnd(8); k > 0; k--) {
			buf_reset(&pkt);
			while (buf_len(&pkt) < 600 && rnd(12) != 0)
				frame(&pkt);
			buf_put_u16(&all, (uint16_t)buf_len(&pkt));
			buf_put(&all, buf_data(&pkt), buf_len(&pkt));
		}
		calls[i % 2] += hostile_run(as_server, buf_data(&all), buf_len(&all));
	}
	/* Or else nothing of this would be shown. */
	assert_true(calls[0] > RUNS);
	assert_true(calls[1] > RUNS);
	buf_free(&all);
	buf_free(&pkt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_frames)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
