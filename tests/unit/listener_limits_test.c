/* MaxStartups and budgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "server/listener/limits.h"

/* How many of 100 throws are refused. */
static unsigned
refused(const struct smsg_limits *l, uint32_t n)
{
	unsigned r = 0;

	for (uint32_t dice = 0; dice < 100; dice++)
		r += startups_refuse(l, n, dice);
	return r;
}

static void
startups(void **state)
{
	const struct smsg_limits l = {.startups_begin = 10, .startups_rate = 30, .startups_full = 100};

	(void)state;
	assert_int_equal(refused(&l, 0), 0);
	assert_int_equal(refused(&l, 9), 0);
	assert_int_equal(refused(&l, 10), 30);
	assert_int_equal(refused(&l, 55), 65);
	assert_int_equal(refused(&l, 99), 99);
	assert_int_equal(refused(&l, 100), 100);
	assert_int_equal(refused(&l, UINT32_MAX), 100);
}

static void
startups_extremes(void **state)
{
	const struct smsg_limits same = {.startups_begin = 5, .startups_rate = 30, .startups_full = 5},
		none = {.startups_begin = 0, .startups_rate = 0, .startups_full = 100},
		all = {.startups_begin = 3, .startups_rate = 100, .startups_full = UINT32_MAX};

	(void)state;
	assert_int_equal(refused(&same, 4), 0);
	assert_int_equal(refused(&same, 5), 100);
	assert_int_equal(refused(&none, 0), 0);
	assert_int_equal(refused(&none, 50), 50);
	assert_int_equal(refused(&all, 2), 0);
	assert_int_equal(refused(&all, 3), 100);
}

static unsigned
takes(struct budget *b, uint64_t now)
{
	unsigned n = 0;

	while (n < 1000 && budget_take(b, now))
		n++;
	return n;
}

static void
budgets(void **state)
{
	struct budget b;
	uint64_t now = 77;

	(void)state;
	budget_init(&b, 10, 5, now);
	assert_int_equal(takes(&b, now), 5);
	now += NS_PER_S / 10;
	assert_int_equal(takes(&b, now), 1);
	now += NS_PER_S / 5 - 1;
	assert_int_equal(takes(&b, now), 1);
	now += 1;
	assert_int_equal(takes(&b, now), 1);
	/* Never more than the burst, however long it was quiet; and time never runs backwards. */
	assert_int_equal(takes(&b, UINT64_MAX / 2), 5);
	assert_int_equal(takes(&b, 0), 0);
	assert_int_equal(takes(&b, UINT64_MAX), 5);
	budget_init(&b, 10, 5, 0);
	assert_int_equal(takes(&b, 0), 5);
	assert_int_equal(takes(&b, UINT64_C(1) << 63), 5); /* times the rate, that is 0 in 64 bits */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(startups), cmocka_unit_test(startups_extremes),
		cmocka_unit_test(budgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
