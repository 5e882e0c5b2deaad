/* Redundant datagrams without a connection: frame, merging, schedule, budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/redun.h"
#include "tests/unit/redun_model.h"

static void
test_frame(void **state)
{
	static const uint64_t v[] = {0, 63, 64, 16383, 16384, (1u << 30) - 1, 1u << 30,
	    (UINT64_C(1) << 62) - 2};
	uint8_t buf[REDUN_HDR_MAX + 3];
	struct redun_frame f;
	size_t i, k, n;

	(void)state;
	for (i = 0; i < 8; i++) {
		for (k = 0; k < 8; k++) {
			n = redun_header(buf, v[i], v[k]);
			assert_true(n >= 3 && n <= REDUN_HDR_MAX);
			buf[n] = 'x';
			assert_true(redun_is(buf, n + 1));
			assert_int_equal(redun_parse(&f, buf, n + 1), 0);
			assert_int_equal(f.stream, v[i]);
			assert_int_equal(f.offset, v[k]);
			assert_int_equal(f.n, 1);
			assert_ptr_equal(f.p, buf + n);
			assert_int_equal(redun_parse(&f, buf, n), QERR_FORMAT);     /* no bytes */
			assert_int_equal(redun_parse(&f, buf, n - 1), QERR_TRUNC);
			assert_int_equal(redun_parse(&f, buf, 1), QERR_TRUNC);
		}
	}
	n = redun_header(buf, 4, (UINT64_C(1) << 62) - 1);
	memset(buf + n, 0, 2);
	assert_int_equal(redun_parse(&f, buf, n + 1), 0);
	assert_int_equal(redun_parse(&f, buf, n + 2), QERR_FORMAT); /* beyond the last offset */
}

static void
test_flow(void **state)
{
	(void)state;
	assert_false(redun_is((const uint8_t *)"", 0));
	assert_false(redun_is((const uint8_t *)"\1abc", 4));
	assert_false(redun_is((const uint8_t *)"\x40", 1)); /* cut off */
	assert_true(redun_is((const uint8_t *)"\0", 1));
	assert_true(redun_is((const uint8_t *)"\x40\0", 2)); /* a longer form of the same */
}

/* What a datagram has brought is not given again, and its credit comes back with the stream's bytes. */
static void
test_merge(void **state)
{
	struct redun_rx r = {0};

	(void)state;
	assert_int_equal(redun_rx_stream(&r, 10), 0);
	assert_int_equal(redun_rx_credit(&r, 0), 10);
	assert_int_equal(redun_rx_early(&r, 8, 5, 100), 3);  /* 10 to 12 are new */
	assert_int_equal(redun_rx_early(&r, 8, 5, 100), 0);  /* once more */
	assert_int_equal(redun_rx_credit(&r, 0), 0);         /* not yet */
	assert_int_equal(redun_rx_early(&r, 14, 5, 100), 0); /* 13 is missing */
	assert_int_equal(redun_rx_early(&r, 0, 4, 100), 0);  /* old */
	assert_int_equal(redun_rx_stream(&r, 2), 2);
	assert_int_equal(redun_rx_credit(&r, 0), 2);
	assert_int_equal(redun_rx_stream(&r, 4), 1);         /* 12 was known; 13 to 15 are new */
	assert_int_equal(redun_rx_credit(&r, 3), 1);
	assert_int_equal(redun_rx_credit(&r, 0), 3);
	assert_int_equal(r.merged, 16);
	assert_int_equal(r.credited, 16);
}

static void
test_limit(void **state)
{
	struct redun_rx r = {0};

	(void)state;
	assert_int_equal(redun_rx_early(&r, 0, 101, 100), 0);
	assert_int_equal(redun_rx_early(&r, 0, 100, 100), 100);
	assert_int_equal(redun_rx_early(&r, 100, 1, 100), 0);
	assert_int_equal(redun_rx_early(&r, (UINT64_C(1) << 62) - 1, 1, UINT64_MAX), 0);
}

static void
test_random(void **state)
{
	uint64_t rng = 1;
	uint8_t ops[600];
	size_t run, i, early = 0;

	(void)state;
	for (run = 0; run < 3000; run++) {
		for (i = 0; i < sizeof(ops); i++) {
			rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			ops[i] = (uint8_t)(rng >> 56);
		}
		for (i = 0; i + 2 < sizeof(ops); i += 3)
			ops[i + 1] %= 40; /* near enough to fit */
		early += redun_model_run(ops, sizeof(ops));
	}
	assert_true(early > 3000);
}

static void
test_schedule(void **state)
{
	static const unsigned ms[] = {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120};
	struct redun_tx t = {0};
	size_t i;

	(void)state;
	redun_tx_sent(&t, NS_PER_S);
	for (i = 0; i < 10; i++) {
		assert_int_equal(t.at, NS_PER_S + ms[i] * NS_PER_MS);
		redun_tx_repeated(&t, t.at + (i == 3 ? 3 * NS_PER_MS : 0));
	}
	assert_int_equal(t.at, REDUN_NEVER);
	/* New bytes begin anew; what could not leave for long is sent once. */
	redun_tx_sent(&t, 9 * NS_PER_S);
	redun_tx_repeated(&t, 9 * NS_PER_S + 100 * NS_PER_MS);
	assert_int_equal(t.at, 9 * NS_PER_S + 160 * NS_PER_MS);
}

static void
test_budget(void **state)
{
	struct redun_budget b = {0};
	uint64_t now = 5 * NS_PER_S, begin, wait, bytes = 0;

	(void)state;
	while (redun_budget_wait(&b, 31, now) == 0) { /* 100 with what is around it */
		redun_budget_spend(&b, 31);
		bytes += 100;
	}
	assert_in_range(bytes, 3900, 4100); /* a second's worth at once */
	for (begin = now; now < begin + 100 * NS_PER_S; now += wait) {
		wait = redun_budget_wait(&b, 31, now);
		assert_in_range(wait, 1, NS_PER_S / 30);
		assert_int_equal(redun_budget_wait(&b, 31, now + wait), 0);
		redun_budget_spend(&b, 31);
		bytes += 100;
	}
	assert_in_range(bytes, 400000, 405000); /* 32 kbit/s */
	assert_int_equal(redun_budget_wait(&b, 1000, now + 3600 * NS_PER_S), 0);
	redun_budget_spend(&b, 5000);
	assert_true(redun_budget_wait(&b, 1, now + 3600 * NS_PER_S) > 0);
	/* What was not spent does not add up. */
	now += 7200 * NS_PER_S;
	assert_int_equal(redun_budget_wait(&b, 1000, now), 0);
	assert_true(redun_budget_wait(&b, 5000, now + NS_PER_S * 9 / 10) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
