/* How often a sign of life is asked for, by whether somebody types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/presence.h"
#include "common/base/clock.h"

#define START   (1000 * NS_PER_S)
#define SELDOM  (25 * NS_PER_S)

struct tp_conn {
	uint64_t keepalive;
	unsigned calls;
};

void
tp_conn_set_keepalive(struct tp_conn *c, uint64_t ns)
{
	c->keepalive = ns;
	c->calls++;
}

static void
keys_make_it_often_for_a_while(void **state)
{
	struct tp_conn c = {.keepalive = SELDOM};
	struct presence *p;
	struct ev *ev;

	(void)state;
	assert_int_equal(ev_new_virtual(&ev, START), 0);
	assert_int_equal(presence_new(&p, ev, &c, SELDOM), 0);
	ev_virtual_run(ev, START + 100 * NS_PER_S);
	assert_int_equal(c.calls, 0);
	presence_typed(p);
	assert_int_equal(c.keepalive, PRESENCE_OFTEN);
	ev_virtual_run(ev, START + 130 * NS_PER_S);
	presence_typed(p); /* which makes it last */
	ev_virtual_run(ev, START + 130 * NS_PER_S + PRESENCE_LASTS - NS_PER_MS);
	assert_int_equal(c.keepalive, PRESENCE_OFTEN);
	assert_int_equal(c.calls, 1);
	ev_virtual_run(ev, START + 130 * NS_PER_S + PRESENCE_LASTS + NS_PER_MS);
	assert_int_equal(c.keepalive, SELDOM);
	presence_typed(p);
	assert_int_equal(c.keepalive, PRESENCE_OFTEN);
	presence_free(&p);
	ev_free(&ev);
}

static void
what_is_often_already_stays(void **state)
{
	struct tp_conn c = {.keepalive = 3 * NS_PER_S};
	struct presence *p;
	struct ev *ev;

	(void)state;
	assert_int_equal(ev_new_virtual(&ev, START), 0);
	assert_int_equal(presence_new(&p, ev, &c, c.keepalive), 0);
	presence_typed(p);
	ev_virtual_run(ev, START + 100 * NS_PER_S);
	assert_int_equal(c.calls, 0);
	presence_free(&p);
	ev_free(&ev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_make_it_often_for_a_while),
		cmocka_unit_test(what_is_often_already_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
