/* server/conf: what a configuration says for a connection, and what refuses the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/net/transport.h"
#include "server/conf/table.h"

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

static int
parse_as(const char *name, const char *text, struct sconf_src **s)
{
	logged[0] = '\0';
	return sconf_parse_text(s, name, (const uint8_t *)text, strlen(text));
}

static struct sconf *
eval(const char *text, const struct sconf_match *m)
{
	struct sconf_src *s;
	struct sconf *c;

	assert_int_equal(parse_as("qshd_config", text, &s), 0);
	assert_int_equal(sconf_eval(s, m, &c), 0);
	sconf_src_free(&s);
	assert_null(s);
	return c;
}

/* ---- defaults ------------------------------------------------------------- */

static void
defaults(void **state)
{
	struct sconf *c = eval("", NULL);

	(void)state;
	assert_int_equal(c->ports.n, 1);
	assert_string_equal(c->ports.v[0], "22");
	assert_int_equal(c->listen.n, 0);
	assert_int_equal(c->host_keys.n, 0);
	assert_int_equal(c->permit_root_login, SCONF_ROOT_PROHIBIT_PASSWORD);
	assert_int_equal(c->authorized_keys_files.n, 2);
	assert_true(c->pubkey_auth && c->strict_modes && c->permit_tty && c->print_motd);
	assert_false(c->use_pam || c->expose_auth_info || c->permit_user_env);
	assert_int_equal(c->max_auth_tries, 6);
	assert_int_equal(c->startups_full, 100);
	assert_true(c->login_grace_ns == 120 * NS_PER_S);
	assert_true(c->connection_timeout_ns == 7 * 86400 * NS_PER_S);
	assert_int_equal(c->congestion_control, TP_CC_BBR);
	assert_true(c->connection_buffer == 64 << 20);
	assert_string_equal(c->pam_service, "sshd");
	assert_string_equal(c->account, QSH_ACCOUNT);
	assert_null(c->force_command);
	assert_null(c->banner);
	assert_int_equal(c->log_level, LOG_L_INFO);
	sconf_free(&c);
	assert_null(c);
}

static void
user_mode_defaults(void **state)
{
	char path[] = "/tmp/sconf_test.XXXXXX";
	struct sconf_src *s;
	struct sconf *c;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sconf_load_with(&s, path, NULL, true), 0);
	assert_int_equal(sconf_eval(s, NULL, &c), 0);
	assert_string_equal(c->ports.v[0], "8022");
	assert_null(c->pid_file);
	sconf_free(&c);
	sconf_src_free(&s);
	unlink(path);
	assert_int_equal(sconf_load(&s, path), QERR_SYS);
	assert_null(s);
}

/* ---- Match ---------------------------------------------------------------- */

static const char *const two_groups[] = {"staff", "devs"};

static void
connection(struct sconf_match *m, struct addr *remote, struct addr *local)
{
	assert_int_equal(addr_parse(remote, "192.0.2.7", 5000), 0);
	assert_int_equal(addr_parse(local, "10.0.0.1", 2022), 0);
	*m = (struct sconf_match){.user = "bob",
	    .groups = two_groups,
	    .ngroups = 2,
	    .remote = remote,
	    .local = local};
}

/* Does a block with these criteria apply to bob of staff and devs, from 192.0.2.7 to 10.0.0.1
 * port 2022? */
static int
applies(const char *criteria)
{
	struct addr remote, local;
	struct sconf_match m;
	struct sconf *c;
	char text[256];
	int r;

	connection(&m, &remote, &local);
	snprintf(text, sizeof(text), "Match %s\n\tMaxSessions 3\n", criteria);
	c = eval(text, &m);
	r = c->max_sessions == 3;
	sconf_free(&c);
	return r;
}

static void
match_criteria(void **state)
{
	static const char *const yes[] = {"all", "ALL", "User bob", "user=bob", "User a,b?b",
	    "User *,!eve", "Group devs", "Group nobody,sta*", "Host 192.0.2.*",
	    "Address 192.0.2.0/24", "Address 192.0.2.7", "Address *,!10.0.0.0/8",
	    "LocalAddress 10.0.0.0/8", "LocalPort 2022",
	    "User bob Address 192.0.2.0/24 LocalPort 2022"};
	static const char *const no[] = {"User ann", "User !bob,*", "User !bob", "User Bob",
	    "Group ops", "Group *,!staff", "Host h.example", "Address 192.0.3.0/24",
	    "Address !192.0.2.7,*", "LocalAddress 192.0.2.7", "LocalPort 22",
	    "User bob LocalPort 22", "User ann Address 192.0.2.7"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!applies(yes[i]))
			fail_msg("Match %s does not apply", yes[i]);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (applies(no[i]))
			fail_msg("Match %s applies", no[i]);
}

static void
match_with_a_host_name(void **state)
{
	struct addr remote, local;
	struct sconf_match m;
	struct sconf *c;

	(void)state;
	connection(&m, &remote, &local);
	m.host = "pc.example.org";
	c = eval("Match Host *.Example.org\nMaxSessions 3\n", &m);
	assert_int_equal(c->max_sessions, 3);
	sconf_free(&c);
}

static void
match_of_nobody(void **state)
{
	struct sconf_match m = {.user = NULL};
	struct sconf *c;

	(void)state;
	c = eval("Match User *\nMaxSessions 3\nMatch Address *\nMaxSessions 3\n"
		 "Match Group *\nMaxSessions 3\nMatch LocalPort 22\nMaxSessions 3\n",
	    &m);
	assert_int_equal(c->max_sessions, 10);
	sconf_free(&c);
}

/* A block wins over what stands outside, wherever that stands; of two blocks the first one
 * wins. */
static void
blocks_override(void **state)
{
	static const char text[] =
	    "MaxSessions 1\nPermitTTY yes\nAllowUsers out\nAcceptEnv O\n"
	    "Match User bob\nMaxSessions 2\nPermitTTY no\nAllowUsers in\n"
	    "Match Group devs\nMaxSessions 3\nForceCommand x\nAllowUsers too\n";
	struct addr remote, local;
	struct sconf_match m;
	struct sconf *c;

	(void)state;
	connection(&m, &remote, &local);
	c = eval(text, &m);
	assert_int_equal(c->max_sessions, 2);
	assert_false(c->permit_tty);
	assert_string_equal(c->force_command, "x");
	assert_int_equal(c->allow_users.n, 2);
	assert_string_equal(c->allow_users.v[0], "in");
	assert_string_equal(c->allow_users.v[1], "too");
	assert_int_equal(c->accept_env.n, 1);
	sconf_free(&c);

	c = eval(text, NULL);
	assert_int_equal(c->max_sessions, 1);
	assert_true(c->permit_tty);
	assert_null(c->force_command);
	assert_string_equal(c->allow_users.v[0], "out");
	sconf_free(&c);
}

/* An option that counts for the whole daemon is not changed by "Match all" behind it. */
static void
match_all_keeps_global_options(void **state)
{
	static const char text[] =
	    "UsePAM yes\nMatch all\nUsePAM no\nPrintMotd no\nMaxSessions 4\n";
	struct addr remote, local;
	struct sconf_match m;
	struct sconf *c;

	(void)state;
	connection(&m, &remote, &local);
	c = eval(text, &m);
	assert_true(c->use_pam);
	assert_false(c->print_motd);
	assert_int_equal(c->max_sessions, 4);
	sconf_free(&c);
}

static void
subsystems(void **state)
{
	struct addr remote, local;
	struct sconf_match m;
	struct sconf *c;

	(void)state;
	connection(&m, &remote, &local);
	c = eval(
	    "Subsystem sftp /out\nSubsystem x /bin/x -a \"b c\" 'd\"e'\nSubsystem x /second\n"
	    "Match User bob\nSubsystem sftp internal\n",
	    &m);
	assert_int_equal(c->subsystems.n, 2);
	assert_string_equal(c->subsystems.v[0], "sftp internal");
	assert_string_equal(c->subsystems.v[1], "x /bin/x -a \"b c\" \"d\\\"e\"");
	sconf_free(&c);
}

/* ---- values --------------------------------------------------------------- */

static void
values(void **state)
{
	struct sconf *c;

	(void)state;
	c = eval(
	    "ForceCommand  echo \"a  b\" # c\nBanner none\nAuthorizedKeysFile none\n"
	    "PermitUserEnvironment LANG,LC_*\nSetEnv A=1 A=2 B=\"x y\"\nSetEnv C=3\n"
	    "HostKey /a\nHostKey /b\nHostKey /a\nPort 22\nPort 22\nPort 2022\n"
	    "AuthenticationMethods publickey,password publickey\nPidFile none\n"
	    "PermitRootLogin without-password\nUnprivilegedUser nobody\nConnectionTimeout 2h\nCongestionControl cubic\nConnectionBuffer 1G\n"
	    "PAMServiceName other\nLoginGraceTime 0\nMaxStartups 7\nKeyLogFile /k\nQLogDirectory none\n",
	    NULL);
	assert_string_equal(c->force_command, "echo \"a  b\" # c");
	assert_null(c->banner);
	assert_int_equal(c->authorized_keys_files.n, 0);
	assert_true(c->permit_user_env);
	assert_string_equal(c->permit_user_env_patterns, "LANG,LC_*");
	assert_int_equal(c->set_env.n, 2);
	assert_string_equal(c->set_env.v[1], "B=x y");
	assert_int_equal(c->host_keys.n, 2);
	assert_int_equal(c->ports.n, 2);
	assert_int_equal(c->auth_methods.n, 2);
	assert_null(c->pid_file);
	assert_int_equal(c->permit_root_login, SCONF_ROOT_PROHIBIT_PASSWORD);
	assert_string_equal(c->account, "nobody");
	assert_true(c->connection_timeout_ns == 7200 * NS_PER_S);
	assert_int_equal(c->congestion_control, TP_CC_CUBIC);
	assert_true(c->connection_buffer == 1 << 30);
	assert_string_equal(c->pam_service, "other");
	assert_string_equal(c->key_log_file, "/k");
	assert_null(c->qlog_dir);
	assert_true(c->login_grace_ns == 0);
	assert_int_equal(c->startups_begin, 7);
	assert_int_equal(c->startups_rate, 30);
	assert_int_equal(c->startups_full, 7);
	sconf_free(&c);
}

/* Where Ed25519 is not among the accepted algorithms, no key of ours may log in. */
static void
accepted_algorithms(void **state)
{
	static const struct {
		const char *value;
		bool ok;
	} cases[] = {{"ssh-ed25519", true}, {"rsa-sha2-512,ssh-ed25519", true}, {"ssh-*", true},
	    {"+ssh-rsa", true}, {"^rsa-sha2-512", true}, {"-ssh-rsa", true},
	    {"rsa-sha2-512,rsa-sha2-256", false}, {"-ssh-ed25519", false}, {"-ssh-ed*", false},
	    {"sk-ssh-ed25519@openssh.com", false}, {"ssh-ed25519-cert-v01@openssh.com", false}};
	struct sconf *c;
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "PubkeyAcceptedAlgorithms %s\n", cases[i].value);
		c = eval(text, NULL);
		if (c->pubkey_auth != cases[i].ok)
			fail_msg("%s", text);
		sconf_free(&c);
	}
	c = eval("PubkeyAcceptedKeyTypes ssh-rsa\n", NULL);
	assert_false(c->pubkey_auth);
	sconf_free(&c);
	c = eval("DSAAuthentication no\n", NULL);
	assert_false(c->pubkey_auth);
	sconf_free(&c);
}

/* ---- what refuses the start ------------------------------------------------- */

static void
refused(void **state)
{
	static const char *const lines[] = {"NoSuchKeyword yes", "ChrootDirectory /srv",
	    "ChrootDirectory %h", "AuthorizedKeysCommand /bin/x", "AuthorizedPrincipalsFile x",
	    "AuthorizedPrincipalsCommand /x", "RevokedKeys /etc/ssh/revoked",
	    "RefuseConnection yes", "ChannelTimeout session", "ChannelTimeout =5m",
	    "ChannelTimeout session=x", "UnusedConnectionTimeout x",
	    "RDomain 1", "HostKeyAgent /run/agent", "PerSourceMaxStartups 3",
	    "PerSourcePenalties yes", "PerSourcePenalties crash:60", "PerSourcePenalties no x",
	    "ListenAddress 10.0.0.1 rdomain 1", "Match RDomain 1", "Match invalid-user",
	    "Match", "Match User", "Match all User x", "Match User x all", "Match Nothing x",
	    "Match Address 192.0.2.1/33", "Match Address !0.0.0.0,10.0.0.1/99",
	    "Match LocalPort x", "Include x", "Port 0", "Port 65536", "AllowUsers",
	    "AllowUsers a@10.0.0.1/99", "Subsystem sftp", "AuthenticationMethods x",
	    "AuthenticationMethods publickey,", "AuthenticationMethods any publickey",
	    "PermitRootLogin", "PasswordAuthentication maybe", "MaxStartups 5:0:10",
	    "MaxStartups 5:30:4", "KeyLogFile keys", "QLogDirectory ~/x", "ConnectionTimeout 0", "HostKey \"\"", "AllowUsers \"x"};
	struct sconf_src *s;
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "# first\n%s\n", lines[i]);
		if (parse_as("/x/sshd_config", text, &s) == 0)
			fail_msg("accepted: %s", lines[i]);
		assert_null(s);
		if (strstr(logged, "/x/sshd_config:2: ") != logged)
			fail_msg("%s: logged %s", lines[i], logged);
		if (strchr(logged, '\n')[1] != '\0')
			fail_msg("%s: more than a line: %s", lines[i], logged);
	}
}

static void
refused_where_it_does_not_apply(void **state)
{
	static const char *const lines[] = {"NoSuchKeyword yes", "MaxSessions x",
	    "ChrootDirectory /srv", "Port 22", "UsePAM no", "HostKey /x"};
	struct sconf_src *s;
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "Match User nobody\n\t%s\n", lines[i]);
		if (parse_as("c", text, &s) == 0)
			fail_msg("accepted: %s", lines[i]);
		assert_non_null(strstr(logged, "c:2: "));
	}
	assert_int_equal(parse_as("c", "Match all\nPort 22\nUsePAM no\n", &s), 0);
	sconf_src_free(&s);
	assert_true(parse_as("c", "Match all\nMatch User x\nPort 22\n", &s) < 0);
}

static void
all_bad_lines_are_told(void **state)
{
	struct sconf_src *s;

	(void)state;
	assert_true(parse_as("c", "Nope 1\nPort 22\nPort x\nMatch\n", &s) < 0);
	assert_non_null(strstr(logged, "c:1: Nope: "));
	assert_non_null(strstr(logged, "c:3: Port: "));
	assert_non_null(strstr(logged, "c:4: Match: "));
}

static void
timeouts(void **state)
{
	struct sconf *c = eval("ChannelTimeout session:*=5m session=90 direct-tcpip=0\n"
			       "ChannelTimeout global=1\nUnusedConnectionTimeout 1m\n", NULL);

	(void)state;
	assert_int_equal(c->channel_timeouts.n, 3);
	assert_string_equal(c->channel_timeouts.v[0], "session:*=5m");
	assert_true(c->unused_timeout_ns == UINT64_C(60000000000));
	sconf_free(&c);
	c = eval("", NULL);
	assert_int_equal(c->channel_timeouts.n, 0);
	assert_true(c->unused_timeout_ns == 0);
	sconf_free(&c);
}

static void
harmless_values(void **state)
{
	static const char text[] =
	    "ChrootDirectory none\nAuthorizedKeysCommand none\nRevokedKeys none\n"
	    "AuthorizedPrincipalsFile none\nChannelTimeout none\nRDomain none\nHostKeyAgent "
	    "none\n"
	    "PerSourceMaxStartups none\nPerSourcePenalties no\nRefuseConnection no\n"
	    "UnusedConnectionTimeout none\n";
	struct sconf *c = eval(text, NULL);

	(void)state;
	assert_string_equal(logged, "");
	sconf_free(&c);
}

/* Host names in what restricts, where sshd would look them up and we do not. */
static void
names_that_need_a_look_up(void **state)
{
	struct sconf_src *s;

	(void)state;
	assert_true(
	    parse_as("c", "UseDNS yes\nMatch Host *.example\nForceCommand x\n", &s) < 0);
	assert_non_null(strstr(logged, "c:2: Match: "));
	assert_true(parse_as("c", "DenyUsers *@*.example\nUseDNS yes\n", &s) < 0);
	assert_int_equal(parse_as("c", "UseDNS yes\nDenyUsers x\n", &s), 0);
	sconf_src_free(&s);
	assert_int_equal(
	    parse_as("c", "UseDNS no\nMatch Host *.example\nForceCommand x\n", &s), 0);
	sconf_src_free(&s);
}

/* ---- what is told ------------------------------------------------------------ */

static void
passed_over_with_a_line(void **state)
{
	struct sconf_src *s;

	(void)state;
	assert_int_equal(parse_as("c",
			     "Ciphers aes128-ctr\nTrustedUserCAKeys /x\nX11Forwarding yes\n"
			     "AllowTcpForwarding no\nPasswordAuthentication yes\n"
			     "KbdInteractiveAuthentication no\nGSSAPIAuthentication yes\n",
			     &s),
	    0);
	sconf_src_free(&s);
	assert_non_null(strstr(logged, "c:1: Ciphers passed over: "));
	assert_non_null(strstr(logged, "c:2: TrustedUserCAKeys passed over: "));
	assert_non_null(strstr(logged, "c:3: X11Forwarding counts as \"no\": "));
	assert_null(strstr(logged, "AllowTcpForwarding"));
	assert_non_null(strstr(logged, "c:5: PasswordAuthentication has no effect: "));
	assert_null(strstr(logged, "c:6: "));
	assert_non_null(strstr(logged, "c:7: GSSAPIAuthentication has no effect: "));
}

static void
pid_file_of_sshd(void **state)
{
	struct strlist overrides = {NULL, 0};
	struct sconf_src *s;
	struct sconf *c;
	char dir[] = "/tmp/sconf_test.XXXXXX", path[64];
	FILE *f;

	(void)state;
	assert_int_equal(parse_as("/etc/ssh/sshd_config", "PidFile /run/sshd.pid\n", &s), 0);
	assert_non_null(strstr(logged, "PidFile passed over"));
	assert_int_equal(sconf_eval(s, NULL, &c), 0);
	assert_string_not_equal(c->pid_file, "/run/sshd.pid");
	sconf_free(&c);
	sconf_src_free(&s);
	c = eval("PidFile /run/other.pid\n", NULL);
	assert_string_equal(c->pid_file, "/run/other.pid");
	sconf_free(&c);

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sshd_config", dir);
	assert_non_null(f = fopen(path, "w"));
	fputs("PidFile /run/sshd.pid\nMaxSessions 3\n", f);
	fclose(f);
	assert_int_equal(strlist_add(&overrides, "PidFile=/run/mine.pid"), 0);
	assert_int_equal(strlist_add(&overrides, "MaxSessions 4"), 0);
	assert_int_equal(sconf_load_with(&s, path, &overrides, false), 0);
	assert_int_equal(sconf_eval(s, NULL, &c), 0);
	assert_string_equal(c->pid_file, "/run/mine.pid");
	assert_int_equal(c->max_sessions, 4);
	sconf_free(&c);
	sconf_src_free(&s);
	strlist_free(&overrides);
	assert_int_equal(strlist_add(&overrides, "Match User x"), 0);
	assert_int_equal(sconf_load_with(&s, path, &overrides, false), QERR_FORMAT);
	strlist_free(&overrides);
	unlink(path);
	rmdir(dir);
}

/* A block inside of what does not apply does not apply either; one in an included file ends
 * with it. */
static void
included_blocks(void **state)
{
	char dir[] = "/tmp/sconf_test.XXXXXX", path[64], inc[64];
	struct addr remote, local;
	struct sconf_match m;
	struct sconf_src *s;
	struct sconf *c;
	FILE *f;

	(void)state;
	connection(&m, &remote, &local);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/main", dir);
	snprintf(inc, sizeof(inc), "%s/inc", dir);
	assert_non_null(f = fopen(inc, "w"));
	fputs("PermitTTY no\nMatch User bob\nMaxSessions 3\n", f);
	fclose(f);

	assert_non_null(f = fopen(path, "w"));
	fputs("Match User ann\nInclude inc\nForceCommand ann\nMatch all\nBanner b\n", f);
	fclose(f);
	assert_int_equal(sconf_load(&s, path), 0);
	assert_int_equal(sconf_eval(s, &m, &c), 0);
	assert_int_equal(c->max_sessions, 10);
	assert_true(c->permit_tty);
	assert_null(c->force_command);
	assert_string_equal(c->banner, "b");
	sconf_free(&c);
	sconf_src_free(&s);

	assert_non_null(f = fopen(path, "w"));
	fputs(
	    "Include inc\nMaxAuthTries 2\nMatch Group devs\nInclude inc\nForceCommand x\n", f);
	fclose(f);
	assert_int_equal(sconf_load(&s, path), 0);
	assert_int_equal(sconf_eval(s, &m, &c), 0);
	assert_int_equal(c->max_sessions, 3);
	assert_int_equal(c->max_auth_tries, 2);
	assert_string_equal(c->force_command, "x");
	assert_false(c->permit_tty);
	sconf_free(&c);
	sconf_src_free(&s);
	unlink(path);
	unlink(inc);
	rmdir(dir);
}

/* ---- for other processes ------------------------------------------------------ */

static void
bytes_and_back(void **state)
{
	static const char text[] = "ForceCommand = x \"y\nForceCommand \"a  b\" # c\n"
				   "Match User bob\n\tMaxSessions 2\n";
	struct addr remote, local;
	struct sconf_match m;
	struct sconf_src *s, *copy;
	struct sconf *c;
	struct buf b, one, two;
	struct rd r;

	(void)state;
	connection(&m, &remote, &local);
	buf_init(&b, SCONF_BYTES_MAX);
	buf_init(&one, 65536);
	buf_init(&two, 65536);
	assert_int_equal(parse_as("sshd_config", text, &s), QERR_FORMAT); /* line 1: a quote */
	assert_int_equal(parse_as("sshd_config", strchr(text, 10) + 1, &s), 0);
	assert_int_equal(sconf_src_put(&b, s), 0);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(sconf_src_get(&copy, &r), 0);
	assert_int_equal(rd_end(&r), 0);
	assert_int_equal(sconf_eval(s, &m, &c), 0);
	assert_int_equal(sconf_dump(&one, c), 0);
	sconf_free(&c);
	assert_int_equal(sconf_eval(copy, &m, &c), 0);
	assert_int_equal(c->max_sessions, 2);
	assert_string_equal(c->force_command, "\"a  b\" # c");
	assert_int_equal(sconf_dump(&two, c), 0);
	assert_int_equal(buf_len(&one), buf_len(&two));
	assert_memory_equal(buf_data(&one), buf_data(&two), buf_len(&one));
	sconf_free(&c);
	sconf_src_free(&s);
	sconf_src_free(&copy);
	buf_free(&b);
	buf_free(&one);
	buf_free(&two);
}

static void
too_much_for_a_message(void **state)
{
	struct sconf_src *s;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1024 * 1024);
	for (i = 0; i < 4000; i++)
		buf_printf(&b, "AllowUsers a-rather-long-user-name-%zu\n", i);
	buf_put_u8(&b, 0);
	assert_int_equal(parse_as("c", (const char *)buf_data(&b), &s), QERR_TOOBIG);
	assert_non_null(strstr(logged, "c: "));
	buf_free(&b);
}

/* ---- addresses ------------------------------------------------------------------ */

/* The addresses to listen on, "address port N" each, with commas. */
static const char *
listening(const char *text)
{
	static char out[512];
	struct sconf *c = eval(text, NULL);
	char one[ADDR_STRLEN];
	struct addr *v;
	size_t i, n;

	out[0] = '\0';
	assert_int_equal(sconf_listen_addrs(c, 22, &v, &n), 0);
	for (i = 0; i < n; i++) {
		strcat(out, i > 0 ? "," : "");
		strcat(out, addr_str(&v[i], one));
	}
	free(v);
	sconf_free(&c);
	return out;
}

static void
listen_addresses(void **state)
{
	(void)state;
	assert_string_equal(listening("AddressFamily inet\n"), "0.0.0.0 port 22");
	assert_string_equal(
	    listening("AddressFamily inet\nPort 1\nPort 2\n"), "0.0.0.0 port 1,0.0.0.0 port 2");
	assert_string_equal(
	    listening("Port 7\nListenAddress 10.0.0.1\nListenAddress 10.0.0.2:8\n"
		      "ListenAddress [::1]:9\nListenAddress ::1\nListenAddress [::1]\n"),
	    "10.0.0.1 port 7,10.0.0.2 port 8,::1 port 9,::1 port 7");
	assert_non_null(strstr(listening(""), "0.0.0.0 port 22"));
}

static void
listen_address_that_is_none(void **state)
{
	struct sconf *c = eval("ListenAddress host.invalid\n", NULL);
	struct addr *v;
	size_t n;

	(void)state;
	logged[0] = '\0';
	assert_int_equal(sconf_listen_addrs(c, 22, &v, &n), QERR_NOTFOUND);
	assert_null(v);
	assert_non_null(strstr(logged, "host.invalid"));
	sconf_free(&c);
}

/* ---- addresses ------------------------------------------------------------ */

static void
tcp_addresses(void **state)
{
	struct sconf *c = eval("TcpListenAddress 443\nTcpListenAddress 192.0.2.1:444\n"
			       "TcpListenAddress [2001:db8::1]:445\nAddressFamily inet6\n", NULL);
	struct addr *v;
	size_t n;

	(void)state;
	/* A port alone is every address of the family; one of the other family cannot be had. */
	assert_int_equal(sconf_tcp_addrs(c, &v, &n), QERR_NOTFOUND);
	assert_null(v);
	assert_int_equal(n, 0);
	sconf_free(&c);
	c = eval("TcpListenAddress 443\nTcpListenAddress 192.0.2.1:444\n"
		 "TcpListenAddress 192.0.2.1:444\nAddressFamily inet\n", NULL);
	assert_int_equal(sconf_tcp_addrs(c, &v, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(addr_show(&v[0]), "0.0.0.0 port 443");
	assert_string_equal(addr_show(&v[1]), "192.0.2.1 port 444");
	free(v);
	sconf_free(&c);
	c = eval("TcpListenAddress none\n", NULL);
	assert_int_equal(sconf_tcp_addrs(c, &v, &n), 0);
	assert_int_equal(n, 0);
	free(v);
	sconf_free(&c);
}

static void
bad_tcp_addresses(void **state)
{
	static const char *const bad[] = {"0", "65536", "192.0.2.1", "host", "host:", ":443",
	    "[2001:db8::1]", "[2001:db8::1]443", "443 444"};
	struct sconf_src *s;
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "TcpListenAddress %s\n", bad[i]);
		if (parse_as("qshd_config", text, &s) == 0)
			fail_msg("taken: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(user_mode_defaults),
	    cmocka_unit_test(match_criteria),
	    cmocka_unit_test(match_with_a_host_name),
	    cmocka_unit_test(match_of_nobody),
	    cmocka_unit_test(blocks_override),
	    cmocka_unit_test(match_all_keeps_global_options),
	    cmocka_unit_test(subsystems),
	    cmocka_unit_test(values),
	    cmocka_unit_test(accepted_algorithms),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(refused_where_it_does_not_apply),
	    cmocka_unit_test(all_bad_lines_are_told),
	    cmocka_unit_test(timeouts), cmocka_unit_test(harmless_values),
	    cmocka_unit_test(names_that_need_a_look_up),
	    cmocka_unit_test(passed_over_with_a_line),
	    cmocka_unit_test(pid_file_of_sshd),
	    cmocka_unit_test(included_blocks),
	    cmocka_unit_test(bytes_and_back),
	    cmocka_unit_test(too_much_for_a_message),
	    cmocka_unit_test(listen_addresses),
	    cmocka_unit_test(listen_address_that_is_none),
	    cmocka_unit_test(tcp_addresses), cmocka_unit_test(bad_tcp_addresses),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
