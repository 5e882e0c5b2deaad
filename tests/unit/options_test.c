/* The command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/options.h"
#include "client/plan.h"
#include "client/target.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"

#define ARGS_MAX 16

struct parsed {
	struct options o;
	struct buf why;
	int rc;
};

/* Splits words at single blanks: '~' stands for a blank inside a word. */
static struct parsed
parse(const char *line)
{
	struct parsed p;
	char *argv[ARGS_MAX + 2], *copy = strdup(line), *save = NULL;
	int argc = 0;

	for (char *w = strtok_r(copy, " ", &save); w && argc < ARGS_MAX; w = strtok_r(NULL, " ", &save)) {
		for (char *s = w; *s; s++)
			if (*s == '~')
				*s = ' ';
		argv[argc++] = w;
	}
	argv[argc] = NULL;
	buf_init(&p.why, 4096);
	p.rc = options_parse(&p.o, argc, argv, &p.why);
	buf_put_u8(&p.why, 0);
	free(copy);
	return p;
}

static void
done(struct parsed *p)
{
	options_free(&p->o);
	buf_free(&p->why);
}

static const char *
setting(const struct parsed *p, size_t i)
{
	return i < p->o.settings.n ? p->o.settings.v[i] : "(none)";
}

static void
a_host_and_a_command(void **state)
{
	struct parsed p = parse("qsh host echo a  b");

	(void)state;
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.o.host, "host");
	assert_null(p.o.user);
	assert_string_equal(p.o.command, "echo a b");
	assert_int_equal(p.o.settings.n, 0);
	done(&p);
}

static void
flags_before_and_behind_the_host(void **state)
{
	struct parsed p = parse("qsh -p 2222 me@host -i key~file -4 ls -l");

	(void)state;
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.o.host, "host");
	assert_string_equal(p.o.user, "me");
	assert_string_equal(p.o.command, "ls -l");
	assert_string_equal(setting(&p, 0), "Port \"2222\"");
	assert_string_equal(setting(&p, 1), "IdentityFile \"key file\"");
	assert_string_equal(setting(&p, 2), "AddressFamily \"inet\"");
	assert_string_equal(p.o.origins.v[0], "option -p");
	assert_int_equal(p.o.settings.n, 3);
	done(&p);
}

static void
two_dashes_end_the_flags(void **state)
{
	struct parsed p = parse("qsh -l bob host -- -x y");

	(void)state;
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.o.user, "bob");
	assert_string_equal(p.o.command, "-x y");
	done(&p);
	p = parse("qsh -- host ls");
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.o.host, "host");
	assert_string_equal(p.o.command, "ls");
	done(&p);
	p = parse("qsh -- -oProxyCommand=x ls");
	assert_int_equal(p.rc, QERR_INVAL);
	assert_non_null(strstr((const char *)buf_data(&p.why), "invalid characters"));
	done(&p);
}

static void
arguments_in_one_word_and_in_the_next(void **state)
{
	struct parsed p = parse("qsh -Nfp22 -oA=b -o C~d host");

	(void)state;
	assert_int_equal(p.rc, 0);
	assert_string_equal(setting(&p, 0), "SessionType \"none\"");
	assert_string_equal(setting(&p, 1), "StdinNull \"yes\"");
	assert_string_equal(setting(&p, 2), "ForkAfterAuthentication \"yes\"");
	assert_string_equal(setting(&p, 3), "Port \"22\"");
	assert_string_equal(setting(&p, 4), "A=b");
	assert_string_equal(setting(&p, 5), "C d");
	done(&p);
}

static void
quotes_survive(void **state)
{
	struct parsed p = parse("qsh -i a\"b\\c host");

	(void)state;
	assert_string_equal(setting(&p, 0), "IdentityFile \"a\\\"b\\\\c\"");
	done(&p);
}

static void
terminal_and_verbosity_overrule_o(void **state)
{
	static const struct {
		const char *line, *first;
	} cases[] = {
		{"qsh -o RequestTTY=no -t h", "RequestTTY \"yes\""},
		{"qsh -t -t h", "RequestTTY \"force\""},
		{"qsh -tt h", "RequestTTY \"force\""},
		{"qsh -tt -T h", "RequestTTY \"no\""},
		{"qsh -v h", "LogLevel \"DEBUG1\""},
		{"qsh -vv h", "LogLevel \"DEBUG2\""},
		{"qsh -vvvvv h", "LogLevel \"DEBUG3\""},
		{"qsh -v -q h", "LogLevel \"QUIET\""},
		{"qsh -o LogLevel=ERROR -q h", "LogLevel \"QUIET\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p = parse(cases[i].line);

		assert_int_equal(p.rc, 0);
		assert_string_equal(setting(&p, 0), cases[i].first);
		done(&p);
	}
}

static void
single_letter_settings(void **state)
{
	static const struct {
		const char *line, *first;
	} cases[] = {
		{"qsh -6 h", "AddressFamily \"inet6\""},
		{"qsh -B eth0 h", "BindInterface \"eth0\""},
		{"qsh -b ::1 h", "BindAddress \"::1\""},
		{"qsh -e ^A h", "EscapeChar \"^A\""},
		{"qsh -n h", "StdinNull \"yes\""},
		{"qsh -s h sftp", "SessionType \"subsystem\""},
		{"qsh qsh://u@[::1]:99 x", "Port \"99\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p = parse(cases[i].line);

		assert_int_equal(p.rc, 0);
		assert_string_equal(setting(&p, 0), cases[i].first);
		assert_int_equal(p.o.settings.n, 1);
		done(&p);
	}
}

static void
the_first_user_counts(void **state)
{
	struct parsed p = parse("qsh -l a b@h");

	(void)state;
	assert_string_equal(p.o.user, "a");
	done(&p);
	p = parse("qsh b@h -l a");
	assert_string_equal(p.o.user, "b");
	done(&p);
	p = parse("qsh h -l a");
	assert_string_equal(p.o.user, "a");
	done(&p);
}

static void
files_and_actions(void **state)
{
	struct parsed p = parse("qsh -F conf -E log -G -C -a -x -k host");

	(void)state;
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.o.config_file, "conf");
	assert_string_equal(p.o.log_file, "log");
	assert_int_equal(p.o.action, OPTIONS_DUMP);
	assert_true(p.o.compression);
	assert_int_equal(p.o.settings.n, 0);
	done(&p);
	p = parse("qsh -V");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.o.action, OPTIONS_VERSION);
	done(&p);
}

static void
mistakes_are_told(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{"qsh", "usage: qsh"},
		{"qsh -p 22", "usage: qsh"},
		{"qsh -p", "qsh: option requires an argument -- p\nusage"},
		{"qsh -z h", "qsh: unknown option -- z\nusage"},
		{"qsh -p 0 h", "qsh: Bad port '0'.\n"},
		{"qsh -p 65536 h", "qsh: Bad port '65536'.\n"},
		{"qsh -p 22x h", "qsh: Bad port '22x'.\n"},
		{"qsh -L 1:b:2 h", "qsh: -L: not supported yet\n"},
		{"qsh -A h", "qsh: -A: not supported yet\n"},
		{"qsh -J a h", "qsh: -J: not supported yet\n"},
		{"qsh a;b", "invalid characters"},
		{"qsh -l -x h", "username contains invalid characters"},
		{"qsh qsh://h/path", "no meaning"},
		{"qsh qsh://h:99999", "bad port"},
		{"qsh qsh://[::1", "malformed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p = parse(cases[i].line);

		assert_int_equal(p.rc, QERR_INVAL);
		assert_non_null(strstr((const char *)buf_data(&p.why), cases[i].text));
		done(&p);
	}
}

static void
targets(void **state)
{
	static const struct {
		const char *text, *user, *host;
		unsigned port;
		int rc;
	} cases[] = {
		{"h", NULL, "h", 0, 0},
		{"u@h", "u", "h", 0, 0},
		{"u@realm@h", "u@realm", "h", 0, 0},
		{"::1", NULL, "::1", 0, 0},
		{"fe80::1%eth0", NULL, "fe80::1%eth0", 0, 0},
		{"qsh://h", NULL, "h", 0, 0},
		{"QSH://h/", NULL, "h", 0, 0},
		{"ssh://u@h:22", "u", "h", 22, 0},
		{"ssh://u;fingerprint=x@h:22", "u", "h", 22, 0},
		{"qsh://a%40b@h", "a@b", "h", 0, 0},
		{"qsh://[::1]:8022", NULL, "::1", 8022, 0},
		{"qsh://u@[fe80::1%25eth0]", "u", "fe80::1%eth0", 0, 0},
		{"qsh://h:", NULL, "h", 0, 0},
		{"qsh://h%00", NULL, NULL, 0, QERR_FORMAT},
		{"qsh://h%2", NULL, NULL, 0, QERR_FORMAT},
		{"qsh://%zz@h", NULL, NULL, 0, QERR_FORMAT},
		{"qsh://", NULL, "", 0, QERR_FORMAT},
		{"qsh://[::1]x", NULL, NULL, 0, QERR_FORMAT},
		{"qsh://h:0", NULL, "h", 0, QERR_FORMAT},
		{"-h", NULL, "-h", 0, QERR_FORMAT},
		{"$(id)", NULL, "$(id)", 0, QERR_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target t;
		const char *why;
		int rc = target_parse(&t, cases[i].text, &why);

		assert_int_equal(rc, cases[i].rc);
		if (rc == 0) {
			assert_string_equal(t.host, cases[i].host);
			assert_string_equal(t.user ? t.user : "", cases[i].user ? cases[i].user : "");
			assert_int_equal(t.port, cases[i].port);
		}
		target_free(&t);
	}
}

/* ---- what is to be run ------------------------------------------------------------ */

static void
plans(void **state)
{
	static char remote[] = "uptime";
	static const struct {
		int request_tty, session_type;
		const char *command;
		bool remote_command, fork, stdin_null, tty;
		int rc;
		bool session, pty, refused;
		enum wire_start_kind kind;
	} cases[] = {
		/* a shell on a terminal; without one */
		{CCONF_TTY_AUTO, 0, NULL, 0, 0, 0, true, 0, true, true, false, WIRE_START_SHELL},
		{CCONF_TTY_AUTO, 0, NULL, 0, 0, 0, false, 0, true, false, true, WIRE_START_SHELL},
		{CCONF_TTY_NO, 0, NULL, 0, 0, 0, true, 0, true, false, false, WIRE_START_SHELL},
		/* a command */
		{CCONF_TTY_AUTO, 0, "ls", 0, 0, 0, true, 0, true, false, false, WIRE_START_EXEC},
		{CCONF_TTY_YES, 0, "ls", 0, 0, 0, true, 0, true, true, false, WIRE_START_EXEC},
		{CCONF_TTY_YES, 0, "ls", 0, 0, 0, false, 0, true, false, true, WIRE_START_EXEC},
		{CCONF_TTY_FORCE, 0, "ls", 0, 0, 0, false, 0, true, true, false, WIRE_START_EXEC},
		{CCONF_TTY_AUTO, 0, NULL, true, 0, 0, true, 0, true, false, false, WIRE_START_EXEC},
		{CCONF_TTY_AUTO, 0, NULL, 0, 0, true, true, 0, true, false, true, WIRE_START_SHELL},
		{CCONF_TTY_AUTO, 0, "ls", true, 0, 0, true, QERR_INVAL, 0, 0, 0, 0},
		/* subsystems */
		{CCONF_TTY_AUTO, CCONF_SESSION_SUBSYSTEM, "sftp", 0, 0, 0, true, 0, true, false, false,
		    WIRE_START_SUBSYSTEM},
		{CCONF_TTY_AUTO, CCONF_SESSION_SUBSYSTEM, NULL, 0, 0, 0, true, QERR_INVAL, 0, 0, 0, 0},
		/* nothing; the background */
		{CCONF_TTY_AUTO, CCONF_SESSION_NONE, NULL, 0, 0, 0, true, 0, false, false, false, 0},
		{CCONF_TTY_AUTO, CCONF_SESSION_NONE, NULL, 0, true, 0, true, 0, false, false, false, 0},
		{CCONF_TTY_AUTO, 0, NULL, 0, true, 0, true, QERR_INVAL, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cconf c = {.request_tty = cases[i].request_tty,
		    .session_type = cases[i].session_type,
		    .fork_after_auth = cases[i].fork, .stdin_null = cases[i].stdin_null,
		    .remote_command = cases[i].remote_command ? remote : NULL};
		struct plan p;
		const char *why = NULL;

		assert_int_equal(plan_make(&p, &c, cases[i].command, cases[i].tty, &why), cases[i].rc);
		if (cases[i].rc < 0) {
			assert_non_null(why);
			continue;
		}
		assert_int_equal(p.session, cases[i].session);
		assert_int_equal(p.pty, cases[i].pty);
		assert_int_equal(p.pty_refused, cases[i].refused);
		if (p.session)
			assert_int_equal(p.kind, cases[i].kind);
		assert_int_equal(p.stdin_null, cases[i].fork || cases[i].stdin_null);
	}
}

static void
silence(void **state)
{
	static const struct {
		bool pty;
		uint64_t connection; /* all in seconds; of the keepalive, milliseconds */
		unsigned interval, count;
		uint64_t keepalive, idle;
	} cases[] = {
		{true, 7 * 86400, 0, 3, 25000, 7 * 86400},
		{false, 7 * 86400, 0, 3, 25000, 120},
		{false, 7 * 86400, 15, 3, 15000, 45},
		{true, 7 * 86400, 15, 3, 15000, 45},
		{true, 6, 0, 3, 2000, 6},                        /* shorter than a translator's memory */
		{true, 7 * 86400, 300, 3, 25000, 900},           /* the server waits for 120 s */
		{false, 7 * 86400, 30, 1, 10000, 30},            /* the answer is there before the time is over */
		{false, 7 * 86400, 30, 0, 10000, 30},
		{true, 7 * 86400, 86400, UINT_MAX, 25000, 3650 * UINT64_C(86400)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cconf c = {.connection_timeout_ns = cases[i].connection * NS_PER_S,
			.server_alive_interval = cases[i].interval, .server_alive_count = cases[i].count};
		const struct plan p = {.pty = cases[i].pty};
		uint64_t keepalive, idle;

		plan_silence(&p, &c, &keepalive, &idle);
		assert_int_equal(keepalive, cases[i].keepalive * NS_PER_MS);
		assert_int_equal(idle, cases[i].idle * NS_PER_S);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_and_a_command),
		cmocka_unit_test(flags_before_and_behind_the_host),
		cmocka_unit_test(two_dashes_end_the_flags),
		cmocka_unit_test(arguments_in_one_word_and_in_the_next),
		cmocka_unit_test(quotes_survive),
		cmocka_unit_test(terminal_and_verbosity_overrule_o),
		cmocka_unit_test(single_letter_settings),
		cmocka_unit_test(the_first_user_counts),
		cmocka_unit_test(files_and_actions),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(targets),
		cmocka_unit_test(plans),
		cmocka_unit_test(silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
