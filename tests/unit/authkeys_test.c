/* Lines of authorized_keys, as sshd(8) describes them. */
#include "tests/unit/keys_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/err.h"
#include "common/keys/authkeys.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+A"

/* Parses options before the key; the line has to be accepted. */
static struct authkey_line
accepted(const char *opts)
{
	struct authkey_line l;
	const char *why;
	char text[2048];

	snprintf(text, sizeof(text), "%s " KEY " the comment ", opts);
	int r = authkey_parse(&l, text, &why);
	if (r != 1)
		print_error("%s: %s\n", opts, why);
	assert_int_equal(r, 1);
	assert_string_equal(l.comment, "the comment ");
	assert_true(l.key.ed25519);
	return l;
}

static void
refused(const char *opts, int want, const char *why_part)
{
	struct authkey_line l;
	const char *why;
	char text[2048];

	snprintf(text, sizeof(text), "%s " KEY, opts);
	int r = authkey_parse(&l, text, &why);
	if (r != want || !strstr(why, why_part))
		print_error("%s: %d %s\n", opts, r, why);
	assert_int_equal(r, want);
	assert_non_null(strstr(why, why_part));
	assert_null(l.key.blob);
}

static void
plain_lines(void **state)
{
	static const char *const nothing[] = {"", " ", "\t", "# x", ("  # " KEY), "\n", "\r\n"};
	struct authkey_line l;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		assert_int_equal(authkey_parse(&l, nothing[i], &why), 0);
	static const char *const good[] = {KEY, (" \t" KEY), (KEY " c"), (KEY "\r\n")};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(authkey_parse(&l, good[i], &why), 1);
		assert_false(l.opts.restrict_all || l.opts.no_pty || l.opts.command || l.opts.from);
		authkey_line_free(&l);
	}
	static const char *const bad[] = {"ssh-ed25519", "ssh-ed25519 AAAA", "x", (KEY "A"),
	    "\"", ("command=\"x ssh-ed25519 " KEY), "restrict", "restrict ", ("restrict\"" KEY)};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(authkey_parse(&l, bad[i], &why), QERR_FORMAT);
}

static void
flags(void **state)
{
	struct authkey_line l;

	(void)state;
	l = accepted("restrict");
	assert_true(l.opts.restrict_all && l.opts.no_pty && l.opts.no_port && l.opts.no_agent &&
	    l.opts.no_x11 && l.opts.no_user_rc);
	authkey_line_free(&l);
	l = accepted("restrict,pty,Agent-Forwarding,user-rc");
	assert_true(l.opts.restrict_all && l.opts.no_port && l.opts.no_x11);
	assert_false(l.opts.no_pty || l.opts.no_agent || l.opts.no_user_rc);
	authkey_line_free(&l);
	l = accepted("pty,restrict"); /* order counts, as in sshd */
	assert_true(l.opts.no_pty);
	authkey_line_free(&l);
	l = accepted("no-pty,no-port-forwarding,NO-X11-forwarding,no-agent-forwarding,no-user-rc");
	assert_true(l.opts.no_pty && l.opts.no_port && l.opts.no_x11 && l.opts.no_agent &&
	    l.opts.no_user_rc);
	assert_false(l.opts.restrict_all);
	authkey_line_free(&l);
	l = accepted("port-forwarding,X11-forwarding");
	assert_false(l.opts.no_port || l.opts.no_x11);
	authkey_line_free(&l);
	l = accepted("no-touch-required,verify-required");
	assert_true(l.opts.no_touch_required && l.opts.verify_required);
	authkey_line_free(&l);
	l = accepted("no-touch-required,touch-required,no-verify-required");
	assert_false(l.opts.no_touch_required || l.opts.verify_required);
	authkey_line_free(&l);
	l = accepted("cert-authority,principals=\"a,b\"");
	assert_true(l.opts.cert_authority);
	assert_string_equal(l.opts.principals, "a,b");
	authkey_line_free(&l);
}

static void
values(void **state)
{
	struct authkey_line l;

	(void)state;
	l = accepted("Command=\"echo \\\"a, b\\\" \\n = # \",no-pty,FROM=\"10.0.0.0/8,!10.1.2.3,*.x\"");
	assert_string_equal(l.opts.command, "echo \"a, b\" \\n = # ");
	assert_string_equal(l.opts.from, "10.0.0.0/8,!10.1.2.3,*.x");
	assert_true(l.opts.no_pty);
	authkey_line_free(&l);
	l = accepted("command=\"\"");
	assert_string_equal(l.opts.command, "");
	authkey_line_free(&l);
	l = accepted("environment=\"A=1\",environment=\"B=\",environment=\"A=2\",environment=\"AB=x=y\"");
	assert_int_equal(l.opts.nenv, 3);
	assert_string_equal(l.opts.env[0], "A=1"); /* the first one holds */
	assert_string_equal(l.opts.env[1], "B=");
	assert_string_equal(l.opts.env[2], "AB=x=y");
	authkey_line_free(&l);
	l = accepted("permitopen=\"h:1\",permitopen=\"[::1]:*\",permitlisten=\"8080\",permitlisten=\"l:http\"");
	assert_int_equal(l.opts.npermitopen, 2);
	assert_string_equal(l.opts.permitopen[1], "[::1]:*");
	assert_int_equal(l.opts.npermitlisten, 2);
	assert_string_equal(l.opts.permitlisten[0], "8080");
	authkey_line_free(&l);
	l = accepted("tunnel=\"any\",tunnel=\"3\"");
	assert_string_equal(l.opts.tunnel, "3");
	authkey_line_free(&l);
	l = accepted(",,no-pty,"); /* sshd passes over empty ones */
	assert_true(l.opts.no_pty);
	authkey_line_free(&l);
}

static void
refusals(void **state)
{
	static const struct {
		const char *opts;
		int err;
		const char *why;
	} rows[] = {
		{"frobnicate", QERR_UNKNOWN, "unknown option"},
		{"frob=\"x\"", QERR_UNKNOWN, "unknown option"},
		{"no-pty,frobnicate", QERR_UNKNOWN, "unknown option"},
		{"no-restrict", QERR_UNKNOWN, "unknown option"},
		{"no-cert-authority", QERR_UNKNOWN, "unknown option"},
		{"restricted", QERR_UNKNOWN, "unknown option"},
		{"restric", QERR_UNKNOWN, "unknown option"},
		{"command", QERR_UNKNOWN, "unknown option"},
		{"restrict=\"x\"", QERR_UNKNOWN, "unknown option"},
		{"no-no-pty", QERR_UNKNOWN, "unknown option"},
		{"command=\"x\"y", QERR_UNKNOWN, "unknown option"},
		{"\"no-pty\"", QERR_UNKNOWN, "unknown option"},
		{"=\"x\"", QERR_UNKNOWN, "unknown option"},
		{"command=x", QERR_FORMAT, "quote"},
		{"command=", QERR_FORMAT, "quote"},
		{"command=\"a\",command=\"b\"", QERR_FORMAT, "command="},
		{"from=\"a\",from=\"b\"", QERR_FORMAT, "from="},
		{"principals=\"a\"", QERR_FORMAT, "principals="},
		{"expiry-time=\"\"", QERR_FORMAT, "expiry-time="},
		{"expiry-time=\"2030\"", QERR_FORMAT, "expiry-time="},
		{"environment=\"A\"", QERR_FORMAT, "environment="},
		{"environment=\"=x\"", QERR_FORMAT, "environment="},
		{"environment=\"A-B=x\"", QERR_FORMAT, "environment="},
		{"permitopen=\"h\"", QERR_FORMAT, "permitopen="},
		{"permitopen=\"h:0\"", QERR_FORMAT, "permitopen="},
		{"permitopen=\"h:65536\"", QERR_FORMAT, "permitopen="},
		{"permitopen=\"[::1\"", QERR_FORMAT, "permitopen="},
		{"permitopen=\"h:\"", QERR_FORMAT, "permitopen="},
		{"permitlisten=\"\"", QERR_FORMAT, "permitlisten="},
		{"tunnel=\"x\"", QERR_FORMAT, "tunnel="},
		{"tunnel=\"-1\"", QERR_FORMAT, "tunnel="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused(rows[i].opts, rows[i].err, rows[i].why);
}

static void
expiry(void **state)
{
	static const struct {
		const char *text;
		uint64_t t; /* 0: refused */
	} rows[] = {
		{"20300101Z", 1893456000}, {"20300101UTC", 1893456000}, {"203001011230z", 1893501000},
		{"20300101123059Z", 1893501059}, {"20300101", 1893456000 + 7 * 3600},
		{"202407011200", 1719835200 + 7 * 3600},
		{"20301301Z", 0}, {"20300132Z", 0}, {"20300100Z", 0}, {"203001012460Z", 0},
		{"203001012400Z", 0}, {"2030010Z", 0}, {"203001011Z", 0}, {"20300101ZZ", 0}, {"Z", 0},
		{"19700101Z", 0}, {"19690101Z", 0}, {"99999999Z", 0}, {"-2030101Z", 0}, {" 20300101Z", 0},
	};
	char opts[80];

	(void)state;
	setenv("TZ", "XST7", 1); /* seven hours behind UTC */
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(opts, sizeof(opts), "expiry-time=\"%s\"", rows[i].text);
		if (rows[i].t) {
			struct authkey_line l = accepted(opts);
			assert_int_equal(l.opts.expiry, rows[i].t);
			authkey_line_free(&l);
		} else {
			refused(opts, QERR_FORMAT, "expiry-time=");
		}
	}
	/* The earliest of several holds. */
	struct authkey_line l = accepted("expiry-time=\"20310101Z\",expiry-time=\"20300101Z\","
					 "expiry-time=\"20320101Z\"");
	assert_int_equal(l.opts.expiry, 1893456000);
	authkey_line_free(&l);
}

static int
find(const char *text, size_t n, unsigned after, struct authkey_line *l, unsigned *lineno)
{
	struct pubkey k;

	assert_int_equal(pubkey_from_text(&k, fx_plain_pub, NULL), 0);
	fx_log_start();
	int r = authkeys_find_next("ak", (const uint8_t *)text, n, &k, after, l, lineno);
	pubkey_free(&k);
	return r;
}

static void
finding(void **state)
{
	struct authkey_line l;
	unsigned no = 0;
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text),
	    "# comment\r\n\n%s\n" /* 3: another key */
	    "frobnicate %s\n"     /* 4: a bad line of another key is not ours to speak of */
	    "frobnicate " KEY "\n"
	    "cert-authority " KEY "\n"
	    "\tfrom=\"a\" " KEY " six \r\n" /* 7 */
	    "command=\"x " KEY "\n"
	    "no-pty " KEY, /* 9, without an end */
	    fx_enc_pub, fx_enc_pub);
	assert_int_equal(find(text, strlen(text), 0, &l, &no), 1);
	assert_int_equal(no, 7);
	assert_string_equal(l.opts.from, "a");
	assert_string_equal(l.comment, "six");
	assert_string_equal(fx_log(), "ak:5: line refused: unknown option\n");
	authkey_line_free(&l);
	/* That line does not permit: the search goes on behind it. */
	assert_int_equal(find(text, strlen(text), no, &l, &no), 1);
	assert_int_equal(no, 9);
	assert_true(l.opts.no_pty);
	assert_string_equal(fx_log(), "ak:8: line refused: options without a quote at their end\n");
	authkey_line_free(&l);
	assert_int_equal(find(text, strlen(text), no, &l, &no), 0);
	assert_int_equal(find("", 0, 0, &l, &no), 0);
	/* A key cut short, or given another type, is no key. */
	assert_int_equal(find(KEY, strlen(KEY) - 4, 0, &l, &no), 0);
	char wrong[] = KEY;
	memcpy(wrong, " ssh-rsa   ", 11);
	assert_int_equal(find(wrong, strlen(wrong), 0, &l, &no), 0);
	assert_non_null(strstr(fx_log(), "ak:1: line refused"));
}

static void
zero_byte(void **state)
{
	static const char text[] = KEY " c\0from=\"nowhere\"\n";
	struct authkey_line l;
	unsigned no;

	(void)state;
	assert_int_equal(find(text, sizeof(text) - 1, 0, &l, &no), 0);
	assert_string_equal(fx_log(), "ak:1: line refused: zero byte inside\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_lines),
		cmocka_unit_test(flags),
		cmocka_unit_test(values),
		cmocka_unit_test(refusals),
		cmocka_unit_test(expiry),
		cmocka_unit_test(finding),
		cmocka_unit_test(zero_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
