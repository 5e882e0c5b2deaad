/* What the monitor finds out from the system: accounts, users' files, login records. As root also with
 * the privileges of another user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "server/monitor/account.h"
#include "server/monitor/asuser.h"
#include "server/monitor/keyfile.h"
#include "server/monitor/record.h"
#include "server/monitor/safepath.h"

#define NOBODY 65534

static char dir[64];

static int
set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/var/tmp/qsh-account-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	char cmd[128];
	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	return system(cmd);
}

static const char *
in_dir(const char *name)
{
	static char path[4][256];
	static unsigned i;
	char *p = path[i++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

static void
put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(in_dir(name), mode), 0);
}

/* ---- accounts --------------------------------------------------------------------------- */

static void
test_lookup(void **state)
{
	(void)state;
	struct account *a;
	assert_int_equal(account_lookup(&a, "root", 0), 0);
	assert_true(a->exists);
	assert_int_equal(a->uid, 0);
	assert_string_equal(a->name, "root");
	assert_true(strlist_has(&a->groups, "root"));
	account_free(&a);
	assert_null(a);
	assert_int_equal(account_lookup(&a, "no-such-user", 0), 0);
	assert_false(a->exists);
	assert_string_equal(a->name, "no-such-user");
	assert_int_not_equal(a->uid, 0);
	account_free(&a);
	assert_int_equal(account_lookup(&a, "", 0), 0);
	assert_false(a->exists);
	account_free(&a);
}

static void
test_text_file(void **state)
{
	(void)state;
	put("text", "hello\n", 0600);
	char *t = account_text_file(in_dir("text"), 100);
	assert_string_equal(t, "hello\n");
	free(t);
	assert_null(account_text_file(in_dir("text"), 5));
	assert_null(account_text_file(in_dir("none"), 100));
	assert_null(account_text_file(dir, 100));
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_null(account_text_file(in_dir("fifo"), 100));
}

/* ---- StrictModes --------------------------------------------------------------------------- */

static int
check_path(const char *path, const char *home, uid_t uid, char *why, size_t n)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return safepath_check(path, &st, home, uid, why, n);
}

static void
test_safe_path(void **state)
{
	(void)state;
	char why[512] = "", home[80], path[128];
	uid_t me = getuid();
	snprintf(home, sizeof home, "%s/home", dir);
	assert_int_equal(mkdir(home, 0755), 0);
	assert_int_equal(mkdir(in_dir("home/.ssh"), 0700), 0);
	put("home/.ssh/keys", "x", 0600);
	snprintf(path, sizeof path, "%s/.ssh/keys", home);
	assert_int_equal(check_path(path, home, me, why, sizeof why), 0);

	assert_int_equal(chmod(path, 0620), 0);
	assert_int_equal(check_path(path, home, me, why, sizeof why), QERR_PERM);
	assert_non_null(strstr(why, "modes for file"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(check_path(path, home, me, why, sizeof why), 0);

	assert_int_equal(chmod(in_dir("home/.ssh"), 0702), 0);
	assert_int_equal(check_path(path, home, me, why, sizeof why), QERR_PERM);
	assert_non_null(strstr(why, "modes for directory"));
	assert_int_equal(chmod(in_dir("home/.ssh"), 0700), 0);

	assert_int_equal(chmod(home, 0775), 0);
	assert_int_equal(check_path(path, home, me, why, sizeof why), QERR_PERM);
	assert_int_equal(chmod(home, 0755), 0);

	/* above the home nothing counts; without it everything up to the root does */
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(check_path(path, home, me, why, sizeof why), 0);
	assert_int_equal(check_path(path, "/nonexistent", me, why, sizeof why), QERR_PERM);
	assert_int_equal(chmod(dir, 0700), 0);

	/* a link out of the home is followed to where it leads */
	assert_int_equal(mkdir(in_dir("open"), 0777), 0);
	assert_int_equal(chmod(in_dir("open"), 0777), 0);
	put("open/keys", "x", 0600);
	assert_int_equal(symlink(in_dir("open/keys"), in_dir("home/.ssh/link")), 0);
	assert_int_equal(check_path(in_dir("home/.ssh/link"), home, me, why, sizeof why), QERR_PERM);

	assert_int_equal(check_path(in_dir("home/.ssh"), home, me, why, sizeof why), QERR_PERM);
	assert_non_null(strstr(why, "not a regular file"));
	if (me == 0) {
		assert_int_equal(chown(path, NOBODY, (gid_t)-1), 0);
		assert_int_equal(check_path(path, home, NOBODY, why, sizeof why), 0);
		assert_int_equal(check_path(path, home, 1, why, sizeof why), QERR_PERM);
	}
}

/* ---- privileges --------------------------------------------------------------------------- */

static void
test_as_user(void **state)
{
	(void)state;
	struct asuser as;
	if (getuid() != 0)
		skip(); /* only root can take on another user */
	const struct passwd *pw = getpwuid(NOBODY);
	if (!pw)
		skip();
	put("secret", "x", 0600);
	gid_t before[64], after[64], now[64];
	const gid_t ours[] = {0, 4}; /* that the user must not have */
	assert_int_equal(setgroups(2, ours), 0);
	int nbefore = getgroups(64, before);
	struct account *a;
	assert_int_equal(account_lookup(&a, pw->pw_name, 0), 0);
	assert_int_equal(asuser_begin(&as, a), 0);
	uid_t euid = geteuid();
	gid_t egid = getegid();
	int fd = open(in_dir("secret"), O_RDONLY);
	int nnow = getgroups(64, now);
	asuser_end(&as);
	assert_int_equal(nnow, a->ngids);
	assert_memory_equal(now, a->gids, (size_t)nnow * sizeof now[0]);
	assert_int_equal(euid, NOBODY);
	assert_int_equal(egid, a->gid);
	account_free(&a);
	assert_int_equal(fd, -1);
	for (int i = 0; i < nnow; i++)
		assert_true(now[i] != 0 && now[i] != 4);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), getgid());
	assert_int_equal(getgroups(64, after), nbefore);
	assert_memory_equal(after, before, (size_t)nbefore * sizeof before[0]);
}

/* ---- key files -------------------------------------------------------------------------------- */

struct scene {
	struct account a;
	struct sconf c;
	struct privkey k;
	struct addr from;
	char *pattern[2];
	char name[64], text[2][256];
};

static void
scene(struct scene *s)
{
	uint8_t seed[32] = {9};
	memset(s, 0, sizeof *s);
	const struct passwd *pw = getpwuid(getuid());
	snprintf(s->name, sizeof s->name, "%s", pw ? pw->pw_name : "someone");
	s->a = (struct account){
	    .name = s->name, .home = dir, .uid = getuid(), .gid = getgid(), .exists = true};
	s->pattern[0] = s->text[0];
	s->c.authorized_keys_files = (struct strlist){s->pattern, 1};
	snprintf(s->text[0], sizeof s->text[0], "keys");
	assert_int_equal(privkey_from_seed(&s->k, seed), 0);
	assert_int_equal(addr_parse(&s->from, "192.0.2.1", 1), 0);
}

static void
put_key(const struct scene *s, const char *name, const char *before, const char *options)
{
	char *t = pubkey_to_text(&s->k.pub), text[2048];
	snprintf(text, sizeof text, "%s%s%s%s me\n", before, options, options[0] ? " " : "", t);
	put(name, text, 0600);
	free(t);
}

static int
find(struct scene *s, struct authkey_line *l)
{
	return keyfile_find(&s->a, &s->c, &s->k.pub, &s->from, 1000, l);
}

static void
test_find(void **state)
{
	(void)state;
	struct scene s;
	struct authkey_line l;
	scene(&s);
	assert_int_equal(find(&s, &l), 0); /* no file */
	put_key(&s, "keys", "# a comment\n\ngarbage\n", "command=\"x\"");
	assert_int_equal(find(&s, &l), 1);
	assert_string_equal(l.opts.command, "x");
	authkey_line_free(&l);
	s.c.authorized_keys_files.n = 0;
	assert_int_equal(find(&s, &l), 0);
	s.c.authorized_keys_files.n = 1;
	snprintf(s.text[0], sizeof s.text[0], "none");
	assert_int_equal(find(&s, &l), 0);
	privkey_free(&s.k);
}

/* A line that does not let in leaves it to a later one. */
static void
test_find_next_line(void **state)
{
	(void)state;
	struct scene s;
	struct authkey_line l;
	char before[512];
	scene(&s);
	char *t = pubkey_to_text(&s.k.pub);
	snprintf(before, sizeof before, "from=\"10.0.0.1\" %s\nnonsense %s\nexpiry-time=\"19700101\" %s\n", t, t, t);
	free(t);
	put_key(&s, "keys", before, "no-pty");
	assert_int_equal(find(&s, &l), 1);
	assert_true(l.opts.no_pty);
	assert_null(l.opts.from);
	authkey_line_free(&l);
	privkey_free(&s.k);
}

static void
test_two_files(void **state)
{
	(void)state;
	struct scene s;
	struct authkey_line l;
	scene(&s);
	put("keys", "", 0600);
	put_key(&s, "keys2", "", "");
	assert_int_equal(find(&s, &l), 0);
	s.pattern[1] = s.text[1];
	snprintf(s.text[1], sizeof s.text[1], "%%h/keys2");
	s.c.authorized_keys_files.n = 2;
	assert_int_equal(find(&s, &l), 1);
	authkey_line_free(&l);
	privkey_free(&s.k);
}

static void
test_file_path(void **state)
{
	(void)state;
	char name[] = "alice", home[] = "/home/alice";
	struct account a = {.name = name, .home = home, .uid = 1234, .exists = true};
	static const char *const rows[][2] = {
	    {".ssh/authorized_keys", "/home/alice/.ssh/authorized_keys"},
	    {"/etc/ssh/keys/%u", "/etc/ssh/keys/alice"},
	    {"%h/k-%U", "/home/alice/k-1234"},
	    {"/x/%%u", "/x/%u"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *path = keyfile_path(rows[i][0], &a);
		assert_string_equal(path, rows[i][1]);
		free(path);
	}
	a.exists = false; /* a name that a client made up is no part of a path */
	char *p = keyfile_path("/etc/ssh/keys/%u", &a);
	assert_string_equal(p, "/etc/ssh/keys/nonexistent");
	free(p);
	log_set_level(LOG_L_QUIET);
	assert_null(keyfile_path("/x/%q", &a));
	log_set_level(LOG_L_INFO);
}

/* What the user himself may not read is not read for him either. */
static void
test_find_as_user(void **state)
{
	(void)state;
	struct scene s;
	struct authkey_line l;
	const struct passwd *pw = getpwuid(NOBODY);
	if (getuid() != 0 || !pw)
		skip(); /* only root can take on another user */
	scene(&s);
	pw = getpwuid(NOBODY); /* scene() has looked somebody else up */
	snprintf(s.name, sizeof s.name, "%s", pw->pw_name);
	s.a.uid = pw->pw_uid;
	s.a.gid = pw->pw_gid;
	assert_int_equal(chmod(dir, 0755), 0);
	put_key(&s, "keys", "", "");
	assert_int_equal(find(&s, &l), 0);
	assert_int_equal(chown(in_dir("keys"), NOBODY, (gid_t)-1), 0);
	assert_int_equal(find(&s, &l), 1);
	authkey_line_free(&l);
	assert_int_equal(geteuid(), 0);
	privkey_free(&s.k);
}

static void
test_user_env(void **state)
{
	(void)state;
	struct scene s;
	struct strlist env = {0};
	scene(&s);
	assert_int_equal(mkdir(in_dir(".ssh"), 0700), 0);
	put(".ssh/environment", "# no\nA=1\n\n  B=two words\n=bad\nnothing\n", 0600);
	assert_int_equal(keyfile_user_env(&s.a, NULL, &env), 0);
	assert_int_equal(env.n, 2);
	assert_string_equal(env.v[0], "A=1");
	assert_string_equal(env.v[1], "B=two words");
	strlist_free(&env);
	assert_int_equal(keyfile_user_env(&s.a, "B", &env), 0);
	assert_int_equal(env.n, 1);
	strlist_free(&env);
	privkey_free(&s.k);
}

/* ---- login records ------------------------------------------------------------------------------ */

static void
test_records(void **state)
{
	(void)state;
	char utmp[96], wtmp[96], lastlog[96], text[256];
	struct addr from;
	snprintf(utmp, sizeof utmp, "%s/utmp", dir);
	snprintf(wtmp, sizeof wtmp, "%s/wtmp", dir);
	snprintf(lastlog, sizeof lastlog, "%s/lastlog", dir);
	put("utmp", "", 0600);
	put("wtmp", "", 0600);
	put("lastlog", "", 0600);
	assert_int_equal(addr_parse(&from, "192.0.2.1", 1), 0);
	const struct record_files f = {utmp, wtmp, lastlog};
	const struct record r = {
	    .user = "alice", .uid = 12, .pid = getpid(), .tty = "/dev/pts/123", .from = &from};
	assert_string_equal(record_last(12, &f, text, sizeof text), "");
	record_login(&r, &f, 1000000000 * NS_PER_S + 5000);
	setenv("TZ", "UTC0", 1);
	tzset();
	assert_string_equal(record_last(12, &f, text, sizeof text),
	    "Last login: Sun Sep  9 01:46:40 2001 from 192.0.2.1\r\n");
	assert_string_equal(record_last(11, &f, text, sizeof text), "");
	assert_string_equal(record_last(13, &f, text, sizeof text), "");

	struct utmpx want = {.ut_type = USER_PROCESS};
	memcpy(want.ut_line, "pts/123", 8);
	utmpxname(utmp);
	setutxent();
	const struct utmpx *u = getutxline(&want);
	assert_non_null(u);
	assert_string_equal(u->ut_user, "alice");
	assert_string_equal(u->ut_host, "192.0.2.1");
	assert_memory_equal(u->ut_id, "/123", 4);
	assert_int_equal(u->ut_pid, getpid());
	assert_int_equal(u->ut_tv.tv_sec, 1000000000);

	record_logout(&r, &f, 1000000100 * NS_PER_S);
	setutxent();
	assert_null(getutxline(&want));
	endutxent();

	struct stat st;
	assert_int_equal(stat(wtmp, &st), 0);
	assert_int_equal(st.st_size, 2 * (off_t)sizeof(struct utmpx));
}

static void
test_tty_ok(void **state)
{
	(void)state;
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0)
		skip(); /* no terminals here */
	assert_int_equal(grantpt(master) | unlockpt(master), 0);
	const char *tty = ptsname(master);
	struct stat st;
	assert_int_equal(stat(tty, &st), 0);
	assert_int_equal(record_tty_ok(tty, st.st_uid), 0);
	assert_int_equal(record_tty_ok(tty, st.st_uid + 1), QERR_PERM);
	close(master);
	assert_int_equal(record_tty_ok("/dev/pts/", st.st_uid), QERR_FORMAT);
	assert_int_equal(record_tty_ok("/dev/pts/../null", 0), QERR_FORMAT);
	assert_int_equal(record_tty_ok("/dev/null", 0), QERR_FORMAT);
	assert_int_equal(record_tty_ok("/dev/pts/1x", 0), QERR_FORMAT);
	assert_int_equal(record_tty_ok("/dev/pts/99999999999", 0), QERR_FORMAT);
	assert_int_equal(record_tty_ok("/dev/pts/999999999", 0), QERR_SYS);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(test_lookup),
	    T(test_text_file),
	    T(test_safe_path),
	    T(test_as_user),
	    T(test_find),
	    T(test_find_next_line),
	    T(test_two_files),
	    T(test_file_path),
	    T(test_find_as_user),
	    T(test_user_env),
	    T(test_records),
	    T(test_tty_ok),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
