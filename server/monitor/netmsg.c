/* What the connection's process may ask for, and when. It is the one that reads the network: everything
 * here is hostile until shown otherwise. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/keys/keys.h"
#include "common/wire/wire.h"
#include "server/ipc/udpsock.h"
#include "server/monitor/monint.h"

#define SIG_LEN 64

#define EARLY_MOVES_MAX 8                /* before authentication, where each has the account judged again */
#define MOVES_LOGGED    20               /* in one window */
#define MOVES_WINDOW    (60 * NS_PER_S)

/* ---- handshake ---------------------------------------------------------------------- */

static void
forget_key(struct monitor *m)
{
	sodium_free(m->host_sk);
	m->host_sk = NULL;
}

/* The key is gone after this, whatever came of it. */
static int
sign(struct monitor *m, struct bytes data, uint8_t sig[SIG_LEN])
{
	int r = QERR_DENIED;
	if (m->host_sk && certverify_wellformed(data.p, data.n))
		r = crypto_sign_detached(sig, NULL, data.p, data.n, m->host_sk) == 0 ? 0 : QERR_CRYPTO;
	forget_key(m);
	return r;
}

static int
on_sign(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	struct smsg_blob req, answer = {0};
	uint8_t sig[SIG_LEN];
	int r = smsg_get_blob(body, &req);
	if (r < 0)
		return r;
	r = sign(m, req.data, sig);
	if (r == 0)
		answer.data = (struct bytes){sig, sizeof sig};
	else
		log_error("refused to sign %zu bytes that are no handshake of ours", req.data.n);
	smsg_free_blob(&req);
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	r = smsg_put_blob(&b, &answer);
	if (r == 0)
		r = ipc_send(m->net, MN_SIGNED, &b, NULL, 0);
	buf_free(&b);
	if (r == 0)
		monitor_load_pam(m); /* until the user comes there is a round trip left */
	return r;
}

static int
on_validated(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	(void)body;
	struct monitor *m = ctx;
	if (m->phase != PH_HANDSHAKE)
		return 0;
	char local[ADDR_STRLEN];
	forget_key(m); /* also where nobody has asked for its signature */
	m->validated = true;
	log_verbose("Connection from %s on %s", addr_show(&m->env.path.remote),
	    addr_str(&m->env.path.local, local));
	monitor_set_phase(m, PH_AUTH);
	monitor_register(m);
	return 0;
}

/* ---- authentication ------------------------------------------------------------------- */

static int
send_result(struct monitor *m, enum smsg_auth_code code, char *methods)
{
	struct smsg_auth_result res = {.code = (uint8_t)code, .methods = methods};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	int r = smsg_put_auth_result(&b, &res);
	if (r == 0)
		r = ipc_send(m->net, MN_AUTH_RESULT, &b, NULL, 0);
	buf_free(&b);
	return r;
}

/* Nothing else is to be done for this connection meanwhile, so waiting here is simple and enough. */
static void
wait_until(uint64_t began, uint64_t least)
{
	uint64_t passed = clock_mono() - began;
	if (passed >= least)
		return;
	uint64_t left = least - passed;
	struct timespec ts = {
	    .tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* The banner comes with the first answer, when the user's configuration is known. */
static int
send_banner(struct monitor *m)
{
	const struct sconf *c = auth_conf(m->auth);
	if (m->banner_sent || !c || !c->banner)
		return 0;
	m->banner_sent = true;
	char *text = account_text_file(c->banner, WIRE_TEXT_MAX - 1);
	if (!text) {
		log_debug("Banner %s cannot be read, or is larger than %d bytes", c->banner,
		    WIRE_TEXT_MAX - 1);
		return 0;
	}
	int r = monitor_send_text(m->net, MN_BANNER, text);
	free(text);
	return r;
}

static int
answer_auth(struct monitor *m, const struct smsg_auth *req)
{
	struct auth_reply reply;
	uint64_t began = clock_mono();
	int r = auth_request(m->auth, req, clock_wall(), &reply);
	if (r == QERR_PROTO) {
		monitor_end(m, TP_E_PROTOCOL, "change of user or service, or a request after the last one");
		return 0;
	}
	if (r == 0)
		r = send_banner(m);
	if (r < 0)
		return r;
	if (reply.code == SMSG_AUTH_OK)
		return monitor_login(m);
	wait_until(began, reply.not_before);
	r = send_result(m, reply.code, reply.methods);
	if (r == 0 && reply.code == SMSG_AUTH_END)
		monitor_end(m, TP_E_AUTH, "too many authentication failures");
	return r;
}

static int
on_auth(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	struct smsg_auth req;
	if (m->phase == PH_ENDING)
		return 0;
	int r = smsg_get_auth(body, &req);
	if (r < 0)
		return r;
	r = answer_auth(m, &req);
	smsg_free_auth(&req);
	return r;
}

/* ---- moves ------------------------------------------------------------------------------- */

/* We may bind every port: not what its process says, but the one that the connection was admitted on. */
static int
path_socket(const struct monitor *m, const struct tp_path *path)
{
	uint16_t port = addr_port(&m->init.admit.path.local);
	if (addr_port(&path->local) != port || addr_is_any(&path->local)) {
		log_debug("no socket of its own for %s: its local port is not %u",
		    addr_show(&path->remote), port);
		return -1;
	}
	int fd = udpsock_connected(path);
	if (fd < 0)
		log_debug("no socket of its own for %s: %s", addr_show(&path->remote),
		    qerr_str(QERR_SYS));
	return fd;
}

/* Where none can be had (another connection has these addresses) the listener goes on passing datagrams. */
static int
send_path(struct monitor *m, const struct tp_path *path)
{
	struct smsg_path p = {.path = *path};
	struct buf b;
	int fd = path_socket(m, path);
	m->steered = fd < 0;
	buf_init(&b, IPC_BODY_MAX);
	int r = smsg_put_path(&b, &p);
	if (r == 0 && fd >= 0)
		r = ipc_send(m->net, MN_SOCKET, &b, &fd, 1);
	if (r == 0 && m->broker)
		r = ipc_send(m->broker, MB_PATH, &b, NULL, 0);
	buf_free(&b);
	fd_close(&fd);
	return r;
}

/* A client can move as fast as packets go; the log is not its to fill. */
static void
log_move(struct monitor *m, const char *from, const struct addr *to)
{
	const char *user = auth_user(m->auth);
	uint64_t now = clock_mono();
	if (now - m->moves_since > MOVES_WINDOW) {
		m->moves_since = now;
		m->moves = 0;
	}
	m->moves++;
	log_msg(m->logged_in && m->moves <= MOVES_LOGGED ? LOG_L_INFO : LOG_L_VERBOSE,
	    "Moved %s%s from %s to %s%s", user ? "user " : "connection", user ? user : "", from,
	    addr_show(to), m->moves == MOVES_LOGGED ? " (further moves are not logged for a while)" : "");
}

static int
moved(struct monitor *m, const struct tp_path *to)
{
	char from[ADDR_STRLEN];
	addr_str(&m->env.path.remote, from);
	if (!m->logged_in && ++m->early_moves > EARLY_MOVES_MAX) {
		monitor_end(m, TP_E_LIMIT, "too many moves before authentication");
		return 0;
	}
	int r = auth_moved(m->auth, to);
	if (r == QERR_DENIED) {
		monitor_end(m, TP_E_DENIED, "not permitted from the new address");
		return 0;
	}
	if (r < 0)
		return r;
	log_move(m, from, &to->remote);
	return send_path(m, to);
}

static int
on_path(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	struct smsg_path p;
	if (m->phase == PH_ENDING)
		return 0;
	if (m->stream)
		return QERR_PHASE; /* there is nowhere to go to */
	int r = smsg_get_path(body, &p);
	if (r < 0)
		return r;
	bool whole = p.path.remote.len != 0 && p.path.remote.len == p.path.local.len;
	r = whole ? moved(m, &p.path) : QERR_FORMAT;
	smsg_free_path(&p);
	return r;
}

static int
on_listener_gone(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	int r = rd_end(body);
	if (r < 0)
		return r;
	m->listener_gone = true;
	monitor_register(m);
	return 0;
}

/* ---- log and end ---------------------------------------------------------------------------- */

static int
on_log(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	return monitor_role_log(body, &m->net_log, ev_now(m->ev), "net: ");
}

static int
on_closed(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	struct smsg_text t;
	int r = smsg_get_text(body, &t);
	if (r < 0)
		return r;
	free(m->net_said);
	m->net_said = t.text;
	t.text = NULL;
	smsg_free_text(&t);
	return 0;
}

#define PH_ANY (PH_HANDSHAKE | PH_AUTH | PH_SESSION | PH_ENDING)
const struct ipc_row monitor_net_rows[] = {
	{MN_SIGN, "MN_SIGN", PH_HANDSHAKE | PH_ENDING, 1, 0, on_sign},
	{MN_VALIDATED, "MN_VALIDATED", PH_HANDSHAKE | PH_ENDING, 1, 0, on_validated},
	{MN_AUTH, "MN_AUTH", PH_AUTH | PH_ENDING, 0, 0, on_auth},
	{MN_PATH, "MN_PATH", PH_AUTH | PH_SESSION | PH_ENDING, 0, 0, on_path},
	{MN_LISTENER_GONE, "MN_LISTENER_GONE", PH_ANY, 0, 0, on_listener_gone},
	{MN_LOG, "MN_LOG", PH_ANY, 0, 0, on_log},
	{MN_CLOSED, "MN_CLOSED", PH_ANY, 1, 0, on_closed},
};
const size_t monitor_net_nrows = sizeof monitor_net_rows / sizeof monitor_net_rows[0];
