/* Which address comes first, and what is said when none answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/race.h"
#include "client/words.h"
#include "common/base/clock.h"
#include "common/base/err.h"

/* '6' and '4' with a running number each. */
static size_t
addrs(const char *families, struct addr *v)
{
	size_t n = 0;

	for (; *families; families++, n++) {
		char ip[32];

		snprintf(ip, sizeof(ip), *families == '6' ? "2001:db8::%zu" : "192.0.2.%zu", n + 1);
		assert_int_equal(addr_parse(&v[n], ip, 0), 0);
	}
	return n;
}

static void
families_take_turns(void **state)
{
	static const struct {
		const char *from, *order; /* order: the places in from, from 1 */
	} cases[] = {
		{"", ""},
		{"4", "1"},
		{"66", "12"},
		{"64", "12"},
		{"6644", "1324"},
		{"4466", "1324"},
		{"66644", "14253"},
		{"46666", "12345"},
		{"6666444", "1526374"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr before[8], after[8];
		size_t n = addrs(cases[i].from, before);

		addrs(cases[i].from, after);
		race_interleave(after, n);
		for (size_t k = 0; k < n; k++)
			assert_true(addr_equal(&after[k], &before[cases[i].order[k] - '1']));
	}
}

static void
ports_come_one_after_the_other(void **state)
{
	struct addr v[2], out[8];
	unsigned ports[] = {22, 443};

	(void)state;
	addrs("64", v);
	assert_int_equal(race_plan(v, 2, ports, 2, out, 8), 4);
	assert_int_equal(addr_port(&out[0]), 22);
	assert_int_equal(addr_port(&out[1]), 22);
	assert_int_equal(addr_port(&out[2]), 443);
	assert_int_equal(out[0].u.sa.sa_family, AF_INET6);
	assert_int_equal(out[1].u.sa.sa_family, AF_INET);
	assert_int_equal(out[2].u.sa.sa_family, AF_INET6);
	assert_int_equal(race_plan(v, 2, ports, 2, out, 3), 3);
}

static void
reasons(void **state)
{
	static const struct {
		struct tp_close why;
		const char *text;
	} cases[] = {
		{{.by = TP_CLOSED_REFUSED}, "Connection refused"},
		{{.by = TP_CLOSED_REFUSED, .remote = true}, "the server is full: try again later"},
		{{.by = TP_CLOSED_HANDSHAKE_TIMEOUT}, "Connection timed out"},
		{{.by = TP_CLOSED_TLS, .code = 120},
		    "what answers there speaks QUIC, but not qsh (no common ALPN)"},
		{{.by = TP_CLOSED_TLS, .code = 40, .reason = "handshake failure"},
		    "TLS handshake failed: handshake failure (alert 40)"},
		{{.by = TP_CLOSED_VERSION},
		    "what answers there has no QUIC version in common with qsh"},
		{{.by = TP_CLOSED_APP, .code = TP_E_BUSY}, "the server is full: try again later"},
		{{.by = TP_CLOSED_APP, .code = TP_E_DENIED, .reason = "go away"}, "go away"},
		{{.by = TP_CLOSED_SYS, .code = 1, .reason = "Network is unreachable"},
		    "Network is unreachable"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[300];

		assert_string_equal(race_reason(&cases[i].why, text, sizeof(text)), cases[i].text);
	}
}

static void
the_reason_that_tells_most_wins(void **state)
{
	static const enum tp_close_by order[] = {TP_CLOSED_APP, TP_CLOSED_TLS, TP_CLOSED_REFUSED,
	    TP_CLOSED_HANDSHAKE_TIMEOUT, TP_CLOSED_SYS};

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(order) / sizeof(order[0]); i++) {
		struct tp_close a = {.by = order[i]}, b = {.by = order[i + 1]};

		assert_true(race_tells_more(&a, &b));
		assert_false(race_tells_more(&b, &a));
		assert_false(race_tells_more(&a, &a));
	}
}

static void
ends(void **state)
{
	static const struct {
		struct tp_close why;
		bool running;
		const char *text;
	} cases[] = {
		{{.by = TP_CLOSED_APP, .remote = true}, true, "Connection to h closed by remote host.\n"},
		{{.by = TP_CLOSED_APP, .remote = true}, false, "Connection closed by 192.0.2.1 port 22\n"},
		{{.by = TP_CLOSED_APP, .remote = true, .code = TP_E_AUTH,
		     .reason = "Too many authentication failures"},
		    false,
		    "Received disconnect from 192.0.2.1 port 22: Too many authentication failures\n"},
		{{.by = TP_CLOSED_APP, .remote = true, .code = TP_E_ADMIN, .reason = "bye"}, true,
		    "Received disconnect from 192.0.2.1 port 22: bye\n"
		    "Connection to h closed by remote host.\n"},
		{{.by = TP_CLOSED_IDLE}, true, "Timeout, server h not responding.\n"},
		{{.by = TP_CLOSED_RESET}, true,
		    "Connection to h closed: the server was restarted, or has ended this session, and no "
		    "longer knows it.\n"},
		{{.by = TP_CLOSED_TRANSPORT, .code = 10}, true, "Connection to h lost: QUIC error 10\n"},
		{{.by = TP_CLOSED_TRANSPORT, .reason = "odd frame"}, true,
		    "Connection to h lost: odd frame\n"},
	};
	struct addr remote;

	(void)state;
	assert_int_equal(addr_parse(&remote, "192.0.2.1", 22), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 4096);
		assert_int_equal(words_end(&b, &cases[i].why, "h", &remote, cases[i].running), 0);
		buf_put_u8(&b, 0);
		assert_string_equal((const char *)buf_data(&b), cases[i].text);
		buf_free(&b);
	}
}

static void
the_state_of_a_connection(void **state)
{
	struct tp_stats st = {.rtt_ns = 12300 * NS_PER_US, .min_rtt_ns = 11 * NS_PER_MS,
	    .rttvar_ns = 400 * NS_PER_US, .pkts_sent = 1500, .pkts_lost = 3, .sent = 1234567,
	    .received = 999, .cwnd = 20000, .age_ns = (86400 + 3600 + 2 * 60 + 3) * NS_PER_S,
	    .last_rx_ns = 10 * NS_PER_S, .pmtu = 1440, .moves = 1, .engine = "user", .carrier = "UDP",
	    .cipher = "AES-128-GCM"};
	struct buf b;

	(void)state;
	assert_int_equal(addr_parse(&st.path.remote, "192.0.2.1", 22), 0);
	assert_int_equal(addr_parse(&st.path.local, "10.0.0.1", 5000), 0);
	buf_init(&b, 4096);
	assert_int_equal(words_state(&b, &st, "h", 12 * NS_PER_S), 0);
	buf_put_u8(&b, 0);
	assert_string_equal((const char *)buf_data(&b),
	    "Connection to h, 192.0.2.1 port 22\n"
	    "  path        from 10.0.0.1 port 5000, 1440 bytes a packet, moved 1 time\n"
	    "  round trip  12.3 ms, least 11.0 ms, varies by 0.4 ms\n"
	    "  loss        0.20 %, 3 of 1500 packets\n"
	    "  bytes       1.2 MB sent, 999 bytes received, 0 bytes of 20.0 kB under way\n"
	    "  age         1d 01:02:03, last heard 2.0 s ago\n"
	    "  engine      user over UDP, AES-128-GCM\n");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_take_turns),
		cmocka_unit_test(ports_come_one_after_the_other),
		cmocka_unit_test(reasons),
		cmocka_unit_test(the_reason_that_tells_most_wins),
		cmocka_unit_test(ends),
		cmocka_unit_test(the_state_of_a_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
