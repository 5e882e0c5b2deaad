#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/err.h"
#include "server/net/chanids.h"
#include "server/net/closetext.h"
#include "server/net/utf8.h"

static void
ids_in_order(void **state)
{
	struct chanids c = {0};

	(void)state;
	assert_false(chanids_has(&c, 0));
	for (uint64_t id = 0; id < 4 * 10000; id += 4) {
		assert_false(chanids_has(&c, id));
		assert_int_equal(chanids_add(&c, id), 0);
		assert_true(chanids_has(&c, id));
	}
	assert_true(chanids_has(&c, 4));
	assert_int_equal(chanids_add(&c, 4), 0);
	assert_int_equal(c.low, 10000);
}

static void
ids_out_of_order(void **state)
{
	struct chanids c = {0};

	(void)state;
	assert_int_equal(chanids_add(&c, 8), 0);
	assert_true(chanids_has(&c, 8));
	assert_false(chanids_has(&c, 4));
	assert_false(chanids_has(&c, 12));
	assert_int_equal(chanids_add(&c, 4 * (CHANIDS_SPAN - 1)), 0);
	assert_int_equal(chanids_add(&c, UINT64_C(4) * CHANIDS_SPAN), QERR_TOOBIG);
	assert_false(chanids_has(&c, UINT64_C(4) * CHANIDS_SPAN));
	assert_false(chanids_has(&c, (UINT64_C(1) << 62) - 4));
	assert_int_equal(chanids_add(&c, (UINT64_C(1) << 62) - 4), QERR_TOOBIG);
	assert_int_equal(chanids_add(&c, 0), 0);
	assert_int_equal(chanids_add(&c, 4), 0);
	assert_int_equal(c.low, 3);
	/* The ring has turned: an old bit is not taken for a new one. */
	assert_int_equal(chanids_add(&c, UINT64_C(4) * CHANIDS_SPAN), 0);
	assert_false(chanids_has(&c, UINT64_C(4) * (CHANIDS_SPAN + 1)));
	assert_false(chanids_has(&c, UINT64_C(4) * (CHANIDS_SPAN + 2)));
}

static void
utf8(void **state)
{
	static const char *const good[] = {
		"", "plain", "\x01\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa4z",
	};
	static const char *const bad[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xe1\x80",
		"\xe1\x80z", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xff", "ok\xfe",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(utf8_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(bad[i]));
}

static void
texts(void **state)
{
	static const struct {
		struct tp_close why;
		const char *text;
	} cases[] = {
		{{TP_CLOSED_APP, true, TP_OK, ""}, "by the client: orderly end (code 0)"},
		{{TP_CLOSED_APP, true, TP_E_HOSTKEY, "no\nkey"},
		    "by the client: no\\012key (code 9, host key not accepted)"},
		{{TP_CLOSED_APP, true, 4711, ""}, "by the client: unknown code (code 4711)"},
		{{TP_CLOSED_LOCAL, false, TP_E_PROTOCOL, "START message: malformed"},
		    "by the server: START message: malformed (code 1, protocol error)"},
		{{TP_CLOSED_TLS, true, 120, ""},
		    "the client speaks another protocol (TLS alert 120)"},
		{{TP_CLOSED_TLS, true, 42, "bad certificate"},
		    "TLS handshake failed at the client: alert 42, bad certificate"},
		{{TP_CLOSED_TRANSPORT, true, 10, "PROTOCOL_VIOLATION"},
		    "QUIC error 0xa said by the client: PROTOCOL_VIOLATION"},
		{{TP_CLOSED_TRANSPORT, false, 3, ""}, "QUIC error 0x3"},
		{{TP_CLOSED_IDLE, false, 0, ""}, "the client has been silent for too long"},
		{{TP_CLOSED_SYS, false, 2, ""}, "local failure: out of memory"},
	};
	char dst[CLOSE_TEXT_MAX], small[8];
	struct tp_close full = {TP_CLOSED_APP, true, TP_OK, ""};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(close_text(dst, sizeof(dst), &cases[i].why), cases[i].text);
	for (unsigned by = 0; by < 20; by++) {
		full.by = (enum tp_close_by)by;
		assert_true(strlen(close_text(dst, sizeof(dst), &full)) > 4);
	}
	/* A reason without its end, and little room. */
	memset(full.reason, 0x01, sizeof(full.reason));
	full.by = TP_CLOSED_APP;
	assert_true(strlen(close_text(dst, sizeof(dst), &full)) < sizeof(dst));
	assert_true(strlen(close_text(small, sizeof(small), &full)) < sizeof(small));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_in_order),
		cmocka_unit_test(ids_out_of_order),
		cmocka_unit_test(utf8),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
