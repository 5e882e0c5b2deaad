/* The login itself, once the user has proved who he is: account and session stages, the broker, and only
 * then the answer. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/wire/wire.h"
#include "server/monitor/keyfile.h"
#include "server/monitor/monint.h"

#define NOLOGIN_FILE "/etc/nologin"
#ifdef QSH_SANITIZERS
#define KEEP_STDERR true /* for their reports */
#else
#define KEEP_STDERR false
#endif

int
monitor_send_text(struct ipc *ipc, int type, const char *text)
{
	struct buf b;
	struct smsg_text t = {.text = strndup(text, WIRE_TEXT_MAX - 1)};
	if (!t.text)
		return QERR_NOMEM;
	buf_init(&b, IPC_BODY_MAX);
	int r = smsg_put_text(&b, &t);
	if (r == 0)
		r = ipc_send(ipc, (uint16_t)type, &b, NULL, 0);
	buf_free(&b);
	smsg_free_text(&t);
	return r;
}

/* ---- account --------------------------------------------------------------------------- */

/* PAM has a module of its own for this file. */
static int
check_nologin(struct monitor *m)
{
	if (auth_account(m->auth)->uid == 0)
		return 0;
	char *text = account_text_file(NOLOGIN_FILE, WIRE_TEXT_MAX - 1);
	if (!text)
		return 0;
	log_info("User %s not allowed because %s exists", auth_user(m->auth), NOLOGIN_FILE);
	int r = text[0] ? monitor_send_text(m->net, MN_BANNER, text) : 0;
	free(text);
	return r < 0 ? r : QERR_DENIED;
}

/* What modules have to say to somebody who gets no terminal to say it on. */
static int
send_pam_text(struct monitor *m)
{
	if (!mpam_text(m->pam)[0])
		return 0;
	int r = monitor_send_text(m->net, MN_BANNER, mpam_text(m->pam));
	mpam_text_clear(m->pam);
	return r;
}

/* Modules such as pam_group add to the groups of the process that sets the credentials up: they are to
 * find the user's own, and the broker is to keep what they make of them. */
static int
open_pam(struct monitor *m)
{
	const struct account *a = auth_account(m->auth);
	if (account_set_groups(a) < 0) {
		log_error("groups of user %s: %s", a->name, qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	return mpam_open(m->pam);
}

void
monitor_load_pam(struct monitor *m)
{
	if (m->conf->use_pam && !m->init.user_mode && !m->pam)
		(void)mpam_load(&m->pam, m->conf->pam_service);
}

/* Loaded ahead, unless this user has a service of his own. */
static int
start_pam(struct monitor *m, const char *service)
{
	char host[ADDR_STRLEN];
	if (m->pam && strcmp(mpam_service(m->pam), service) != 0)
		mpam_end(&m->pam);
	int r = m->pam ? 0 : mpam_load(&m->pam, service);
	return r < 0 ? r :
		       mpam_start(m->pam, auth_account(m->auth)->name,
			   addr_host(&m->env.path.remote, host));
}

static int
check_pam(struct monitor *m)
{
	int r = start_pam(m, auth_conf(m->auth)->pam_service);
	if (r < 0)
		return r;
	r = mpam_account(m->pam);
	if (r < 0)
		log_info("Access denied for user %s by PAM account configuration", auth_user(m->auth));
	/* before the session, so that what the account stage says is not held back for a terminal */
	int e = send_pam_text(m);
	if (e < 0)
		return e;
	if (r == 0)
		r = open_pam(m);
	if (r < 0)
		e = send_pam_text(m);
	return e < 0 ? e : r;
}

/* ---- broker ------------------------------------------------------------------------------ */

/* The login environment so far, in the order in which later ones win: key lines, the user's file, PAM. */
static int
login_env(struct monitor *m, struct strlist *env)
{
	const struct sconf *c = auth_conf(m->auth);
	const struct grant *g = auth_grant(m->auth);
	int r = 0;
	for (size_t i = 0; i < g->env.n && r == 0; i++)
		r = strlist_add(env, g->env.v[i]);
	if (r == 0 && c->permit_user_env) {
		r = keyfile_user_env(auth_account(m->auth), c->permit_user_env_patterns, env);
		if (r == QERR_SYS)
			r = 0; /* logged; the login does not hang on it */
	}
	if (r == 0 && m->pam)
		r = mpam_env(m->pam, env);
	return r;
}

static int
send_broker_init(struct monitor *m, int nb_fd)
{
	const struct sconf *c = auth_conf(m->auth);
	const struct account *a = auth_account(m->auth);
	const struct grant *g = auth_grant(m->auth);
	char none[] = "";
	char *info = c->expose_auth_info ? auth_info(m->auth) : NULL;
	struct smsg_binit b = {.user = a->name,
	    .home = a->home,
	    .shell = a->shell,
	    .uid = a->uid,
	    .path = m->env.path,
	    .accept_env = c->accept_env,
	    .set_env = c->set_env,
	    .subsystems = c->subsystems,
	    .force_command = c->force_command ? c->force_command : g->command ? g->command : none,
	    .permit_tty = c->permit_tty && !g->no_pty,
	    /* with a command of the administrator's the user's own files have no say */
	    .permit_user_rc = c->permit_user_rc && !g->no_user_rc && !c->force_command,
	    .print_motd = c->print_motd,
	    .print_lastlog = c->print_lastlog,
	    .user_mode = m->init.user_mode,
	    .use_pam_motd = m->pam != NULL,
	    .strict_modes = c->strict_modes,
	    .max_sessions = c->max_sessions,
	    .auth_info = info ? info : none,
	    .log_level = m->init.log_level};
	struct buf body;
	buf_init(&body, IPC_BODY_MAX);
	int r = login_env(m, &b.env);
	if (r == 0)
		r = smsg_put_binit(&body, &b);
	if (r == 0)
		r = ipc_send(m->broker, MB_INIT, &body, &nb_fd, 1);
	buf_free(&body);
	strlist_free(&b.env);
	free(info);
	return r;
}

static int
start_broker(struct monitor *m)
{
	const struct account *a = auth_account(m->auth);
	struct role_user who = {.uid = a->uid,
	    .gid = a->gid,
	    .user = a->name,
	    .keep_groups = m->pam != NULL,
	    .change = !m->init.user_mode,
	    .new_session = true};
	int pair[2];
	if (ipc_pair(pair) < 0)
		return QERR_SYS;
	/* its words go through us: the user's process gets no hold of the administrator's terminal or log */
	pid_t pid = m->ops->start("qshd-broker", a->name, pair[1], &who, KEEP_STDERR);
	fd_close(&pair[1]);
	if (pid < 0) {
		fd_close(&pair[0]);
		return QERR_SYS;
	}
	m->broker_pid = pid;
	return ipc_new(&m->broker, m->ev, pair[0], monitor_broker_rows, monitor_broker_nrows, m,
	    monitor_broker_closed);
}

static int
send_session(struct monitor *m, int nb_fd)
{
	const struct sconf *c = auth_conf(m->auth);
	struct smsg_session s = {.max_sessions = c->max_sessions,
	    .alive_interval_ns = c->client_alive_interval_ns,
	    .alive_count = c->client_alive_count,
	    .connection_timeout_ns = c->connection_timeout_ns,
	    .unused_ns = c->unused_timeout_ns,
	    .channel_timeouts = c->channel_timeouts,
	    .user = auth_account(m->auth)->name};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	int r = smsg_put_session(&b, &s);
	if (r == 0)
		r = ipc_send(m->net, MN_BROKER, &b, &nb_fd, 1);
	buf_free(&b);
	return r;
}

static int
connect_broker(struct monitor *m)
{
	int nb[2] = {-1, -1};
	int r = start_broker(m);
	if (r == 0)
		r = ipc_pair(nb);
	if (r == 0)
		r = send_broker_init(m, nb[0]);
	if (r == 0)
		r = send_session(m, nb[1]);
	fd_close(&nb[0]);
	fd_close(&nb[1]);
	return r;
}

/* ---- all together ------------------------------------------------------------------------- */

static int
say_ok(struct monitor *m)
{
	char none[] = "";
	struct smsg_auth_result res = {.code = SMSG_AUTH_OK, .methods = none};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	int r = smsg_put_auth_result(&b, &res);
	if (r == 0)
		r = ipc_send(m->net, MN_AUTH_RESULT, &b, NULL, 0);
	buf_free(&b);
	return r;
}

int
monitor_login(struct monitor *m)
{
	const struct sconf *c = auth_conf(m->auth);
	if (c->log_level != m->conf->log_level)
		log_set_level((enum log_level)c->log_level);
	if (!c->use_pam)
		mpam_end(&m->pam);
	int r = c->use_pam ? check_pam(m) : check_nologin(m);
	if (r == QERR_DENIED) {
		monitor_end(m, TP_E_DENIED, "the account may not log in now");
		return 0;
	}
	if (r == 0)
		r = connect_broker(m);
	if (r < 0) {
		log_error("session of user %s cannot be started: %s", auth_user(m->auth), qerr_str(r));
		monitor_end(m, TP_E_INTERNAL, "the server cannot start a session");
		return 0;
	}
	m->logged_in = true;
	ev_timer_stop(m->grace);
	(void)alarm(0);
	monitor_set_phase(m, PH_SESSION);
	r = say_ok(m);
	if (r == 0 && m->sup)
		(void)ipc_send(m->sup, SM_AUTHED, NULL, NULL, 0);
	if (r == 0 && m->reg)
		(void)ipc_send(m->reg, SM_AUTHED, NULL, NULL, 0);
	if (!m->listener_gone)
		ipc_free(&m->reg);
	return r;
}
