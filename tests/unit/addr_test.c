#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/net/addr.h"

static struct addr
parsed(const char *ip, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, ip, port), 0);
	return a;
}

static void
addresses_are_parsed_and_shown(void **state)
{
	char s[ADDR_STRLEN];
	struct addr a = parsed("192.0.2.1", 22), b = parsed("2001:DB8::1", 8022);

	(void)state;
	assert_int_equal(a.u.sa.sa_family, AF_INET);
	assert_string_equal(addr_str(&a, s), "192.0.2.1 port 22");
	assert_int_equal(b.len, sizeof(struct sockaddr_in6));
	assert_string_equal(addr_host(&b, s), "2001:db8::1");
	assert_int_equal(addr_port(&b), 8022);
	addr_set_port(&b, 1);
	assert_string_equal(addr_str(&b, s), "2001:db8::1 port 1");
	/* two in one log line */
	assert_string_not_equal(addr_show(&a), addr_show(&b));
	memset(&a, 0, sizeof(a));
	assert_string_equal(addr_host(&a, s), "UNKNOWN");
	assert_int_equal(addr_port(&a), 0);
	addr_set_port(&a, 5);
	assert_false(addr_is_any(&a));
}

static void
only_numbers_are_addresses(void **state)
{
	static const char *const bad[] = {"", "host", "192.0.2", "192.0.2.256", "1.2.3.4 ",
	    "2001:db8::1::2", "[::1]", "192.0.2.1%lo", "2001:db8::1%lo", "fe80::1%",
	    "fe80::1%nosuchif", "fe80::1%0", "fe80::1%4294967296",
	    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"};
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(addr_parse(&a, bad[i], 1), QERR_FORMAT);
		assert_int_equal(a.len, 0);
	}
}

static void
scopes_are_kept_for_link_local(void **state)
{
	char s[ADDR_STRLEN], name[IF_NAMESIZE], named[ADDR_STRLEN];
	struct addr a, b;

	(void)state;
	a = parsed("fe80::1%7777777", 1);
	assert_int_equal(a.u.in6.sin6_scope_id, 7777777);
	assert_string_equal(addr_host(&a, s), "fe80::1%7777777");
	b = parsed("fe80::1%7777778", 1);
	assert_false(addr_equal_host(&a, &b));
	if (if_indextoname(1, name) == NULL)
		return; /* no interface at all */
	snprintf(named, sizeof(named), "fe80::1%%%s", name);
	a = parsed(named, 1);
	assert_int_equal(a.u.in6.sin6_scope_id, 1);
	assert_string_equal(addr_host(&a, s), "fe80::1%1");
	assert_int_equal(addr_match_list(&a, named), 1);
	b = parsed("fe80::1%7777777", 1);
	assert_int_equal(addr_match_list(&b, named), 0);
}

static void
mapped_addresses_become_ipv4(void **state)
{
	struct sockaddr_in6 in6;
	struct addr a, b = parsed("192.0.2.1", 22);

	(void)state;
	memset(&in6, 0, sizeof(in6));
	in6.sin6_family = AF_INET6;
	in6.sin6_port = htons(22);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
	assert_int_equal(addr_from_sa(&a, (struct sockaddr *)&in6, sizeof(in6)), 0);
	assert_int_equal(a.u.sa.sa_family, AF_INET);
	assert_true(addr_equal(&a, &b));
	a = parsed("::ffff:192.0.2.1", 22);
	assert_true(addr_equal(&a, &b));
}

static void
socket_addresses_are_checked(void **state)
{
	struct sockaddr_storage ss;
	struct addr a;

	(void)state;
	memset(&ss, 0, sizeof(ss));
	ss.ss_family = AF_UNIX;
	assert_int_equal(addr_from_sa(&a, (struct sockaddr *)&ss, sizeof(ss)), QERR_UNSUPPORTED);
	ss.ss_family = AF_INET6;
	assert_int_equal(addr_from_sa(&a, (struct sockaddr *)&ss, sizeof(struct sockaddr_in)),
	    QERR_UNSUPPORTED);
	assert_int_equal(addr_from_sa(&a, (struct sockaddr *)&ss, 0), QERR_UNSUPPORTED);
	assert_int_equal(a.len, 0);
	assert_int_equal(addr_from_sa(&a, (struct sockaddr *)&ss, sizeof(struct sockaddr_in6)), 0);
	assert_true(addr_is_any(&a));
	ss.ss_family = AF_INET;
	assert_int_equal(addr_from_sa(&a, (struct sockaddr *)&ss, sizeof(struct sockaddr_in)), 0);
	assert_true(addr_is_any(&a));
}

static void
addresses_compare(void **state)
{
	struct addr a = parsed("192.0.2.1", 22), b = parsed("192.0.2.1", 23),
		    c = parsed("192.0.2.2", 22), d = parsed("::1", 22), e = parsed("::2", 22), none;

	(void)state;
	memset(&none, 0, sizeof(none));
	assert_true(addr_equal(&a, &a));
	assert_false(addr_equal(&a, &b));
	assert_true(addr_equal_host(&a, &b));
	assert_false(addr_equal_host(&a, &c));
	assert_false(addr_equal_host(&a, &d));
	assert_false(addr_equal_host(&d, &e));
	assert_true(addr_equal_host(&none, &none));
	assert_false(addr_equal_host(&none, &a));
	assert_false(addr_is_any(&d));
}

static const struct {
	const char *addr, *list;
	int want;
} lists[] = {
	{"192.0.2.1", "192.0.2.1", 1},
	{"192.0.2.1", "192.0.2.2", 0},
	{"192.0.2.1", "192.0.2.0/24", 1},
	{"192.0.3.1", "192.0.2.0/24", 0},
	{"192.0.2.129", "192.0.2.128/25", 1},
	{"192.0.2.127", "192.0.2.128/25", 0},
	{"10.255.255.255", "10.0.0.0/8", 1},
	{"192.0.2.1", "0.0.0.0/0", 1},
	{"192.0.2.1", "192.0.2.1/32", 1},
	{"2001:db8::1", "2001:db8::/32", 1},
	{"2001:db9::1", "2001:db8::/32", 0},
	{"2001:db8::1", "2001:db8::1/128", 1},
	{"2001:db8::1", "::/0", 1},
	{"2001:db8::1", "0.0.0.0/0", 0},
	{"192.0.2.1", "::/0", 0},
	{"2001:db8::5", "2001:db8::4/127", 1},
	{"2001:db8::6", "2001:db8::4/127", 0},
	{"2001:db8::1", "2001:DB8:0::1", 1},
	/* wildcards over the text */
	{"192.0.2.1", "192.0.*", 1},
	{"192.0.2.1", "192.0.2.?", 1},
	{"192.0.2.11", "192.0.2.?", 0},
	{"2001:db8::1", "2001:db8:*", 1},
	{"192.0.2.1", "*", 1},
	{"192.0.2.1", "host.example", 0},
	{"127.0.0.1", "127.1", 1},
	/* lists and negation */
	{"192.0.2.1", "10.0.0.0/8,192.0.2.0/24", 1},
	{"192.0.2.1", "192.0.2.0/24,!192.0.2.1", -1},
	{"192.0.2.1", "!192.0.2.1,192.0.2.0/24", -1},
	{"192.0.2.2", "192.0.2.0/24,!192.0.2.1", 1},
	{"192.0.2.2", "!192.0.2.1", 0},
	/* scopes */
	{"fe80::1%7777777", "fe80::/10", 1},
	{"fe80::1%7777777", "fe80::1", 1},
	{"fe80::1%7777777", "fe80::1%7777777", 1},
	{"fe80::1%7777777", "fe80::1%7777778", 0},
	{"fe80::1%7777777", "fe80:0::1%7777777", 1},
	{"fe80::1%7777777", "fe80::*", 1},
	{"fe80::1%7777777", "fe80::1%nosuchif", 0},
	/* malformed */
	{"192.0.2.1", "", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.1,", QERR_FORMAT},
	{"192.0.2.1", ",192.0.2.1", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.1,,10.0.0.1", QERR_FORMAT},
	{"192.0.2.1", "!", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.1/24", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.1/31", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.1/0", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.0/33", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.0/", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.0/-1", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.0/-0", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.0/2x", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.0/24/24", QERR_FORMAT},
	{"192.0.2.1", "host/24", QERR_FORMAT},
	{"192.0.2.1", "192.0.2.1,10.0.0.1/8", QERR_FORMAT}, /* also behind a match */
	{"2001:db8::1", "2001:db8::1/64", QERR_FORMAT},
	{"2001:db8::1", "2001:db8::/129", QERR_FORMAT},
};

static void
lists_match(void **state)
{
	char longest[300];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		a = parsed(lists[i].addr, 22);
		if (addr_match_list(&a, lists[i].list) != lists[i].want)
			fail_msg("%s in \"%s\" is not %d", lists[i].addr, lists[i].list,
			    lists[i].want);
		assert_int_equal(addr_match_list(NULL, lists[i].list),
		    lists[i].want == QERR_FORMAT ? QERR_FORMAT : 0);
	}
	memset(longest, '*', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(addr_match_list(&a, longest), QERR_FORMAT);
	memset(&a, 0, sizeof(a));
	assert_int_equal(addr_match_list(&a, "*,0.0.0.0/0,::/0"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_parsed_and_shown),
		cmocka_unit_test(only_numbers_are_addresses),
		cmocka_unit_test(scopes_are_kept_for_link_local),
		cmocka_unit_test(mapped_addresses_become_ipv4),
		cmocka_unit_test(socket_addresses_are_checked),
		cmocka_unit_test(addresses_compare),
		cmocka_unit_test(lists_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
