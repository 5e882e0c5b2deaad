/* client/conf: what configurations say for a host. */
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/conf/cconf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/net/transport.h"

static char logged[8192];

static void
keep_log(void *arg, enum log_level level, const char *line)
{
	size_t n = strlen(logged);

	(void)arg;
	(void)level;
	snprintf(logged + n, sizeof(logged) - n, "%s\n", line);
}

static int
set_up(void **state)
{
	(void)state;
	log_to_sink(keep_log, NULL);
	log_set_level(LOG_L_INFO);
	return 0;
}

/* ---- one text ------------------------------------------------------------- */

static int
try(const char *text, const char *host, const char *user, const char *command, struct cconf **c)
{
	struct cconf_ctx *ctx;
	int r;

	logged[0] = '\0';
	assert_int_equal(cconf_new(&ctx), 0);
	assert_int_equal(cconf_add_text(ctx, "conf", (const uint8_t *)text, strlen(text)), 0);
	r = cconf_finish(ctx, host, user, command, c);
	cconf_ctx_free(&ctx);
	assert_null(ctx);
	assert_int_equal(r != 0, *c == NULL);
	return r;
}

static struct cconf *
eval(const char *text, const char *host)
{
	struct cconf *c;

	if (try(text, host, NULL, NULL, &c) != 0)
		fail_msg("%s%s", text, logged);
	return c;
}

static void
defaults(void **state)
{
	const struct passwd *pw = getpwuid(getuid());
	struct cconf *c = eval("", "Some.Host");
	char *path = str_printf("%s/.ssh/id_ed25519", pw->pw_dir);

	(void)state;
	assert_string_equal(c->host, "Some.Host");
	assert_string_equal(c->hostname, "some.host");
	assert_string_equal(c->user, pw->pw_name);
	assert_int_equal(c->port, 22);
	assert_int_equal(c->quic_ports.n, 0);
	assert_true(strlist_has(&c->identity_files, path));
	assert_int_equal(c->user_known_hosts.n, 2);
	assert_int_equal(c->global_known_hosts.n, 2);
	assert_int_equal(c->strict_host_key, CCONF_SHK_ASK);
	assert_int_equal(c->request_tty, CCONF_TTY_AUTO);
	assert_int_equal(c->session_type, CCONF_SESSION_DEFAULT);
	assert_int_equal(c->escape_char, '~');
	assert_int_equal(c->server_alive_count, 3);
	assert_int_equal(c->password_prompts, 3);
	assert_true(c->connection_timeout_ns == 7 * 86400 * NS_PER_S);
	assert_int_equal(c->congestion_control, TP_CC_BBR);
	assert_true(c->connection_buffer == 64 << 20);
	assert_true(c->pubkey_auth);
	assert_false(c->batch_mode || c->send_sni || c->identities_only || c->hash_known_hosts);
	assert_true(c->migrate);
	assert_null(c->identity_agent);
	assert_null(c->remote_command);
	assert_null(c->proxy_command);
	free(path);
	cconf_free(&c);
	assert_null(c);
}

static void
our_own_keywords(void **state)
{
	struct cconf *c =
	    eval("QuicPort 22,443 8443 443\nConnectionTimeout 2h\nSendSNI yes\nMigrate no\n"
	         "CongestionControl cubic\nConnectionBuffer 2048k\n", "h");
	struct buf b;

	(void)state;
	assert_int_equal(c->quic_ports.n, 3);
	assert_string_equal(c->quic_ports.v[1], "443");
	assert_true(c->connection_timeout_ns == 7200 * NS_PER_S);
	assert_int_equal(c->congestion_control, TP_CC_CUBIC);
	assert_true(c->connection_buffer == 2 << 20);
	assert_true(c->send_sni);
	assert_false(c->migrate);
	buf_init(&b, 65536);
	assert_int_equal(cconf_dump(&b, c), 0);
	buf_put_u8(&b, 0);
	assert_non_null(strstr((const char *)buf_data(&b), "\nquicport 22,443,8443\n"));
	assert_non_null(strstr((const char *)buf_data(&b), "\nconnectiontimeout 7200\n"));
	assert_non_null(strstr((const char *)buf_data(&b), "\ncongestioncontrol cubic\n"));
	assert_non_null(strstr((const char *)buf_data(&b), "\nconnectionbuffer 2M\n"));
	buf_free(&b);
	cconf_free(&c);
	c = eval("KeyLogFile %h.keys\nQLogDirectory none\nHostname other\n", "h");
	assert_string_equal(c->key_log_file, "other.keys");
	assert_null(c->qlog_dir);
	cconf_free(&c);
	assert_int_equal(try("QuicPort 22,\n", "h", NULL, NULL, &c), QERR_FORMAT);
	assert_int_equal(try("QuicPort 0\n", "h", NULL, NULL, &c), QERR_FORMAT);
	assert_int_equal(try("ConnectionTimeout 0\n", "h", NULL, NULL, &c), QERR_FORMAT);
}

/* ---- blocks --------------------------------------------------------------- */

/* Does a block apply to host.example (HostName real.example), user ann, command "ls -l", tag t?
 */
static int
applies(const char *block)
{
	struct cconf *c;
	char text[256];
	int r;

	snprintf(text, sizeof(text), "Tag t\nHostName real.example\n%s\n\tPort 3\n", block);
	if (try(text, "host.example", "ann", "ls -l", &c) != 0)
		fail_msg("%s: %s", block, logged);
	r = c->port == 3;
	cconf_free(&c);
	return r;
}

static void
blocks(void **state)
{
	static const char *const yes[] = {"Host *", "Host host.example", "Host x h*.example",
	    "Host * !other", "Match all", "Match host real.example", "Match host=real.*",
	    "Match originalhost host.example", "Match user ann", "Match !user bob",
	    "Match host *.example,!host.* user a*", "Match command \"ls *\"",
	    "Match sessiontype exec", "Match tagged t", "Match final all", "Match final",
	    "Match canonical final", "Match localnetwork 127.0.0.0/8", "Match version qsh_*",
	    "Match HOST REAL.EXAMPLE"};
	static const char *const no[] = {"Host other", "Host HOST.example", "Host * !host.*",
	    "Host !other", "Match host host.example", "Match originalhost real.example",
	    "Match user bob", "Match !user ann", "Match user ann host other",
	    "Match sessiontype shell", "Match tagged other", "Match exec true",
	    "Match canonical all", "Match localnetwork 203.0.113.0/24"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!applies(yes[i]))
			fail_msg("does not apply: %s", yes[i]);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (applies(no[i]))
			fail_msg("applies: %s", no[i]);
}

static void
second_pass(void **state)
{
	struct cconf *c;

	(void)state;
	c = eval("Match final host real.example\n\tPort 5\n\tSendEnv LAST\n\tHostName third\n"
		 "Host alias\n\tHostName REAL.example\n\tSendEnv FIRST\n\tIdentityFile /k\n",
	    "alias");
	assert_int_equal(c->port, 5);
	assert_string_equal(c->hostname, "real.example");
	assert_int_equal(c->send_env.n, 2);
	assert_int_equal(c->identity_files.n, 1);
	cconf_free(&c);
}

static void
first_value_wins(void **state)
{
	struct cconf *c =
	    eval("Port 1\nPort 2\nUser a\nUser b\nIdentityFile /1\nIdentityFile /2\n"
		 "IdentityFile /1\nSetEnv A=1 A=2 B=3\nSetEnv C=4\nSendEnv X Y_* -X\n"
		 "UserKnownHostsFile /a /b\nUserKnownHostsFile /c\n",
		"h");

	(void)state;
	assert_int_equal(c->port, 1);
	assert_string_equal(c->user, "a");
	assert_int_equal(c->identity_files.n, 2);
	assert_int_equal(c->set_env.n, 2);
	assert_string_equal(c->set_env.v[0], "A=1");
	assert_int_equal(c->send_env.n, 1);
	assert_string_equal(c->send_env.v[0], "Y_*");
	assert_int_equal(c->user_known_hosts.n, 2);
	cconf_free(&c);
}

/* ---- values --------------------------------------------------------------- */

static void
tokens_and_tildes(void **state)
{
	const struct passwd *pw = getpwuid(getuid());
	struct cconf *c;
	char *want;

	(void)state;
	setenv("CCONF_TEST", "env", 1);
	c = eval("HostName %h.example\nPort 2022\nUser ann\nHostKeyAlias ali\n"
		 "IdentityFile ~/k_%h_%n_%p_%r_%k_%%\nIdentityFile %d/${CCONF_TEST}/%u\n"
		 "UserKnownHostsFile ~/%k /x/%i\nRemoteCommand echo %r@%h ~ ${CCONF_TEST}\n"
		 "IdentityAgent ~/a_%n\n",
	    "h");
	assert_string_equal(c->hostname, "h.example");
	want = str_printf("%s/k_h.example_h_2022_ann_ali_%%", pw->pw_dir);
	assert_string_equal(c->identity_files.v[0], want);
	free(want);
	want = str_printf("%s/env/%s", pw->pw_dir, pw->pw_name);
	assert_string_equal(c->identity_files.v[1], want);
	free(want);
	want = str_printf("/x/%lu", (unsigned long)getuid());
	assert_string_equal(c->user_known_hosts.v[1], want);
	free(want);
	want = str_printf("%s/a_h", pw->pw_dir);
	assert_string_equal(c->identity_agent, want);
	free(want);
	assert_string_equal(c->remote_command, "echo ann@h.example ~ ${CCONF_TEST}");
	cconf_free(&c);
}

/* SHA-1 of local host name, host, port, user and jump host, as ssh makes %C. */
static void
connection_token(void **state)
{
	struct cconf *c = eval("IdentityFile /%C\n", "h");

	(void)state;
	assert_int_equal(strlen(c->identity_files.v[0]), 41);
	assert_int_equal(strspn(c->identity_files.v[0] + 1, "0123456789abcdef"), 40);
	cconf_free(&c);
}

static void
bad_expansions(void **state)
{
	static const char *const bad[] = {"IdentityFile %x", "IdentityFile ${CCONF_NOT_SET}",
	    "IdentityFile ${", "IdentityFile ~nosuchuser_/k", "UserKnownHostsFile %",
	    "HostName %p", "RemoteCommand %Z", "IdentityAgent %x"};
	struct cconf *c;
	size_t i;

	(void)state;
	unsetenv("CCONF_NOT_SET");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(try(bad[i], "h", NULL, NULL, &c), QERR_FORMAT);
		assert_true(strlen(logged) > 10);
	}
}

static void
none(void **state)
{
	struct cconf *c = eval("IdentityFile none\nUserKnownHostsFile none\nEscapeChar none\n"
			       "RemoteCommand none\nProxyCommand none\nConnectTimeout none\n"
			       "GlobalKnownHostsFile none\nIdentityAgent none\n",
	    "h");

	(void)state;
	assert_int_equal(c->identity_files.n, 0);
	assert_int_equal(c->user_known_hosts.n, 0);
	assert_int_equal(c->global_known_hosts.n, 0);
	assert_int_equal(c->escape_char, -1);
	assert_null(c->remote_command);
	assert_null(c->proxy_command);
	assert_int_equal(c->connect_timeout, 0);
	assert_string_equal(c->identity_agent, "none");
	cconf_free(&c);
}

static void
agents(void **state)
{
	struct cconf *c;

	(void)state;
	setenv("CCONF_TEST", "/run/agent", 1);
	unsetenv("CCONF_NOT_SET");
	c = eval("IdentityAgent SSH_AUTH_SOCK\n", "h");
	assert_null(c->identity_agent);
	cconf_free(&c);
	c = eval("IdentityAgent $CCONF_TEST\n", "h");
	assert_string_equal(c->identity_agent, "/run/agent");
	cconf_free(&c);
	c = eval("IdentityAgent $CCONF_NOT_SET\n", "h");
	assert_string_equal(c->identity_agent, "none");
	cconf_free(&c);
	c = eval("IdentityAgent ${CCONF_TEST}.2\n", "h");
	assert_string_equal(c->identity_agent, "/run/agent.2");
	cconf_free(&c);
}

static void
proxies(void **state)
{
	struct cconf *c;

	(void)state;
	c = eval("ProxyJump a,b\nProxyCommand nc %h\n", "h");
	assert_string_equal(c->proxy_jump, "a,b");
	assert_null(c->proxy_command);
	cconf_free(&c);
	c = eval("ProxyCommand none\nProxyJump a\n", "h");
	assert_null(c->proxy_jump);
	assert_null(c->proxy_command);
	cconf_free(&c);
}

/* What must not be passed over. */
static void
stops(void **state)
{
	struct cconf *c;

	(void)state;
	assert_int_equal(try("RevokedHostKeys /x\n", "h", NULL, NULL, &c), QERR_UNSUPPORTED);
	assert_non_null(strstr(logged, "RevokedHostKeys"));
	assert_int_equal(try("RevokedHostKeys none\n", "h", NULL, NULL, &c), 0);
	cconf_free(&c);
	assert_int_equal(
	    try("RefuseConnection use the new host\n", "h", NULL, NULL, &c), QERR_DENIED);
	assert_non_null(strstr(logged, "use the new host"));
	assert_int_equal(
	    try("Host other\nRefuseConnection x\nRevokedHostKeys /x\n", "h", NULL, NULL, &c),
	    0);
	cconf_free(&c);
}

/* Names that ssh would make canonical are not connected to as something else. */
static void
canonical_names(void **state)
{
	static const char on[] = "CanonicalizeHostname yes\nCanonicalDomains a.example\n";
	static const char cnames[] =
	    "CanonicalizeHostname always\nCanonicalizePermittedCNAMEs *.a:*.b\n";
	struct cconf *c;

	(void)state;
	assert_int_equal(try(on, "db", NULL, NULL, &c), QERR_UNSUPPORTED);
	assert_non_null(strstr(logged, "db: CanonicalizeHostname"));
	assert_int_equal(try(on, "db.x", NULL, NULL, &c), QERR_UNSUPPORTED);
	assert_int_equal(try(cnames, "db.x.y.z", NULL, NULL, &c), QERR_UNSUPPORTED);
	c = eval(on, "db.x.y");
	cconf_free(&c);
	c = eval(on, "192.0.2.1");
	cconf_free(&c);
	c = eval(on, "db.");
	cconf_free(&c);
	c = eval("CanonicalizeHostname yes\n", "db");
	cconf_free(&c);
	c = eval("Host db\nCanonicalizeHostname no\nHost *\nCanonicalizeHostname yes\n"
		 "CanonicalDomains a.example\n",
	    "db");
	cconf_free(&c);
}

static void
accepted_algorithms(void **state)
{
	struct cconf *c;

	(void)state;
	c = eval("PubkeyAcceptedAlgorithms +ssh-rsa\n", "h");
	assert_true(c->pubkey_auth);
	cconf_free(&c);
	c = eval("PubkeyAcceptedKeyTypes rsa-sha2-512\n", "h");
	assert_false(c->pubkey_auth);
	cconf_free(&c);
}

/* ---- bad lines -------------------------------------------------------------- */

static void
bad_lines(void **state)
{
	struct cconf *c;

	(void)state;
	assert_int_equal(
	    try("Nope 1\nPort 22\nHost other\n\tPort x\n\tUser \"y\nMatch nothing z\n", "h",
		NULL, NULL, &c),
	    QERR_FORMAT);
	assert_string_equal(logged,
	    "conf: line 1: Bad configuration option: Nope\n"
	    "conf: line 4: Port: \"x\" is not a number from 1 to 65535\n"
	    "conf: line 5: User: quote that does not end\n"
	    "conf: line 6: Match: criterion \"nothing\" is not known\n");
}

static void
bad_match_lines(void **state)
{
	static const char *const bad[] = {"Match", "Match host", "Match all host x",
	    "Match !all", "Match user x all", "Match localnetwork 10.0.0.0/99", "Match exec",
	    "Host"};
	struct cconf *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(try(bad[i], "h", NULL, NULL, &c), QERR_FORMAT);
		assert_non_null(strstr(logged, "conf: line 1: "));
	}
}

static void
ignore_unknown(void **state)
{
	struct cconf *c;

	(void)state;
	assert_int_equal(
	    try("IgnoreUnknown use*,x\nUseKeychain yes\nX y\n", "h", NULL, NULL, &c), 0);
	cconf_free(&c);
	assert_int_equal(
	    try("UseKeychain yes\nIgnoreUnknown use*\n", "h", NULL, NULL, &c), QERR_FORMAT);
	assert_int_equal(
	    try("Host o\nIgnoreUnknown use*\nHost *\nUseKeychain 1\n", "h", NULL, NULL, &c),
	    QERR_FORMAT);
}

static void
known_without_effect(void **state)
{
	struct cconf *c;

	(void)state;
	log_set_level(LOG_L_DEBUG1);
	c = eval(
	    "Ciphers aes128-ctr\nForwardAgent yes\nLocalForward 1 a:2\nUseRoaming no\n", "h");
	assert_non_null(strstr(logged, "conf line 1: Ciphers is passed over: "));
	assert_non_null(strstr(logged, "conf line 3: LocalForward is passed over: "));
	cconf_free(&c);
	log_set_level(LOG_L_INFO);
}

/* ---- the command line ---------------------------------------------------------- */

static void
command_line(void **state)
{
	static const char text[] = "Port 1\nUser file\nQuicPort 443\nIdentityFile /file\n";
	struct cconf_ctx *ctx;
	struct cconf *c;

	(void)state;
	logged[0] = '\0';
	assert_int_equal(cconf_new(&ctx), 0);
	assert_int_equal(cconf_set(ctx, "command-line", "Port=7"), 0);
	assert_int_equal(cconf_set(ctx, "command-line", "IdentityFile /arg"), 0);
	assert_int_equal(cconf_set(ctx, "command-line", "Nope=1"), QERR_FORMAT);
	assert_non_null(strstr(logged, "command-line: Bad configuration option: Nope"));
	assert_int_equal(cconf_set(ctx, "command-line", "Port=x"), QERR_FORMAT);
	assert_int_equal(cconf_set(ctx, "command-line", "Port"), QERR_FORMAT);
	assert_int_equal(cconf_set(ctx, "command-line", ""), QERR_FORMAT);
	assert_int_equal(cconf_set(ctx, "command-line", "User=\"x"), QERR_FORMAT);
	assert_int_equal(cconf_set(ctx, "command-line", "Host x"), QERR_FORMAT);
	assert_int_equal(cconf_set(ctx, "command-line", "Include /x"), QERR_FORMAT);
	assert_int_equal(cconf_set(ctx, "command-line", "Ciphers x"), 0);
	assert_int_equal(cconf_set(ctx, "command-line", "IgnoreUnknown=Foo"), 0);
	assert_int_equal(cconf_set(ctx, "command-line", "Foo=1"), 0);
	assert_int_equal(cconf_add_text(ctx, "conf", (const uint8_t *)text, strlen(text)), 0);
	assert_int_equal(cconf_finish(ctx, "h", "arg", NULL, &c), 0);
	assert_int_equal(c->port, 7);
	assert_int_equal(c->quic_ports.n, 0); /* a port that was typed is the one to use */
	assert_string_equal(c->user, "arg");
	assert_int_equal(c->identity_files.n, 2);
	assert_string_equal(c->identity_files.v[0], "/arg");
	cconf_free(&c);
	/* a context can be asked again, for another host */
	assert_int_equal(cconf_finish(ctx, "h2", NULL, NULL, &c), 0);
	assert_string_equal(c->user, "file");
	cconf_free(&c);
	cconf_ctx_free(&ctx);
}

/* ---- files ------------------------------------------------------------------------ */

static char dir[64];

static const char *
put_file(const char *name, const char *text)
{
	static char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, 0600);
	return path;
}

static void
files(void **state)
{
	struct cconf_ctx *ctx;
	struct cconf *c;
	char text[512], command[128];

	(void)state;
	logged[0] = '\0';
	snprintf(dir, sizeof(dir), "/tmp/cconf_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	put_file("inc", "User included\nHost other\nUser no\n");
	/* a block inside of what does not apply does not apply either */
	put_file("never", "Port 9\nHost h\nPort 9\nMatch all\nPort 9\n");
	snprintf(text, sizeof(text),
	    "Host other\nInclude %s/never %s/inc\nHost h\nInclude %s/inc %s/nothing\nPort 5\n",
	    dir, dir, dir, dir);
	assert_int_equal(cconf_new(&ctx), 0);
	assert_int_equal(cconf_add_file(ctx, "/nonexistent/config", false, true), 0);
	assert_int_equal(cconf_add_file(ctx, put_file("config", text), false, true), 0);
	assert_int_equal(cconf_finish(ctx, "h", NULL, NULL, &c), 0);
	assert_string_equal(c->user, "included");
	assert_int_equal(c->port, 5);
	cconf_free(&c);

	assert_int_equal(cconf_add_file(ctx, "/nonexistent/config", true, false), QERR_SYS);
	assert_non_null(strstr(logged, "Can't open user config file /nonexistent/config: "));
	chmod(put_file("open", "Port 6\n"), 0666);
	snprintf(text, sizeof(text), "%s/open", dir);
	assert_int_equal(cconf_add_file(ctx, text, false, true), QERR_PERM);
	assert_non_null(strstr(logged, "Bad owner or permissions on /tmp/cconf_test."));
	cconf_ctx_free(&ctx);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

/* Match exec is run, with tokens, for what is not excluded before it. */
static void
match_exec(void **state)
{
	struct cconf_ctx *ctx;
	struct cconf *c;
	char text[512], command[128], mark[128];

	(void)state;
	logged[0] = '\0';
	snprintf(dir, sizeof(dir), "/tmp/cconf_test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(mark, sizeof(mark), "%s/mark", dir);
	snprintf(text, sizeof(text),
	    "Match host other exec \"touch %s\"\n\tPort 1\n"
	    "Match exec \"test %%n = h -a %%h = real -a %%p = 22\"\n\tUser one\n"
	    "Match exec \"exit 3\"\n\tPort 2\nMatch exec \"echo out; exit 0\"\n\tTag x\n"
	    "Match exec \"/nonexistent/program\"\n\tPort 3\n",
	    mark);
	assert_int_equal(cconf_new(&ctx), 0);
	assert_int_equal(cconf_set(ctx, "command-line", "HostName=real"), 0);
	assert_int_equal(cconf_add_file(ctx, put_file("config", text), true, false), 0);
	assert_int_equal(cconf_finish(ctx, "h", NULL, NULL, &c), 0);
	assert_int_equal(access(mark, F_OK), -1);
	assert_string_equal(c->user, "one");
	assert_int_equal(c->port, 22);
	assert_string_equal(c->tag, "x");
	cconf_free(&c);
	cconf_ctx_free(&ctx);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(our_own_keywords),
	    cmocka_unit_test(blocks),
	    cmocka_unit_test(second_pass),
	    cmocka_unit_test(first_value_wins),
	    cmocka_unit_test(tokens_and_tildes),
	    cmocka_unit_test(connection_token),
	    cmocka_unit_test(bad_expansions),
	    cmocka_unit_test(none),
	    cmocka_unit_test(agents),
	    cmocka_unit_test(proxies),
	    cmocka_unit_test(stops),
	    cmocka_unit_test(canonical_names),
	    cmocka_unit_test(accepted_algorithms),
	    cmocka_unit_test(bad_lines),
	    cmocka_unit_test(bad_match_lines),
	    cmocka_unit_test(ignore_unknown),
	    cmocka_unit_test(known_without_effect),
	    cmocka_unit_test(command_line),
	    cmocka_unit_test(files),
	    cmocka_unit_test(match_exec),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
