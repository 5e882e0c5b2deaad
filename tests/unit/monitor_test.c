/* The real monitor in a process of its own, with this test in the place of the supervisor and of the
 * connection's process. It serves the user who runs the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/keys/keys.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "server/conf/sconf.h"
#include "server/ipc/msgs.h"
#include "server/ipc/regsock.h"
#include "server/monitor/monitor.h"
#include "tests/unit/rolepeer.h"

#define BROKER "./qshd-broker"
#define LOCAL_PORT 45678

/* ---- how the monitor under test starts other roles --------------------------------------- */

/* The connection's process is a child that does what it is told through `net_control`; its channel goes to
 * the test. The broker is the real one. */
static int net_control[2];  /* the child reads: 'x' exit, 'k' die by a signal */
static int net_channel[2];  /* the channel comes out here, as a message between roles */

_Noreturn static void
be_net(void)
{
	char c = 'x';
	if (dup2(net_control[0], 0) < 0)
		_exit(126);
	fd_closefrom(1);
	if (read(0, &c, 1) == 1 && c == 'k')
		raise(SIGKILL);
	_exit(0);
}

static pid_t
start_role(const char *name, const char *title, int chan, const struct role_user *who, bool keep_stderr)
{
	(void)title;
	(void)keep_stderr;
	(void)who;
	bool net = strcmp(name, "qshd-net") == 0;
	if (net && ipc_msg_send(net_channel[1], 1, NULL, 0, &chan, 1) != 0)
		return -1;
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (net)
		be_net();
	if (dup2(chan, 3) < 0 || fd_no_cloexec(3) < 0)
		_exit(126);
	fd_closefrom(4);
	execl(BROKER, BROKER, "test", (char *)NULL);
	_exit(127);
}

/* ---- the scene ----------------------------------------------------------------------------- */

struct world {
	pid_t pid;
	struct peer sup, net, broker; /* broker: net's end of the NB channel */
	struct privkey host, key, other;
	char dir[64], log[96], user[128];
	struct buf conf;
	enum tp_cc cc;               /* what conf says */
	uint64_t buffer;             /* likewise; 0: the default */
	uint8_t exporter[WIRE_EXPORTER_LEN];
	enum log_level level;
	int control;
};

static void
put_file(const struct world *w, const char *name, const char *text, mode_t mode)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

/* A line for the key in the file of authorised keys. */
static void
authorise(const struct world *w, const char *options, const struct privkey *k)
{
	char *text = pubkey_to_text(&k->pub);
	char line[1024];
	snprintf(line, sizeof line, "%s%s%s me@here\n", options, options[0] ? " " : "", text);
	put_file(w, "keys", line, 0600);
	free(text);
}

static struct world *
world(void)
{
	uint8_t seed[32] = {1};
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	const struct passwd *pw = getpwuid(getuid());
	if (!pw)
		skip(); /* nobody to log in as */
	snprintf(w->user, sizeof w->user, "%s", pw->pw_name);
	snprintf(w->dir, sizeof w->dir, "/tmp/qsh-monitor-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->log, sizeof w->log, "%s/log", w->dir);
	assert_int_equal(privkey_from_seed(&w->host, seed), 0);
	seed[0] = 2;
	assert_int_equal(privkey_from_seed(&w->key, seed), 0);
	seed[0] = 3;
	assert_int_equal(privkey_from_seed(&w->other, seed), 0);
	w->level = LOG_L_DEBUG1;
	memset(w->exporter, 0x5a, sizeof w->exporter);
	authorise(w, "", &w->key);
	buf_init(&w->conf, 65536);
	buf_printf(&w->conf, "AuthorizedKeysFile %s/keys\nStrictModes no\n", w->dir);
	w->net.fd = w->broker.fd = -1;
	return w;
}

static void
put_config(struct world *w, struct buf *out)
{
	struct sconf_src *src;
	assert_int_equal(
	    sconf_parse_text(&src, "test", buf_data(&w->conf), buf_len(&w->conf)), 0);
	assert_int_equal(sconf_src_put(out, src), 0);
	sconf_src_free(&src);
}

static void
send_minit(struct world *w)
{
	int ln[2];
	struct buf conf, b;
	struct quic_cid cid = {.len = 17};
	char account[] = "nobody";
	struct smsg_minit m = {.admit = {.slot = 7, .version = 1, .steered = 1},
	    .user_mode = 1,
	    .log_level = (uint8_t)w->level,
	    .log_file = w->log,
	    .account = account,
	    .run_dir = w->dir};
	m.admit.odcid.len = m.admit.client_scid.len = 8;
	m.admit.cids.v = &cid;
	m.admit.cids.n = 1;
	assert_int_equal(addr_parse(&m.admit.path.remote, "192.0.2.1", 4000), 0);
	assert_int_equal(addr_parse(&m.admit.path.local, "192.0.2.2", LOCAL_PORT), 0);
	m.host_sk = (struct bytes){w->host.sk, 64};
	buf_init(&conf, IPC_BODY_MAX);
	put_config(w, &conf);
	m.config = (struct bytes){buf_data(&conf), buf_len(&conf)};
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_minit(&b, &m), 0);
	assert_int_equal(ipc_pair(ln), 0);
	peer_send(&w->sup, SM_INIT, &b, &ln[0], 1);
	close(ln[0]);
	close(ln[1]);
	buf_free(&b);
	buf_free(&conf);
}

/* Starts the monitor and takes what it sends to the connection's process first. */
static void
up(struct world *w)
{
	static const struct monitor_ops ops = {.start = start_role};
	static struct peer side;
	int sup[2];
	struct smsg_ninit n;
	assert_int_equal(ipc_pair(sup), 0);
	assert_int_equal(ipc_pair(net_channel), 0);
	assert_int_equal(pipe(net_control), 0);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0) {
		close(sup[0]);
		close(net_channel[0]);
		log_init("monitor", LOG_L_DEBUG1);
		exit(monitor_run(sup[1], &ops));
	}
	close(sup[1]);
	close(net_channel[1]);
	close(net_control[0]);
	w->control = net_control[1];
	peer_init(&w->sup, sup[0]);
	send_minit(w);
	peer_init(&side, net_channel[0]);
	peer_expect(&side, 1, 1, 0);
	peer_init(&w->net, peer_take_fd(&side, 0));
	peer_close(&side);
	peer_expect(&w->net, MN_INIT, 1, 0);
	assert_int_equal(smsg_get_ninit(&w->net.body, &n), 0);
	assert_memory_equal(n.host_pk, w->host.pub.pk, 32);
	assert_int_equal(n.admit.slot, 7);
	assert_string_equal(n.chroot_dir, "");
	assert_int_equal(n.uid, 0);
	assert_int_equal(n.cc, w->cc);
	assert_true(n.buffer == (w->buffer != 0 ? w->buffer : 64 << 20));
	smsg_free_ninit(&n);
	peer_expect(&w->net, MN_GO, 0, 0);
}

/* The connection's process ends; so has the monitor to. */
static void
end_net(struct world *w, char how)
{
	(void)!write(w->control, &how, 1); /* it may have been killed already */
	close(w->control);
	w->control = -1;
}

static void
down(struct world *w, int want)
{
	char cmd[128];
	if (w->control >= 0)
		end_net(w, 'x');
	peer_close(&w->net);
	int status = peer_wait(w->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
	peer_close(&w->sup);
	peer_close(&w->broker);
	privkey_free(&w->host);
	privkey_free(&w->key);
	privkey_free(&w->other);
	buf_free(&w->conf);
	snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
	assert_int_equal(system(cmd), 0);
	free(w);
}

/* Does the log have this text by now? */
static bool
logged(const struct world *w, const char *text)
{
	uint8_t *all;
	size_t n;
	assert_int_equal(fd_read_file(w->log, 1 << 20, &all, &n), 0);
	bool found = strstr((char *)all, text) != NULL;
	free(all);
	return found;
}

#define assert_logged(w, text) \
	do { \
		if (!logged(w, text)) { \
			char c_[256]; \
			snprintf(c_, sizeof c_, "cat %s >&2", (w)->log); \
			(void)!system(c_); \
			fail_msg("the log has no \"%s\"", text); \
		} \
	} while (0)

static void
wait_logged(struct world *w, const char *text)
{
	for (int i = 0; i < 10000 && !logged(w, text); i++)
		usleep(1000);
	assert_logged(w, text);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void
validate(struct world *w)
{
	peer_send(&w->net, MN_VALIDATED, NULL, NULL, 0);
}

struct request {
	const char *user, *service, *method;
	const struct privkey *key;
	bool sign;
	const struct privkey *host;  /* the host key that the user signs for; NULL the right one */
	const uint8_t *exporter;     /* NULL the right one */
};

static void
sign(struct world *w, const struct request *q, struct buf *sig)
{
	struct buf msg, tbs;
	const struct pubkey *host = q->host ? &q->host->pub : &w->host.pub;
	struct bytes key = {q->key->pub.blob, q->key->pub.bloblen};
	buf_init(&msg, 65536);
	buf_init(&tbs, 65536);
	assert_int_equal(wire_put_auth_message(&msg, q->exporter ? q->exporter : w->exporter,
			     (struct bytes){host->blob, host->bloblen}, q->user, WIRE_SERVICE,
			     "publickey", key),
	    0);
	assert_int_equal(sshsig_tbs(&tbs, WIRE_SSHSIG_NAMESPACE, buf_data(&msg), buf_len(&msg)), 0);
	assert_int_equal(sshsig_sign(sig, q->key, buf_data(&tbs), buf_len(&tbs)), 0);
	buf_free(&msg);
	buf_free(&tbs);
}

static void
send_request(struct world *w, const struct request *q)
{
	struct smsg_auth a = {0};
	struct buf b, sig;
	char user[128], service[64], method[64];
	snprintf(user, sizeof user, "%s", q->user);
	snprintf(service, sizeof service, "%s", q->service ? q->service : WIRE_SERVICE);
	snprintf(method, sizeof method, "%s", q->method ? q->method : "publickey");
	a.user = user;
	a.service = service;
	a.method = method;
	memcpy(a.exporter, w->exporter, sizeof a.exporter);
	buf_init(&sig, 65536);
	if (q->key)
		a.key = (struct bytes){q->key->pub.blob, q->key->pub.bloblen};
	if (q->sign) {
		sign(w, q, &sig);
		a.has_sig = 1;
		a.sig = (struct bytes){buf_data(&sig), buf_len(&sig)};
	}
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_auth(&b, &a), 0);
	peer_send(&w->net, MN_AUTH, &b, NULL, 0);
	buf_free(&b);
	buf_free(&sig);
}

static void
expect_result(struct world *w, enum smsg_auth_code code, const char *methods)
{
	struct smsg_auth_result r;
	peer_expect(&w->net, MN_AUTH_RESULT, 0, 0);
	assert_int_equal(smsg_get_auth_result(&w->net.body, &r), 0);
	assert_int_equal(r.code, code);
	assert_string_equal(r.methods, methods);
	smsg_free_auth_result(&r);
}

static void
expect_text(struct world *w, uint16_t type, const char *text)
{
	struct smsg_text t;
	peer_expect(&w->net, type, 0, 0);
	assert_int_equal(smsg_get_text(&w->net.body, &t), 0);
	assert_string_equal(t.text, text);
	smsg_free_text(&t);
}

static void
expect_end(struct world *w, uint64_t code)
{
	struct smsg_end e;
	peer_expect(&w->net, MN_END, 0, 0);
	assert_int_equal(smsg_get_end(&w->net.body, &e), 0);
	assert_int_equal(e.code, code);
	smsg_free_end(&e);
}

static void
try(struct world *w, const struct privkey *k, bool sig)
{
	send_request(w, &(struct request){.user = w->user, .key = k, .sign = sig});
}

static void
expect_login(struct world *w)
{
	struct smsg_session s;
	peer_expect(&w->net, MN_BROKER, 1, 0);
	assert_int_equal(smsg_get_session(&w->net.body, &s), 0);
	assert_string_equal(s.user, w->user);
	assert_int_equal(s.max_sessions, 10);
	smsg_free_session(&s);
	peer_init(&w->broker, peer_take_fd(&w->net, 0));
	expect_result(w, SMSG_AUTH_OK, "");
	peer_expect(&w->sup, SM_AUTHED, 0, 0);
}

static void
log_in(struct world *w)
{
	validate(w);
	try(w, &w->key, true);
	expect_login(w);
}

/* Runs a command through the broker; its output. */
static void
run(struct world *w, const char *command, char *dst, size_t n)
{
	char *copy = strdup(command);
	struct smsg_start s = {.chan = 4, .kind = WIRE_START_EXEC, .command = copy};
	struct buf b;
	int fd[3];
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_start(&b, &s), 0);
	peer_send(&w->broker, NB_START, &b, NULL, 0);
	buf_free(&b);
	free(copy);
	peer_expect(&w->broker, NB_STARTED_PIPES, 3, 0);
	for (size_t i = 0; i < 3; i++)
		fd[i] = peer_take_fd(&w->broker, i);
	peer_read_all(fd[1], dst, n);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	peer_expect(&w->broker, NB_EXIT, 0, 0);
	struct smsg_chan over = {.chan = 4};
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_chan(&b, &over), 0);
	peer_send(&w->broker, NB_CLOSE, &b, NULL, 0);
	buf_free(&b);
}

/* ---- handshake -------------------------------------------------------------------------------- */

static size_t
certificate_verify(uint8_t p[146])
{
	static const char context[] = "TLS 1.3, server CertificateVerify";
	memset(p, ' ', 64);
	memcpy(p + 64, context, sizeof context);
	memset(p + 64 + sizeof context, 0xab, 48);
	return 64 + sizeof context + 48;
}

static void
ask_to_sign(struct world *w, const uint8_t *p, size_t n)
{
	struct smsg_blob m = {.data = {p, n}};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_blob(&b, &m), 0);
	peer_send(&w->net, MN_SIGN, &b, NULL, 0);
	buf_free(&b);
}

static void
test_sign(void **state)
{
	(void)state;
	struct world *w = world();
	uint8_t p[146];
	struct smsg_blob m;
	size_t n = certificate_verify(p);
	up(w);
	ask_to_sign(w, p, n);
	peer_expect(&w->net, MN_SIGNED, 0, 0);
	assert_int_equal(smsg_get_blob(&w->net.body, &m), 0);
	assert_int_equal(m.data.n, 64);
	assert_true(pubkey_verify_raw(w->host.pub.pk, p, n, m.data.p));
	smsg_free_blob(&m);
	/* once a connection */
	ask_to_sign(w, p, n);
	peer_expect_end(&w->net);
	down(w, 0);
}

static void
test_sign_other(void **state)
{
	(void)state;
	struct world *w = world();
	uint8_t p[146];
	struct smsg_blob m;
	size_t n = certificate_verify(p);
	p[70] ^= 1;
	up(w);
	ask_to_sign(w, p, n);
	peer_expect(&w->net, MN_SIGNED, 0, 0);
	assert_int_equal(smsg_get_blob(&w->net.body, &m), 0);
	assert_int_equal(m.data.n, 0);
	smsg_free_blob(&m);
	assert_logged(w, "refused to sign");
	down(w, 0);
}

/* What belongs to a later phase ends the connection. */
static void
test_phases(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	try(w, &w->key, true); /* before the handshake is complete */
	peer_expect_end(&w->net);
	down(w, 0);

	w = world();
	uint8_t p[146];
	size_t n = certificate_verify(p);
	up(w);
	validate(w);
	ask_to_sign(w, p, n); /* after it */
	peer_expect_end(&w->net);
	down(w, 0);
}

static void
test_garbage(void **state)
{
	(void)state;
	struct world *w = world();
	struct buf b;
	up(w);
	validate(w);
	buf_init(&b, 16);
	assert_int_equal(buf_put(&b, "\xff\xff\xff", 3), 0);
	peer_send(&w->net, MN_AUTH, &b, NULL, 0);
	buf_free(&b);
	peer_expect_end(&w->net);
	down(w, 0);
}

/* Nothing is said of an address that may be anybody's. */
static void
test_unvalidated_not_logged(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	end_net(w, 'k');
	wait_logged(w, "not validated was killed by signal 9");
	assert_false(logged(w, "192.0.2.1"));
	down(w, 0);
}

static void
send_log(struct world *w, const char *text)
{
	struct smsg_log m = {.level = LOG_L_INFO, .text = strdup(text)};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_log(&b, &m), 0);
	peer_send(&w->net, MN_LOG, &b, NULL, 0);
	buf_free(&b);
	free(m.text);
}

/* A role that was taken over cannot fill the log. */
static void
test_log_flood(void **state)
{
	(void)state;
	struct world *w = world();
	char text[32];
	w->level = LOG_L_INFO;
	up(w);
	send_log(w, "a\nb");
	wait_logged(w, "net: a\\012b");
	for (int i = 0; i < 150; i++) {
		snprintf(text, sizeof text, "line %d.", i);
		send_log(w, text);
	}
	wait_logged(w, "line 50.");
	validate(w);
	try(w, &w->key, true); /* handled behind the lines */
	expect_login(w);
	assert_false(logged(w, "line 140."));
	down(w, 0);
}

/* ---- logins ------------------------------------------------------------------------------------- */

static void
test_login(void **state)
{
	(void)state;
	struct world *w = world();
	char text[4096], want[512];
	up(w);
	log_in(w);
	char *fp = pubkey_fingerprint(&w->key.pub, NULL);
	snprintf(want, sizeof want, "Accepted publickey for %s from 192.0.2.1 port 4000 qsh: ED25519 %s",
	    w->user, fp);
	free(fp);
	assert_logged(w, want);
	run(w, "echo $USER $SSH_CONNECTION", text, sizeof text);
	snprintf(want, sizeof want, "%s 192.0.2.1 4000 192.0.2.2 45678\n", w->user);
	assert_string_equal(text, want);
	down(w, 0);
}

static void
test_query_first(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	validate(w);
	send_request(w, &(struct request){.user = w->user, .method = "none"});
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	try(w, &w->other, false);
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	try(w, &w->key, false);
	expect_result(w, SMSG_AUTH_PK_OK, "publickey");
	try(w, &w->key, true);
	expect_login(w);
	down(w, 0);
}

static void
refused(struct world *w, const struct request *q)
{
	up(w);
	validate(w);
	send_request(w, q);
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	assert_true(peer_quiet(&w->sup));
}

static void
test_bad_signatures(void **state)
{
	(void)state;
	uint8_t exporter[WIRE_EXPORTER_LEN] = {0};
	struct world *w = world();
	/* made for another host */
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true, .host = &w->other});
	down(w, 0);
	/* made in another connection */
	w = world();
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true, .exporter = exporter});
	down(w, 0);
	/* a good one with a key that is not authorised */
	w = world();
	refused(w, &(struct request){.user = w->user, .key = &w->other, .sign = true});
	down(w, 0);
}

static void
test_unknown_user(void **state)
{
	(void)state;
	struct world *w = world();
	refused(w, &(struct request){.user = "no-such-user", .key = &w->key, .sign = true});
	assert_logged(w, "Invalid user no-such-user from 192.0.2.1 port 4000");
	assert_logged(w, "Failed publickey for invalid user no-such-user from 192.0.2.1 port 4000 qsh: "
			 "ED25519 SHA256:");
	down(w, 0);
}

/* The name that a client makes up is no path: nothing is opened by it. */
static void
test_user_as_path(void **state)
{
	(void)state;
	struct world *w = world();
	char path[128];
	buf_reset(&w->conf);
	w->cc = TP_CC_CUBIC;
	w->buffer = 3 << 20;
	buf_printf(&w->conf, "AuthorizedKeysFile %s/of/%%u\nCongestionControl cubic\nConnectionBuffer 3M\n", w->dir);
	snprintf(path, sizeof path, "%s/of", w->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/device", w->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(w, &(struct request){.user = "../device", .key = &w->key, .sign = true});
	assert_logged(w, "Invalid user ../device");
	assert_false(logged(w, "is not a regular file"));
	down(w, 0);
}

/* A server that is not root's serves its own user alone. */
static void
test_other_user(void **state)
{
	(void)state;
	struct world *w = world();
	const char *other = getuid() == 0 ? "daemon" : "root";
	refused(w, &(struct request){.user = other, .key = &w->key, .sign = true});
	assert_logged(w, "serves only the user who runs it");
	down(w, 0);
}

static void
test_change_of_user(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	validate(w);
	try(w, &w->other, true);
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	send_request(w, &(struct request){.user = "root2", .key = &w->key, .sign = true});
	expect_end(w, TP_E_PROTOCOL);
	assert_logged(w, "Change of username or service not allowed");
	down(w, 0);
}

static void
test_too_many_tries(void **state)
{
	(void)state;
	struct world *w = world();
	buf_printf(&w->conf, "MaxAuthTries 3\n");
	up(w);
	validate(w);
	send_request(w, &(struct request){.user = w->user, .method = "none"}); /* free */
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	for (int i = 0; i < 2; i++) {
		try(w, &w->other, true);
		expect_result(w, SMSG_AUTH_FAIL, "publickey");
	}
	try(w, &w->other, true);
	expect_result(w, SMSG_AUTH_END, "publickey");
	expect_end(w, TP_E_AUTH);
	assert_logged(w, "maximum authentication attempts exceeded for");
	down(w, 0);
}

/* Failures take their time. */
static void
test_slow_failure(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	validate(w);
	uint64_t t = clock_mono();
	try(w, &w->other, true);
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	assert_true(clock_mono() - t >= 5 * NS_PER_MS);
	down(w, 0);

	w = world();
	up(w);
	validate(w);
	t = clock_mono();
	send_request(w, &(struct request){.user = w->user, .method = "none"});
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	assert_true(clock_mono() - t >= 5 * NS_PER_MS);
	down(w, 0);
}

static void
test_banner(void **state)
{
	(void)state;
	struct world *w = world();
	put_file(w, "banner", "Be nice.\n", 0600);
	buf_printf(&w->conf, "Banner %s/banner\n", w->dir);
	up(w);
	validate(w);
	send_request(w, &(struct request){.user = w->user, .method = "none"});
	expect_text(w, MN_BANNER, "Be nice.\n");
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	try(w, &w->other, false);
	expect_result(w, SMSG_AUTH_FAIL, "publickey"); /* once */
	down(w, 0);
}

static void
test_deny_users(void **state)
{
	(void)state;
	struct world *w = world();
	buf_printf(&w->conf, "DenyUsers %s@192.0.2.0/24\n", w->user);
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true});
	assert_logged(w, "not allowed because listed in DenyUsers");
	down(w, 0);
}

static void
test_two_keys_wanted(void **state)
{
	(void)state;
	struct world *w = world();
	char *a = pubkey_to_text(&w->key.pub), *b = pubkey_to_text(&w->other.pub), text[1024];
	snprintf(text, sizeof text, "%s\n%s\n", a, b);
	put_file(w, "keys", text, 0600);
	free(a);
	free(b);
	buf_printf(&w->conf, "AuthenticationMethods publickey,password publickey,publickey\nExposeAuthInfo yes\n");
	up(w);
	validate(w);
	try(w, &w->key, true);
	expect_result(w, SMSG_AUTH_PARTIAL, "publickey");
	try(w, &w->key, true); /* the same once more does not count */
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	try(w, &w->other, true);
	expect_login(w);
	run(w, "grep -c '^publickey ssh-ed25519 ' $SSH_USER_AUTH", text, sizeof text);
	assert_string_equal(text, "2\n");
	down(w, 0);
}

static void
test_impossible_methods(void **state)
{
	(void)state;
	struct world *w = world();
	buf_printf(&w->conf, "AuthenticationMethods publickey,password\n");
	up(w);
	validate(w);
	try(w, &w->key, true);
	expect_result(w, SMSG_AUTH_FAIL, "");
	down(w, 0);
}

static void
test_pubkey_off(void **state)
{
	(void)state;
	struct world *w = world();
	buf_printf(&w->conf, "PubkeyAuthentication no\n");
	up(w);
	validate(w);
	try(w, &w->key, true);
	expect_result(w, SMSG_AUTH_FAIL, "");
	down(w, 0);
}

/* ---- key lines ------------------------------------------------------------------------------------- */

static void
test_forced_by_key(void **state)
{
	(void)state;
	struct world *w = world();
	char text[256];
	authorise(w, "command=\"echo forced $SSH_ORIGINAL_COMMAND\",environment=\"X=1\"", &w->key);
	up(w);
	log_in(w);
	run(w, "whoami", text, sizeof text);
	assert_string_equal(text, "forced whoami\n");
	down(w, 0);
}

static void
test_from(void **state)
{
	(void)state;
	struct world *w = world();
	authorise(w, "from=\"198.51.100.0/24\"", &w->key);
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true});
	assert_logged(w, "with correct key but not from a permitted host (host=192.0.2.1, ip=192.0.2.1, "
			 "required=198.51.100.0/24)");
	down(w, 0);
}

static void
test_expired_key(void **state)
{
	(void)state;
	struct world *w = world();
	authorise(w, "expiry-time=\"20200101\"", &w->key);
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true});
	assert_logged(w, "expiry-time");
	down(w, 0);
}

static void
test_unknown_option(void **state)
{
	(void)state;
	struct world *w = world();
	authorise(w, "be-careful", &w->key);
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true});
	assert_logged(w, "keys:1: line refused");
	down(w, 0);
}

static void
test_strict_modes(void **state)
{
	(void)state;
	struct world *w = world();
	buf_reset(&w->conf);
	buf_printf(&w->conf, "AuthorizedKeysFile %s/keys\n", w->dir);
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true});
	assert_logged(w, "Authentication refused: bad ownership or modes for directory /tmp");
	down(w, 0);
}

/* A fifo in place of the file does not hold the monitor up. */
static void
test_fifo(void **state)
{
	(void)state;
	struct world *w = world();
	char path[160];
	snprintf(path, sizeof path, "%s/keys", w->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(w, &(struct request){.user = w->user, .key = &w->key, .sign = true});
	assert_logged(w, "is not a regular file");
	down(w, 0);
}

/* ---- moves --------------------------------------------------------------------------------------------- */

static void
move_path(struct world *w, const char *remote, const char *local, uint16_t port)
{
	struct smsg_path p;
	struct buf b;
	memset(&p, 0, sizeof p);
	if (remote)
		assert_int_equal(addr_parse(&p.path.remote, remote, 555), 0);
	assert_int_equal(addr_parse(&p.path.local, local, port), 0);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_path(&b, &p), 0);
	peer_send(&w->net, MN_PATH, &b, NULL, 0);
	buf_free(&b);
}

static void
move_to(struct world *w, const char *ip)
{
	move_path(w, ip, "127.0.0.1", LOCAL_PORT);
}

/* The connection's process cannot have us bind what it likes. */
static void
test_move_elsewhere(void **state)
{
	(void)state;
	struct world *w = world();
	struct smsg_path p;
	up(w);
	log_in(w);
	move_path(w, "127.0.0.1", "127.0.0.1", LOCAL_PORT + 1);
	move_path(w, "127.0.0.1", "0.0.0.0", LOCAL_PORT);
	move_to(w, "127.0.0.2");
	peer_expect(&w->net, MN_SOCKET, 1, 0);
	assert_int_equal(smsg_get_path(&w->net.body, &p), 0);
	assert_string_equal(addr_show(&p.path.remote), "127.0.0.2 port 555");
	down(w, 0);

	w = world();
	up(w);
	log_in(w);
	move_path(w, NULL, "127.0.0.1", LOCAL_PORT);
	wait_logged(w, "message MN_PATH between processes refused");
	down(w, 0);

	w = world();
	up(w);
	log_in(w);
	move_path(w, "127.0.0.1", "::1", LOCAL_PORT);
	wait_logged(w, "message MN_PATH between processes refused");
	down(w, 0);
}

static unsigned
count_logged(const struct world *w, const char *text)
{
	uint8_t *all;
	size_t n;
	unsigned found = 0;
	assert_int_equal(fd_read_file(w->log, 1 << 20, &all, &n), 0);
	for (const char *p = (char *)all; (p = strstr(p, text)) != NULL; p++)
		found++;
	free(all);
	return found;
}

/* Moving costs a client little: neither the log nor our time is its to fill. */
static void
test_many_moves(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	validate(w);
	send_request(w, &(struct request){.user = "no-such-user", .key = &w->key, .sign = true});
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	for (int i = 0; i < 8; i++) {
		move_to(w, i % 2 ? "127.0.0.1" : "127.0.0.2");
		peer_expect(&w->net, MN_SOCKET, 1, 0);
	}
	move_to(w, "127.0.0.1");
	expect_end(w, TP_E_LIMIT);
	assert_int_equal(count_logged(w, "Invalid user no-such-user"), 9);
	down(w, 0);

	w = world();
	w->level = LOG_L_INFO;
	up(w);
	log_in(w);
	for (int i = 0; i < 40; i++) {
		move_to(w, i % 2 ? "127.0.0.1" : "127.0.0.2");
		peer_expect(&w->net, MN_SOCKET, 1, 0);
	}
	assert_int_equal(count_logged(w, "Moved user"), 20);
	down(w, 0);
}

static void
test_move(void **state)
{
	(void)state;
	struct world *w = world();
	struct smsg_path p;
	char want[256], text[256];
	up(w);
	log_in(w);
	move_to(w, "127.0.0.1");
	peer_expect(&w->net, MN_SOCKET, 1, 0);
	assert_int_equal(smsg_get_path(&w->net.body, &p), 0);
	assert_int_equal(addr_port(&p.path.remote), 555);
	struct addr peer = {.len = sizeof peer.u};
	assert_int_equal(getpeername(w->net.in.fds[0], &peer.u.sa, &peer.len), 0);
	assert_true(addr_equal(&peer, &p.path.remote));
	smsg_free_path(&p);
	snprintf(want, sizeof want, "Moved user %s from 192.0.2.1 port 4000 to 127.0.0.1 port 555", w->user);
	assert_logged(w, want);
	/* MB_PATH was sent before; the broker may read its other channel first */
	for (int i = 0; i < 500; i++) {
		run(w, "echo $SSH_CLIENT", text, sizeof text);
		if (strcmp(text, "127.0.0.1 555 45678\n") == 0)
			break;
	}
	assert_string_equal(text, "127.0.0.1 555 45678\n");
	down(w, 0);
}

static void
moves_out(struct world *w, const char *why)
{
	up(w);
	log_in(w);
	move_to(w, "127.0.0.1");
	expect_end(w, TP_E_DENIED);
	assert_logged(w, why);
	down(w, 0);
}

static void
test_move_denied(void **state)
{
	(void)state;
	struct world *w = world();
	authorise(w, "from=\"192.0.2.*\"", &w->key);
	moves_out(w, "from where the key is not permitted");

	w = world();
	buf_printf(&w->conf, "AllowUsers *@192.0.2.0/24\n");
	moves_out(w, "not listed in AllowUsers");

	w = world();
	buf_printf(&w->conf, "Match Address 127.0.0.0/8\nPubkeyAuthentication no\n");
	moves_out(w, "other rules");

	w = world();
	buf_printf(&w->conf, "Match Address 127.0.0.0/8\nForceCommand /bin/false\n");
	moves_out(w, "other rules");

	w = world();
	buf_printf(&w->conf, "Match Address 127.0.0.0/8\nAuthenticationMethods publickey,publickey\n");
	moves_out(w, "other rules");

	/* keys of another place: ours is not among them */
	w = world();
	buf_printf(&w->conf, "Match Address 127.0.0.0/8\nAuthorizedKeysFile none\n");
	moves_out(w, "other rules");

	w = world();
	buf_printf(&w->conf, "AcceptEnv ANY\nMatch Address 127.0.0.0/8\nSetEnv PLACE=out\n");
	moves_out(w, "other rules");
}

/* What one key has proved before a move counts no longer. */
static void
test_move_between_keys(void **state)
{
	(void)state;
	struct world *w = world();
	char *a = pubkey_to_text(&w->key.pub), *b = pubkey_to_text(&w->other.pub), text[1024];
	snprintf(text, sizeof text, "from=\"192.0.2.*\" %s\n%s\n", a, b);
	put_file(w, "keys", text, 0600);
	free(a);
	free(b);
	buf_printf(&w->conf, "AuthenticationMethods publickey,publickey\n");
	up(w);
	validate(w);
	try(w, &w->key, true);
	expect_result(w, SMSG_AUTH_PARTIAL, "publickey");
	move_to(w, "127.0.0.1");
	peer_expect(&w->net, MN_SOCKET, 1, 0);
	try(w, &w->other, true);
	expect_result(w, SMSG_AUTH_PARTIAL, "publickey");
	try(w, &w->key, true);
	expect_result(w, SMSG_AUTH_FAIL, "publickey");
	move_to(w, "127.0.0.2");
	peer_expect(&w->net, MN_SOCKET, 1, 0);
	try(w, &w->other, true); /* which has to be shown anew */
	expect_result(w, SMSG_AUTH_PARTIAL, "publickey");
	down(w, 0);
}

/* ---- ends ------------------------------------------------------------------------------------------------ */

static void
send_closed(struct world *w, const char *text)
{
	struct smsg_text t = {.text = strdup(text)};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_text(&b, &t), 0);
	peer_send(&w->net, MN_CLOSED, &b, NULL, 0);
	buf_free(&b);
	free(t.text);
}

static void
test_disconnect(void **state)
{
	(void)state;
	struct world *w = world();
	char want[256];
	up(w);
	log_in(w);
	send_closed(w, "closed by the client");
	end_net(w, 'x');
	snprintf(want, sizeof want, "Disconnected from user %s 192.0.2.1 port 4000: closed by the client",
	    w->user);
	wait_logged(w, want);
	peer_expect_end(&w->broker);
	down(w, 0);
}

static void
test_crash(void **state)
{
	(void)state;
	struct world *w = world();
	char want[256];
	up(w);
	log_in(w);
	end_net(w, 'k');
	snprintf(want, sizeof want, "connection of user %s 192.0.2.1 port 4000 was killed by signal 9", w->user);
	wait_logged(w, want);
	peer_expect_end(&w->broker);
	down(w, 0);
}

static void
test_terminate(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	log_in(w);
	assert_int_equal(kill(w->pid, SIGTERM), 0);
	expect_end(w, TP_E_ADMIN);
	down(w, 0);
}

/* A process that does not end when it is told to is killed. */
static void
test_stubborn(void **state)
{
	(void)state;
	struct world *w = world();
	up(w);
	log_in(w);
	assert_int_equal(kill(w->pid, SIGTERM), 0);
	expect_end(w, TP_E_ADMIN);
	wait_logged(w, "does not end by itself");
	close(w->control);
	w->control = -1;
	down(w, 0);
}

static void
test_grace(void **state)
{
	(void)state;
	struct world *w = world();
	buf_printf(&w->conf, "LoginGraceTime 1\n");
	up(w);
	validate(w);
	expect_end(w, TP_E_TIMEOUT);
	assert_logged(w, "Timeout before authentication for 192.0.2.1 port 4000");
	down(w, 0);
}

/* Sessions outlive the supervisor. */
static void
test_supervisor_gone(void **state)
{
	(void)state;
	struct world *w = world();
	char text[64];
	up(w);
	log_in(w);
	peer_close(&w->sup);
	run(w, "echo on", text, sizeof text);
	assert_string_equal(text, "on\n");
	down(w, 0);
}

/* ---- another listener ------------------------------------------------------------------------- */

static int
named_socket(struct world *w)
{
	char path[160];
	snprintf(path, sizeof path, "%s/" REGSOCK_DIR, w->dir);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	int fd = regsock_listen(w->dir, LOCAL_PORT);
	assert_true(fd >= 0);
	return fd;
}

/* The monitor comes to the named socket, and says who it is. */
static void
expect_register(struct world *w, int fd, struct peer *p, bool authed, bool steered)
{
	struct smsg_register m;
	pid_t pid;
	assert_int_equal(ipc_fd_wait(fd, POLLIN, clock_mono() + 10 * NS_PER_S), 0);
	int c = regsock_accept(fd, &pid);
	assert_true(c >= 0);
	assert_int_equal(pid, w->pid);
	peer_init(p, c);
	peer_expect(p, SM_REGISTER, 0, 0);
	assert_int_equal(smsg_get_register(&p->body, &m), 0);
	assert_int_equal(m.version, SMSG_LN_VERSION);
	assert_int_equal(m.slot, 7);
	assert_int_equal(m.authed, authed);
	assert_int_equal(m.steered, steered);
	assert_int_equal(addr_port(&m.path.local), LOCAL_PORT);
	smsg_free_register(&m);
}

static void
give_listener(struct world *w, struct peer *p)
{
	int ln[2];
	assert_int_equal(ipc_pair(ln), 0);
	peer_send(p, SM_LISTENER, NULL, &ln[1], 1);
	close(ln[1]);
	peer_expect(&w->net, MN_LISTENER, 1, 0);
	close(ln[0]);
}

static void
test_register(void **state)
{
	(void)state;
	static struct peer p;
	struct world *w = world();
	up(w);
	log_in(w);
	/* Nobody is there at first; then one who goes again at once; then one who stays. */
	peer_send(&w->net, MN_LISTENER_GONE, NULL, NULL, 0);
	move_to(w, "127.0.0.1");
	peer_expect(&w->net, MN_SOCKET, 1, 0);
	int fd = named_socket(w);
	expect_register(w, fd, &p, true, false);
	peer_close(&p);
	expect_register(w, fd, &p, true, false);
	give_listener(w, &p);
	peer_expect_end(&p);
	/* That listener ends, too. */
	peer_send(&w->net, MN_LISTENER_GONE, NULL, NULL, 0);
	expect_register(w, fd, &p, true, false);
	give_listener(w, &p);
	peer_close(&p);
	close(fd);
	down(w, 0);
}

/* Before the address is validated nobody has to know; the user's name comes later. */
static void
test_register_early(void **state)
{
	(void)state;
	static struct peer p;
	struct world *w = world();
	up(w);
	int fd = named_socket(w);
	peer_send(&w->net, MN_LISTENER_GONE, NULL, NULL, 0);
	assert_int_not_equal(ipc_fd_wait(fd, POLLIN, clock_mono() + NS_PER_S / 5), 0);
	validate(w);
	expect_register(w, fd, &p, false, true);
	give_listener(w, &p);
	try(w, &w->key, true);
	expect_login(w);
	peer_expect(&p, SM_AUTHED, 0, 0);
	peer_expect_end(&p);
	peer_close(&p);
	close(fd);
	down(w, 0);
}

static void
test_register_refused(void **state)
{
	(void)state;
	static struct peer p;
	struct world *w = world();
	char why[] = "of no use";
	struct smsg_text t = {.text = why};
	struct buf b;
	up(w);
	log_in(w);
	int fd = named_socket(w);
	peer_send(&w->net, MN_LISTENER_GONE, NULL, NULL, 0);
	expect_register(w, fd, &p, true, true);
	buf_init(&b, 100);
	assert_int_equal(smsg_put_text(&b, &t), 0);
	peer_send(&p, SM_REFUSED, &b, NULL, 0);
	peer_expect_end(&p);
	wait_logged(w, "will not survive a move: of no use");
	buf_free(&b);
	peer_close(&p);
	close(fd);
	down(w, 0);
}

static void
test_nothing_said(void **state)
{
	(void)state;
	static const struct monitor_ops ops = {.start = start_role};
	int sup[2];
	assert_int_equal(ipc_pair(sup), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(sup[0]);
		log_set_level(LOG_L_QUIET);
		exit(monitor_run(sup[1], &ops));
	}
	close(sup[1]);
	close(sup[0]);
	assert_int_equal(WEXITSTATUS(peer_wait(pid)), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sign),
	    cmocka_unit_test(test_sign_other),
	    cmocka_unit_test(test_phases),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_unvalidated_not_logged),
	    cmocka_unit_test(test_log_flood),
	    cmocka_unit_test(test_login),
	    cmocka_unit_test(test_query_first),
	    cmocka_unit_test(test_bad_signatures),
	    cmocka_unit_test(test_unknown_user),
	    cmocka_unit_test(test_user_as_path),
	    cmocka_unit_test(test_other_user),
	    cmocka_unit_test(test_change_of_user),
	    cmocka_unit_test(test_too_many_tries),
	    cmocka_unit_test(test_slow_failure),
	    cmocka_unit_test(test_banner),
	    cmocka_unit_test(test_deny_users),
	    cmocka_unit_test(test_two_keys_wanted),
	    cmocka_unit_test(test_impossible_methods),
	    cmocka_unit_test(test_pubkey_off),
	    cmocka_unit_test(test_forced_by_key),
	    cmocka_unit_test(test_from),
	    cmocka_unit_test(test_expired_key),
	    cmocka_unit_test(test_unknown_option),
	    cmocka_unit_test(test_strict_modes),
	    cmocka_unit_test(test_fifo),
	    cmocka_unit_test(test_move),
	    cmocka_unit_test(test_move_elsewhere),
	    cmocka_unit_test(test_many_moves),
	    cmocka_unit_test(test_move_denied),
	    cmocka_unit_test(test_move_between_keys),
	    cmocka_unit_test(test_disconnect),
	    cmocka_unit_test(test_crash),
	    cmocka_unit_test(test_terminate),
	    cmocka_unit_test(test_stubborn),
	    cmocka_unit_test(test_grace),
	    cmocka_unit_test(test_supervisor_gone),
	    cmocka_unit_test(test_register),
	    cmocka_unit_test(test_register_early),
	    cmocka_unit_test(test_register_refused),
	    cmocka_unit_test(test_nothing_said),
	};
	if (access(BROKER, X_OK) != 0) {
		fprintf(stderr, "skipped: %s is not built\n", BROKER);
		return 77;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
