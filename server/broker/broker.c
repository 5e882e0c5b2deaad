/* The broker's life: its two channels, and what comes on them. */
#include "server/broker/broker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ev/ev.h"
#include "server/broker/brokerint.h"
#include "server/broker/signame.h"
#include "server/ipc/role.h"

#define INIT_TIMEOUT (30 * NS_PER_S)

struct session *
broker_find(struct broker *b, uint64_t chan)
{
	for (struct session *s = b->sessions; s; s = s->next) {
		if (s->chan == chan && !s->closed)
			return s;
	}
	return NULL;
}

static void
session_logout(struct broker *b, struct session *s)
{
	if (!s->logged_in)
		return;
	s->logged_in = false;
	struct smsg_pty m = {.tty = s->tty};
	struct buf body;
	buf_init(&body, IPC_BODY_MAX);
	if (smsg_put_pty(&body, &m) == 0)
		(void)ipc_send(b->mon, MB_PTY_LOGOUT, &body, NULL, 0);
	buf_free(&body);
}

void
broker_drop(struct broker *b, struct session *s)
{
	if (!s)
		return;
	for (struct session **p = &b->sessions; *p; p = &(*p)->next) {
		if (*p == s) {
			*p = s->next;
			b->nsessions--;
			break;
		}
	}
	session_logout(b, s);
	if (s->id > 0)
		log_verbose("Close session: user %s from %s id %llu", b->init.user,
		    addr_show(&b->path.remote), (unsigned long long)s->id);
	fd_close(&s->master);
	free(s);
}

/* A session counts until its process has ended and its channel is over. */
static void
session_settle(struct broker *b, struct session *s)
{
	if (s->exited && s->closed)
		broker_drop(b, s);
}

/* ---- children ---------------------------------------------------------------- */

static void
tell_exit(struct broker *b, const struct session *s, int status)
{
	char name[32] = "";
	struct smsg_exit m = {.chan = s->chan, .signal = name};
	if (WIFSIGNALED(status)) {
		strncpy(name, signame_of(WTERMSIG(status)), sizeof name - 1);
#ifdef WCOREDUMP
		m.core = WCOREDUMP(status) ? 1 : 0;
#endif
	} else {
		m.status = (uint32_t)WEXITSTATUS(status);
	}
	struct buf body;
	buf_init(&body, IPC_BODY_MAX);
	if (smsg_put_exit(&body, &m) == 0)
		(void)ipc_send(b->net, NB_EXIT, &body, NULL, 0);
	buf_free(&body);
}

static void
child_ended(struct broker *b, pid_t pid, int status)
{
	for (struct session *s = b->sessions; s; s = s->next) {
		if (s->pid != pid || s->exited)
			continue;
		s->exited = true;
		session_logout(b, s);
		if (!s->closed)
			tell_exit(b, s, status);
		session_settle(b, s);
		return;
	}
}

static void
on_sigchld(void *arg, int signo)
{
	(void)signo;
	struct broker *b = arg;
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_ended(b, pid, status);
}

static void
on_sigterm(void *arg, int signo)
{
	(void)signo;
	struct broker *b = arg;
	ev_stop(b->ev);
}

/* ---- messages of the connection's process --------------------------------------- */

static int
on_window(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct broker *b = ctx;
	struct smsg_window m;
	int r = smsg_get_window(body, &m);
	if (r < 0)
		return r;
	struct session *s = broker_find(b, m.chan);
	if (s && s->master >= 0 && session_set_size(s->master, m.cols, m.rows, m.xpixel, m.ypixel) < 0)
		log_debug("window size of %s: %s", s->tty, qerr_str(QERR_SYS));
	smsg_free_window(&m);
	return 0;
}

static int
on_signal(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct broker *b = ctx;
	struct smsg_signal m;
	int r = smsg_get_signal(body, &m);
	if (r < 0)
		return r;
	struct session *s = broker_find(b, m.chan);
	if (s) {
		r = session_signal(s, m.name);
		if (r < 0)
			log_debug("signal %s not sent to session %llu: %s", m.name,
			    (unsigned long long)m.chan, qerr_str(r));
	}
	smsg_free_signal(&m);
	return 0;
}

static int
on_break(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct broker *b = ctx;
	struct smsg_chan m;
	int r = smsg_get_chan(body, &m);
	if (r < 0)
		return r;
	struct session *s = broker_find(b, m.chan);
	if (s && s->master >= 0) {
		int err = session_break(s);

		log_debug("break on %s%s%s", s->tty, err < 0 ? ": " : "", err < 0 ? qerr_str(err) : "");
	}
	smsg_free_chan(&m);
	return 0;
}

/* The other copy of the master is closed already: with ours goes the terminal, and the kernel hangs
 * up what runs on it. Without a terminal nothing is killed, as with sshd. */
static int
on_close(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct broker *b = ctx;
	struct smsg_chan m;
	int r = smsg_get_chan(body, &m);
	if (r < 0)
		return r;
	struct session *s = broker_find(b, m.chan);
	if (s) {
		s->closed = true;
		fd_close(&s->master);
		session_logout(b, s);
		session_settle(b, s);
	}
	smsg_free_chan(&m);
	return 0;
}

static const struct ipc_row net_rows[] = {
	{NB_START, "NB_START", 1, 0, 0, broker_on_start},
	{NB_WINDOW, "NB_WINDOW", 1, 0, 0, on_window},
	{NB_SIGNAL, "NB_SIGNAL", 1, 0, 0, on_signal},
	{NB_BREAK, "NB_BREAK", 1, 0, 0, on_break},
	{NB_CLOSE, "NB_CLOSE", 1, 0, 0, on_close},
};

/* ---- messages of the monitor ------------------------------------------------------ */

static void
on_closed(void *ctx, int err)
{
	struct broker *b = ctx;
	if (err < 0)
		log_error("broker of user %s: channel to another part of the server: %s",
		    b->init.user ? b->init.user : "?", qerr_str(err));
	ev_stop(b->ev);
}

static int
on_init(void *ctx, struct rd *body, int *fds)
{
	struct broker *b = ctx;
	int r = smsg_get_binit(body, &b->init);
	if (r < 0)
		return r;
	b->have_init = true;
	b->path = b->init.path;
	log_set_level((enum log_level)b->init.log_level);
	int fd = fds[0];
	fds[0] = -1;
	r = ipc_new(&b->net, b->ev, fd, net_rows, sizeof net_rows / sizeof net_rows[0], b, on_closed);
	if (r < 0)
		return r;
	ipc_set_phase(b->mon, 2);
	return 0;
}

static int
on_path(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct broker *b = ctx;
	struct smsg_path m;
	int r = smsg_get_path(body, &m);
	if (r < 0)
		return r;
	b->path = m.path;
	smsg_free_path(&m);
	return 0;
}

/* The answer to a call that was given up on. */
static int
on_late_login(void *ctx, struct rd *body, int *fds)
{
	(void)ctx;
	(void)fds;
	struct smsg_text m;
	int r = smsg_get_text(body, &m);
	if (r == 0)
		smsg_free_text(&m);
	return r;
}

static const struct ipc_row mon_rows[] = {
	{MB_INIT, "MB_INIT", 1, 1, 1, on_init},
	{MB_PATH, "MB_PATH", 2, 0, 0, on_path},
	{MB_PTY_LOGIN_OK, "MB_PTY_LOGIN_OK", 2, 0, 0, on_late_login},
};

/* ---- life ---------------------------------------------------------------------------- */

static int
set_up(struct broker *b, int fd)
{
	int r = ev_new(&b->ev);
	if (r < 0) {
		fd_close(&fd);
		return r;
	}
	r = ipc_new(&b->mon, b->ev, fd, mon_rows, sizeof mon_rows / sizeof mon_rows[0], b, on_closed);
	if (r < 0)
		return r;
	role_log_to(b->mon, MB_LOG);
	r = ipc_recv_one(b->mon, INIT_TIMEOUT);
	if (r < 0)
		return r;
	r = ev_signal_new(&b->sigchld, b->ev, SIGCHLD, on_sigchld, b);
	if (r == 0)
		r = ev_signal_new(&b->sigterm, b->ev, SIGTERM, on_sigterm, b);
	return r;
}

static void
tear_down(struct broker *b)
{
	while (b->sessions)
		broker_drop(b, b->sessions);
	if (b->auth_file) {
		(void)unlink(b->auth_file);
		free(b->auth_file);
	}
	role_log_to(NULL, 0); /* its channel ends */
	ev_signal_free(&b->sigchld);
	ev_signal_free(&b->sigterm);
	ipc_free(&b->net);
	ipc_free(&b->mon);
	ev_free(&b->ev);
	if (b->have_init)
		smsg_free_binit(&b->init);
}

int
broker_run(int fd)
{
	struct broker b = {0};
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	if (chdir("/") != 0)
		log_verbose("cannot change to /: %s", strerror(errno));
	r = set_up(&b, fd);
	if (r == 0)
		r = ev_run(b.ev);
	if (r < 0)
		log_error("broker: %s", qerr_str(r));
	tear_down(&b);
	return r < 0 ? 1 : 0;
}
