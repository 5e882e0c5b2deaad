/* What a start request becomes, and the environment it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/err.h"
#include "common/wire/wire.h"
#include "server/broker/env.h"
#include "server/broker/plan.h"
#include "server/broker/signame.h"

#include <signal.h>

static char user[] = "alice", home[] = "/home/alice", shell[] = "/bin/bash", empty[] = "";

static struct smsg_binit
policy(void)
{
	return (struct smsg_binit){.user = user,
	    .home = home,
	    .shell = shell,
	    .uid = 1000,
	    .force_command = empty,
	    .permit_tty = 1,
	    .max_sessions = 10};
}

/* ---- plan -------------------------------------------------------------------------- */

static void
test_shell_and_exec(void **state)
{
	(void)state;
	struct smsg_binit b = policy();
	char cmd[] = "ls -l";
	struct smsg_start s = {.kind = WIRE_START_SHELL, .has_pty = 1};
	struct plan p;
	const char *why;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), 0);
	assert_null(p.command);
	assert_true(p.pty);
	assert_false(p.forced);
	plan_free(&p);
	s = (struct smsg_start){.kind = WIRE_START_EXEC, .command = cmd};
	assert_int_equal(plan_make(&p, &b, &s, 9, &why), 0);
	assert_string_equal(p.command, "ls -l");
	assert_false(p.pty);
	assert_null(p.original);
	plan_free(&p);
}

static void
test_sessions(void **state)
{
	(void)state;
	struct smsg_binit b = policy();
	struct smsg_start s = {.kind = WIRE_START_SHELL};
	struct plan p;
	const char *why = NULL;
	assert_int_equal(plan_make(&p, &b, &s, 10, &why), QERR_DENIED);
	assert_non_null(strstr(why, "MaxSessions"));
	b.max_sessions = 0;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), QERR_DENIED);
}

static void
test_no_tty(void **state)
{
	(void)state;
	struct smsg_binit b = policy();
	struct smsg_start s = {.kind = WIRE_START_SHELL, .has_pty = 1};
	struct plan p;
	const char *why;
	b.permit_tty = 0;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), 0);
	assert_false(p.pty);
	assert_true(p.pty_refused);
	plan_free(&p);
}

static void
test_forced(void **state)
{
	(void)state;
	struct smsg_binit b = policy();
	char forced[] = "backup", cmd[] = "rm -rf /";
	struct smsg_start s = {.kind = WIRE_START_EXEC, .command = cmd};
	struct plan p;
	const char *why;
	b.force_command = forced;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), 0);
	assert_string_equal(p.command, "backup");
	assert_string_equal(p.original, "rm -rf /");
	assert_true(p.forced);
	plan_free(&p);
	s = (struct smsg_start){.kind = WIRE_START_SHELL};
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), 0);
	assert_string_equal(p.command, "backup");
	assert_null(p.original);
	plan_free(&p);
}

static void
test_subsystem(void **state)
{
	(void)state;
	struct smsg_binit b = policy();
	char one[] = "sftp /usr/lib/sftp-server -e", two[] = "in internal-sftp -l INFO";
	char sftp[] = "sftp", in[] = "in", sft[] = "sft", forced[] = "only this";
	char *v[] = {one, two};
	struct smsg_start s = {.kind = WIRE_START_SUBSYSTEM, .command = sftp};
	struct plan p;
	const char *why;
	b.subsystems = (struct strlist){v, 2};
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), 0);
	assert_string_equal(p.command, "/usr/lib/sftp-server -e");
	assert_string_equal(p.subsystem, "sftp");
	plan_free(&p);
	s.command = sft;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), QERR_DENIED);
	s.command = empty;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), QERR_DENIED);
	s.command = in;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), QERR_DENIED);
	assert_non_null(strstr(why, "internal-sftp"));
	/* a forced command takes its place */
	b.force_command = forced;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), 0);
	assert_string_equal(p.command, "only this");
	assert_string_equal(p.original, "internal-sftp -l INFO");
	plan_free(&p);
}

static void
test_unknown_kind(void **state)
{
	(void)state;
	struct smsg_binit b = policy();
	struct smsg_start s = {.kind = 7};
	struct plan p;
	const char *why;
	assert_int_equal(plan_make(&p, &b, &s, 0, &why), QERR_DENIED);
}

/* ---- environment ---------------------------------------------------------------------- */

struct fixture {
	struct smsg_binit b;
	struct smsg_start s;
	struct tp_path path;
	struct env_in in;
	struct strlist env;
};

static void
fixture(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->b = policy();
	assert_int_equal(addr_parse(&f->path.remote, "192.0.2.7", 40000), 0);
	assert_int_equal(addr_parse(&f->path.local, "2001:db8::1", 22), 0);
	f->in = (struct env_in){.init = &f->b, .start = &f->s, .path = &f->path};
}

static void
test_env_basic(void **state)
{
	(void)state;
	struct fixture f;
	fixture(&f);
	assert_int_equal(env_build(&f.env, &f.in), 0);
	assert_string_equal(env_get(&f.env, "USER"), "alice");
	assert_string_equal(env_get(&f.env, "LOGNAME"), "alice");
	assert_string_equal(env_get(&f.env, "HOME"), "/home/alice");
	assert_string_equal(env_get(&f.env, "SHELL"), "/bin/bash");
	assert_string_equal(env_get(&f.env, "MAIL"), "/var/mail/alice");
	assert_null(strstr(env_get(&f.env, "PATH"), "sbin"));
	assert_string_equal(env_get(&f.env, "SSH_CLIENT"), "192.0.2.7 40000 22");
	assert_string_equal(env_get(&f.env, "SSH_CONNECTION"), "192.0.2.7 40000 2001:db8::1 22");
	assert_null(env_get(&f.env, "SSH_TTY"));
	assert_null(env_get(&f.env, "TERM"));
	assert_null(env_get(&f.env, "SSH_ORIGINAL_COMMAND"));
	strlist_free(&f.env);
	f.b.uid = 0;
	assert_int_equal(env_build(&f.env, &f.in), 0);
	assert_non_null(strstr(env_get(&f.env, "PATH"), "/usr/sbin"));
	strlist_free(&f.env);
}

static void
test_env_session(void **state)
{
	(void)state;
	struct fixture f;
	char term[] = "xterm-256color";
	fixture(&f);
	f.s.has_pty = 1;
	f.s.term = term;
	f.in.tty = "/dev/pts/9";
	f.in.original = "ls";
	f.in.auth_file = "/tmp/info";
	f.b.use_pam_motd = 1;
	assert_int_equal(env_build(&f.env, &f.in), 0);
	assert_string_equal(env_get(&f.env, "TERM"), term);
	assert_string_equal(env_get(&f.env, "SSH_TTY"), "/dev/pts/9");
	assert_string_equal(env_get(&f.env, "SSH_ORIGINAL_COMMAND"), "ls");
	assert_string_equal(env_get(&f.env, "SSH_USER_AUTH"), "/tmp/info");
	assert_null(env_get(&f.env, "MAIL"));
	strlist_free(&f.env);
}

/* Later sources win; what the client sends comes first and only where AcceptEnv names it. */
static void
test_env_order(void **state)
{
	(void)state;
	struct fixture f;
	char lang[] = "LANG=de", lc[] = "LC_ALL=C", evil[] = "LD_PRELOAD=/tmp/x", usr[] = "USER=root";
	char bad[] = "LANG", pam[] = "LANG=pam", set[] = "LC_ALL=set", conn[] = "SSH_CONNECTION=lie";
	char *sent[] = {lang, lc, evil, usr, bad}, *login[] = {pam, bad}, *admin[] = {set, conn};
	char pat1[] = "LANG", pat2[] = "LC_*", pat3[] = "USER";
	char *pats[] = {pat1, pat2, pat3};
	fixture(&f);
	f.s.env = (struct strlist){sent, 5};
	f.b.accept_env = (struct strlist){pats, 3};
	assert_int_equal(env_build(&f.env, &f.in), 0);
	assert_string_equal(env_get(&f.env, "LANG"), "de");
	assert_string_equal(env_get(&f.env, "LC_ALL"), "C");
	assert_string_equal(env_get(&f.env, "USER"), "alice");
	assert_null(env_get(&f.env, "LD_PRELOAD"));
	strlist_free(&f.env);
	f.b.env = (struct strlist){login, 2};
	f.b.set_env = (struct strlist){admin, 2};
	assert_int_equal(env_build(&f.env, &f.in), 0);
	assert_string_equal(env_get(&f.env, "LANG"), "pam");
	assert_string_equal(env_get(&f.env, "LC_ALL"), "set");
	assert_string_equal(env_get(&f.env, "SSH_CONNECTION"), "192.0.2.7 40000 2001:db8::1 22");
	strlist_free(&f.env);
}

static void
test_env_names(void **state)
{
	(void)state;
	struct strlist env = {0};
	assert_int_equal(env_set(&env, "", "x"), QERR_FORMAT);
	assert_int_equal(env_set(&env, "A=B", "x"), QERR_FORMAT);
	assert_int_equal(env_put(&env, "=x"), QERR_FORMAT);
	assert_int_equal(env_put(&env, "A"), QERR_FORMAT);
	assert_int_equal(env_put(&env, "AB=1"), 0);
	assert_int_equal(env_put(&env, "A=2"), 0);
	assert_int_equal(env_put(&env, "AB=3=4"), 0);
	assert_int_equal(env.n, 2);
	assert_string_equal(env_get(&env, "AB"), "3=4");
	assert_null(env_get(&env, "ABC"));
	strlist_free(&env);
}

static void
test_signals(void **state)
{
	(void)state;
	assert_int_equal(signame_to_number("INT"), SIGINT);
	assert_int_equal(signame_to_number("TERM"), SIGTERM);
	assert_int_equal(signame_to_number("STOP"), -1);
	assert_int_equal(signame_to_number("SIGINT"), -1);
	assert_int_equal(signame_to_number(""), -1);
	assert_string_equal(signame_of(SIGSEGV), "SEGV");
	assert_string_equal(signame_of(SIGBUS), "BUS");
	assert_string_equal(signame_of(12345), "UNKNOWN");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shell_and_exec),
	    cmocka_unit_test(test_sessions),
	    cmocka_unit_test(test_no_tty),
	    cmocka_unit_test(test_forced),
	    cmocka_unit_test(test_subsystem),
	    cmocka_unit_test(test_unknown_kind),
	    cmocka_unit_test(test_env_basic),
	    cmocka_unit_test(test_env_session),
	    cmocka_unit_test(test_env_order),
	    cmocka_unit_test(test_env_names),
	    cmocka_unit_test(test_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
