/* How a connection ends, whoever began it: net closes, the broker closes, records are written, PAM is closed.
 * Each step is made by the end of the one before, with a time limit. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "server/monitor/monint.h"

/* For net to tell its peer, for the broker to hang its terminals up. */
#define STEP_TIMEOUT (3 * NS_PER_S)
#define LAST_WORDS   1024 /* messages */

void
monitor_set_phase(struct monitor *m, unsigned phase)
{
	m->phase = phase;
	if (m->net)
		ipc_set_phase(m->net, phase);
}

const char *
monitor_peer(const struct monitor *m, char *dst, size_t n)
{
	const char *user = m->auth ? auth_user(m->auth) : NULL;
	const char *kind = !user ? "" :
	    m->logged_in ? "user " :
	    auth_user_valid(m->auth) ? "authenticating user " :
				       "invalid user ";
	snprintf(dst, n, "%s%s%s%s", kind, user ? user : "", user ? " " : "",
	    m->validated ? addr_show(&m->env.path.remote) : "an address that is not validated");
	return dst;
}

/* The one line about the end. */
static void
log_end(const struct monitor *m)
{
	char peer[512];
	bool in = m->logged_in;
	log_msg(m->validated ? LOG_L_INFO : LOG_L_DEBUG1, "%s %s%s%s%s",
	    in ? "Disconnected from" : "Connection closed by", monitor_peer(m, peer, sizeof peer),
	    in ? "" : " [preauth]", m->net_said && m->net_said[0] ? ": " : "",
	    m->net_said ? m->net_said : "");
}

static void
finish(struct monitor *m)
{
	ev_timer_stop(m->kill);
	ev_stop(m->ev);
}

/* The next step that still has to be waited for. */
static void
advance(struct monitor *m)
{
	if (m->net_pid > 0)
		return;
	if (m->net)
		ipc_free(&m->net);
	if (m->broker)
		ipc_free(&m->broker); /* it hangs its terminals up and exits */
	if (m->broker_pid > 0)
		return;
	finish(m);
}

static void
on_kill(void *arg)
{
	struct monitor *m = arg;
	pid_t pid = m->net_pid > 0 ? m->net_pid : m->broker_pid;
	if (pid > 0) {
		log_debug("process %ld does not end by itself", (long)pid);
		(void)kill(pid, SIGKILL);
		ev_timer_at(m->kill, ev_now(m->ev) + STEP_TIMEOUT);
	} else {
		finish(m);
	}
}

static void
begin_end(struct monitor *m)
{
	if (m->phase == PH_ENDING)
		return;
	monitor_set_phase(m, PH_ENDING);
	ev_timer_stop(m->grace);
	if (m->reg_timer)
		ev_timer_stop(m->reg_timer);
	if (!m->kill && ev_timer_new(&m->kill, m->ev, on_kill, m) < 0) {
		if (m->net_pid > 0)
			(void)kill(m->net_pid, SIGKILL);
		ev_stop(m->ev);
		return;
	}
	ev_timer_at(m->kill, ev_now(m->ev) + STEP_TIMEOUT);
}

void
monitor_end(struct monitor *m, uint64_t code, const char *reason)
{
	if (m->phase == PH_ENDING)
		return;
	char text[256];
	struct smsg_end e = {.code = code, .reason = text};
	struct buf b;
	snprintf(text, sizeof text, "%s", reason);
	begin_end(m);
	buf_init(&b, IPC_BODY_MAX);
	int r = m->net ? smsg_put_end(&b, &e) : QERR_CLOSED;
	if (r == 0)
		r = ipc_send(m->net, MN_END, &b, NULL, 0);
	buf_free(&b);
	if (r < 0 && m->net_pid > 0)
		(void)kill(m->net_pid, SIGKILL);
	if (m->net_pid <= 0)
		advance(m);
}

void
monitor_net_closed(void *ctx, int err)
{
	struct monitor *m = ctx;
	char peer[512];
	if (err < 0)
		log_error("channel to the process of %s: %s", monitor_peer(m, peer, sizeof peer),
		    qerr_str(err));
	begin_end(m);
	/* without its channel it has nothing left to do; SIGCHLD goes on from here */
	if (err < 0 && m->net_pid > 0)
		(void)kill(m->net_pid, SIGKILL);
	ipc_free(&m->net);
	if (m->net_pid <= 0)
		advance(m);
}

void
monitor_broker_closed(void *ctx, int err)
{
	struct monitor *m = ctx;
	if (err < 0)
		log_error("channel to the broker of user %s: %s", auth_user(m->auth), qerr_str(err));
	ipc_free(&m->broker);
	if (err < 0 && m->broker_pid > 0)
		(void)kill(m->broker_pid, SIGKILL);
	monitor_end(m, TP_E_INTERNAL, "the server's session process has ended");
}

static void
net_ended(struct monitor *m, int status)
{
	char peer[512];
	bool ours = m->phase == PH_ENDING && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	m->net_pid = 0;
	begin_end(m);
	/* what it sent last may still wait on the channel: why the connection ended. Not without end: it may have
	 * passed the channel on before */
	for (int i = 0; i < LAST_WORDS && m->net && ipc_recv_one(m->net, 0) == 0; i++)
		;
	if (WIFSIGNALED(status) && !ours)
		log_error("process of the connection of %s was killed by signal %d%s",
		    monitor_peer(m, peer, sizeof peer), WTERMSIG(status),
		    WTERMSIG(status) == SIGSYS ? " (a system call that its sandbox forbids)" : "");
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_msg(m->net_said ? LOG_L_DEBUG1 : LOG_L_ERROR,
		    "process of the connection of %s ended with status %d",
		    monitor_peer(m, peer, sizeof peer), WEXITSTATUS(status));
	advance(m);
}

static void
broker_ended(struct monitor *m, int status)
{
	m->broker_pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_error("broker of user %s ended with status %d", auth_user(m->auth),
		    WEXITSTATUS(status));
	if (m->phase == PH_ENDING) {
		advance(m);
		return;
	}
	if (WIFSIGNALED(status))
		log_error("broker of user %s was killed by signal %d", auth_user(m->auth),
		    WTERMSIG(status));
	monitor_end(m, TP_E_INTERNAL, "the server's session process has ended");
}

void
monitor_on_sigchld(void *arg, int signo)
{
	struct monitor *m = arg;
	int status;
	pid_t pid;
	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->net_pid)
			net_ended(m, status);
		else if (pid == m->broker_pid)
			broker_ended(m, status);
	}
}

void
monitor_tear_down(struct monitor *m)
{
	/* only where setting up failed half-way is somebody still there */
	if (m->net_pid > 0)
		(void)kill(m->net_pid, SIGKILL);
	if (m->have_init && m->net_started)
		log_end(m);
	monitor_logout_all(m);
	mpam_end(&m->pam);
	ipc_free(&m->net);
	ipc_free(&m->broker);
	ipc_free(&m->sup);
	ipc_free(&m->reg);
	ev_timer_free(&m->reg_timer);
	ev_timer_free(&m->grace);
	ev_timer_free(&m->kill);
	ev_signal_free(&m->sigchld);
	ev_signal_free(&m->sigterm);
	ev_signal_free(&m->sigint);
	ev_free(&m->ev);
	auth_free(&m->auth);
	sconf_free(&m->conf);
	sconf_src_free(&m->src);
	if (m->have_init)
		smsg_free_minit(&m->init);
	sodium_free(m->host_sk);
	pubkey_free(&m->host_key);
	sodium_memzero(&m->env.secret, sizeof m->env.secret);
	free(m->net_said);
}
