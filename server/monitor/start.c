/* From the supervisor's first message to a running connection process. */
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/tracefile.h"
#include "common/keys/keys.h"
#include "server/ipc/udpsock.h"
#include "server/monitor/account.h"
#include "server/monitor/monint.h"

enum { PH_SUP_INIT = 1, PH_SUP_DONE = 2 }; /* of the channel to the supervisor */

#define DEAF_S       10 /* longer than any pause of ours */
#define EMPTY_DIR    QSH_RUNDIR "/empty"
#define SECRET_LABEL "qsh failure delay"

static int
keep_key(struct monitor *m, struct bytes sk)
{
	if (sk.n != HOST_SK_LEN)
		return QERR_FORMAT;
	if (sodium_init() < 0)
		return QERR_CRYPTO;
	m->host_sk = sodium_malloc(HOST_SK_LEN);
	if (!m->host_sk)
		return QERR_NOMEM;
	memcpy(m->host_sk, sk.p, HOST_SK_LEN);
	int r = pubkey_from_ed25519(&m->host_key, sk.p + 32);
	/* the message lies in the channel's buffer, which lives on */
	sodium_memzero((void *)(uintptr_t)sk.p, sk.n);
	/* the same for every connection, so that it cannot be averaged out, and told by nothing public */
	crypto_generichash(m->env.secret, sizeof m->env.secret, (const unsigned char *)SECRET_LABEL,
	    strlen(SECRET_LABEL), m->host_sk, 32);
	return r;
}

static int
keep_config(struct monitor *m, struct bytes config)
{
	struct rd r;
	rd_init(&r, config.p, config.n);
	int e = sconf_src_get(&m->src, &r);
	if (e < 0)
		return e;
	char host[ADDR_STRLEN];
	const struct tp_path *path = &m->init.admit.path;
	struct sconf_match match = {
	    .remote = &path->remote, .local = &path->local, .host = addr_host(&path->remote, host)};
	return sconf_eval(m->src, &match, &m->conf);
}

static void
set_up_log(const struct monitor *m)
{
	log_set_level((enum log_level)m->init.log_level);
	if (m->init.log_stderr)
		log_to_stderr();
	else if (m->init.log_file && m->init.log_file[0] && log_to_file(m->init.log_file) == 0)
		return;
	else
		log_to_syslog(m->conf->log_facility);
}

static int
net_channel(struct monitor *m)
{
	int pair[2];
	if (ipc_pair(pair) < 0)
		return QERR_SYS;
	/* as root: it enters its empty folder and drops to the account itself, right before MN_GO */
	const struct role_user who = {.change = false};
	pid_t pid = m->ops->start("qshd-net", "connection", pair[1], &who, true);
	fd_close(&pair[1]);
	if (pid < 0) {
		fd_close(&pair[0]);
		return QERR_SYS;
	}
	m->net_pid = pid;
	m->net_started = true;
	return ipc_new(&m->net, m->ev, pair[0], monitor_net_rows, monitor_net_nrows, m,
	    monitor_net_closed);
}

static int
net_account(const struct monitor *m, struct smsg_ninit *n)
{
	if (m->init.user_mode)
		return 0;
	const struct passwd *pw = getpwnam(m->init.account);
	if (!pw || pw->pw_uid == 0) {
		log_error("account %s for the processes on the network is missing: useradd -r -s "
			  "/usr/sbin/nologin -d / %s",
		    m->init.account, m->init.account);
		return QERR_NOTFOUND;
	}
	n->uid = pw->pw_uid;
	n->gid = pw->pw_gid;
	return 0;
}

/* fds: the channel to the listener or, two, a byte stream. */
static int
send_init(struct monitor *m, const int *fds, size_t nfds)
{
	char dir[] = EMPTY_DIR, none[] = "";
	struct smsg_ninit n = {.admit = m->init.admit,
	    .grace_ns = m->conf->login_grace_ns,
	    .log_level = m->init.log_level,
	    .max_auth_tries = m->conf->max_auth_tries,
	    .cc = (uint8_t)m->conf->congestion_control,
	    .buffer = m->conf->connection_buffer,
	    .chroot_dir = m->init.user_mode ? none : dir};
	memcpy(n.host_pk, m->host_key.pk, sizeof n.host_pk);
	int r = net_account(m, &n);
	if (r < 0)
		return r;
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	r = smsg_put_ninit(&b, &n);
	if (r == 0)
		r = ipc_send(m->net, nfds == 1 ? MN_INIT : MN_INIT_STREAM, &b, fds, nfds);
	buf_free(&b);
	return r;
}

/* Without a socket of its own the connection is served through the listener. */
static int
send_socket(struct monitor *m)
{
	m->steered = m->init.admit.steered;
	if (m->steered || m->stream)
		return 0;
	int fd = udpsock_connected(&m->init.admit.path);
	if (fd < 0) {
		m->steered = true;
		log_debug("no socket of its own: %s", qerr_str(QERR_SYS));
		return 0;
	}
	struct smsg_path p = {.path = m->init.admit.path};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	int r = smsg_put_path(&b, &p);
	if (r == 0)
		r = ipc_send(m->net, MN_SOCKET, &b, &fd, 1);
	buf_free(&b);
	fd_close(&fd);
	return r;
}

static int
send_file(struct monitor *m, uint16_t type, int fd)
{
	int r = ipc_send(m->net, type, NULL, &fd, 1);

	fd_close(&fd);
	return r;
}

/* What the administrator wants connections recorded in. What cannot be made was logged, and the login goes
 * on without. */
static int
send_records(struct monitor *m)
{
	/* A byte stream has not been looked into yet. */
	const struct quic_cid *cid = m->stream ? &m->init.admit.cids.v[0] : &m->init.admit.odcid;
	char peer[512];
	int fd, r = 0;

	if (m->conf->key_log_file && (fd = tracefile_keys(m->conf->key_log_file)) >= 0) {
		log_info("warning: the keys of the connection from %s are written to %s (KeyLogFile): who "
			 "reads them can read all of it",
		    monitor_peer(m, peer, sizeof peer), m->conf->key_log_file);
		r = send_file(m, MN_KEY_LOG, fd);
	}
	if (r == 0 && m->conf->qlog_dir &&
	    (fd = tracefile_qlog(m->conf->qlog_dir, cid->id, cid->len, "server")) >= 0)
		r = send_file(m, MN_QLOG, fd);
	return r;
}

static int
take_init(struct monitor *m, struct rd *body, const int *fds, size_t nfds)
{
	int r = smsg_get_minit(body, &m->init);
	if (r < 0)
		return r;
	ipc_set_phase(m->sup, PH_SUP_DONE);
	m->have_init = true;
	m->stream = nfds == 2;
	role_set_name("qshd-monitor");
	r = keep_key(m, m->init.host_sk);
	if (r == 0)
		r = keep_config(m, m->init.config);
	m->init.host_sk = m->init.config = (struct bytes){0};
	if (r < 0)
		return r;
	set_up_log(m);
	m->env.src = m->src;
	m->env.hostkey = m->host_key.blob;
	m->env.hostkeylen = m->host_key.bloblen;
	m->env.path = m->init.admit.path;
	m->env.only_uid = m->init.user_mode ? getuid() : (uid_t)-1;
	r = send_init(m, fds, nfds);
	if (r == 0)
		r = send_socket(m);
	if (r == 0)
		r = send_records(m);
	return r == 0 ? ipc_send(m->net, MN_GO, NULL, NULL, 0) : r;
}

static int
on_init(void *ctx, struct rd *body, int *fds)
{
	return take_init(ctx, body, fds, 1);
}

static int
on_init_stream(void *ctx, struct rd *body, int *fds)
{
	return take_init(ctx, body, fds, 2);
}

static const struct ipc_row sup_rows[] = {
	{SM_INIT, "SM_INIT", PH_SUP_INIT, 1, 1, on_init},
	{SM_INIT_STREAM, "SM_INIT_STREAM", PH_SUP_INIT, 1, 2, on_init_stream},
};

/* The supervisor may be restarted; connections live on. */
static void
sup_closed(void *ctx, int err)
{
	struct monitor *m = ctx;
	(void)err;
	ipc_free(&m->sup);
}

static void
on_grace(void *arg)
{
	struct monitor *m = arg;
	char peer[512];
	if (m->logged_in || m->phase == PH_ENDING)
		return;
	log_msg(m->validated ? LOG_L_INFO : LOG_L_DEBUG1, "Timeout before authentication for %s",
	    monitor_peer(m, peer, sizeof peer));
	monitor_end(m, TP_E_TIMEOUT, "timeout before authentication (LoginGraceTime)");
}

static void
on_terminate(void *arg, int signo)
{
	(void)signo;
	monitor_end(arg, TP_E_ADMIN, "ended by the administrator");
}

/* Before there is a child, so that the end of none is missed. */
static int
watch_signals(struct monitor *m)
{
	int r = ev_signal_new(&m->sigchld, m->ev, SIGCHLD, monitor_on_sigchld, m);
	if (r == 0)
		r = ev_signal_new(&m->sigterm, m->ev, SIGTERM, on_terminate, m);
	if (r == 0)
		r = ev_signal_new(&m->sigint, m->ev, SIGINT, on_terminate, m);
	return r;
}

static int
start_grace(struct monitor *m)
{
	int r = ev_timer_new(&m->grace, m->ev, on_grace, m);
	if (r != 0 || m->conf->login_grace_ns == 0)
		return r;
	ev_timer_at(m->grace, ev_now(m->ev) + m->conf->login_grace_ns);
	/* While a PAM module or a file system hangs we hear no timer: then this one ends us, so that nobody
	 * holds a place under MaxStartups for ever. */
	(void)alarm((unsigned)(m->conf->login_grace_ns / NS_PER_S) + DEAF_S);
	return 0;
}

int
monitor_set_up(struct monitor *m, int fd)
{
	int r = ev_new(&m->ev);
	role_set_name(ROLE_SPARE_NAME);
	if (r < 0) {
		fd_close(&fd);
		return r;
	}
	r = ipc_new(&m->sup, m->ev, fd, sup_rows, sizeof sup_rows / sizeof sup_rows[0], m, sup_closed);
	if (r == 0)
		r = watch_signals(m);
	if (r == 0)
		r = auth_new(&m->auth, &m->env);
	if (r == 0)
		r = net_channel(m);
	if (r == 0)
		account_warm_up();
	/* Started ahead, it may wait long for its client, or in vain. */
	if (r == 0)
		r = ipc_recv_one(m->sup, UINT64_MAX);
	return r == 0 ? start_grace(m) : r;
}
