/* Starting a session. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/broker/brokerint.h"
#include "server/broker/child.h"
#include "server/broker/env.h"
#include "server/broker/plan.h"

#define LOGIN_TIMEOUT (5 * NS_PER_S)
#define AUTH_TEMPLATE "/tmp/qshauth.XXXXXXXXXXXXXXX"

/* One start request on its way. */
struct starting {
	struct broker *b;
	const struct smsg_start *req;
	struct plan plan;
	struct session_fds fds;
	struct strlist env;
	char **envp;
	char *greeting;
	struct session *s;
};

static void
refuse(struct broker *b, uint64_t chan, const char *reason)
{
	struct smsg_failed m = {.chan = chan};
	m.reason = strdup(reason);
	struct buf body;
	buf_init(&body, IPC_BODY_MAX);
	if (m.reason && smsg_put_failed(&body, &m) == 0)
		(void)ipc_send(b->net, NB_FAILED, &body, NULL, 0);
	buf_free(&body);
	free(m.reason);
	log_verbose("session for %s refused: %s", b->init.user, reason);
}

/* The file that SSH_USER_AUTH names is made once, at the first session. */
static int
make_auth_file(struct broker *b)
{
	if (b->auth_file || !b->init.auth_info || !b->init.auth_info[0])
		return 0;
	char path[] = AUTH_TEMPLATE;
	int fd = mkstemp(path);
	if (fd < 0)
		return QERR_SYS;
	int r = fd_write_all(fd, b->init.auth_info, strlen(b->init.auth_info));
	if (r == 0)
		r = fd_write_all(fd, "\n", 1);
	fd_close(&fd);
	if (r == 0 && !(b->auth_file = strdup(path)))
		r = QERR_NOMEM;
	if (r < 0)
		(void)unlink(path);
	return r;
}

static int
make_env(struct starting *st)
{
	struct broker *b = st->b;
	if (make_auth_file(b) < 0)
		log_error("file for SSH_USER_AUTH of user %s: %s", b->init.user, qerr_str(QERR_SYS));
	struct env_in in = {.init = &b->init,
	    .start = st->req,
	    .path = &b->path,
	    .tty = st->fds.tty[0] ? st->fds.tty : NULL,
	    .original = st->plan.original,
	    .auth_file = b->auth_file};
	int r = env_build(&st->env, &in);
	if (r < 0)
		return r;
	st->envp = calloc(st->env.n + 1, sizeof *st->envp);
	if (!st->envp)
		return QERR_NOMEM;
	for (size_t i = 0; i < st->env.n; i++)
		st->envp[i] = st->env.v[i];
	return 0;
}

/* The login record is the monitor's work; it answers with what to show before the prompt. */
static void
login_record(struct starting *st)
{
	struct smsg_pty m = {.tty = st->fds.tty};
	struct smsg_text text;
	struct buf body, reply;
	struct rd r;
	buf_init(&body, IPC_BODY_MAX);
	buf_init(&reply, IPC_BODY_MAX);
	int e = smsg_put_pty(&body, &m);
	if (e == 0)
		e = ipc_call(st->b->mon, MB_PTY_LOGIN, &body, MB_PTY_LOGIN_OK, &reply, LOGIN_TIMEOUT);
	if (e == 0) {
		st->s->logged_in = true;
		rd_init(&r, buf_data(&reply), buf_len(&reply));
		e = smsg_get_text(&r, &text);
	}
	if (e == 0) {
		st->greeting = text.text;
		text.text = NULL;
		smsg_free_text(&text);
	} else {
		log_error("login record of %s: %s", st->fds.tty, qerr_str(e));
	}
	buf_free(&body);
	buf_free(&reply);
}

static int
run_child(struct starting *st)
{
	const struct smsg_binit *init = &st->b->init;
	struct child c = {.tty = st->fds.tty[0] != '\0',
	    .home = init->home,
	    .shell = init->shell,
	    .command = st->plan.command,
	    .env = st->envp,
	    .greeting = st->greeting ? st->greeting : "",
	    .print_motd = init->print_motd != 0,
	    .user_rc = init->permit_user_rc != 0 && !st->plan.subsystem};
	memcpy(c.fd, st->fds.theirs, sizeof c.fd);
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		child_run(&c);
	int e = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = e;
	if (pid < 0)
		return QERR_SYS;
	st->s->pid = pid;
	return 0;
}

/* Our copy of the master stays here; pipes belong to the connection's process alone. */
static int
hand_over(struct starting *st)
{
	struct smsg_chan m = {.chan = st->req->chan};
	struct buf body;
	buf_init(&body, IPC_BODY_MAX);
	int r = smsg_put_chan(&body, &m);
	if (r == 0)
		r = ipc_send(st->b->net, st->fds.nours == 1 ? NB_STARTED_PTY : NB_STARTED_PIPES,
		    &body, st->fds.ours, st->fds.nours);
	buf_free(&body);
	if (st->fds.nours == 1) {
		st->s->master = st->fds.ours[0];
		st->fds.ours[0] = -1;
	}
	return r;
}

static void
log_start(const struct starting *st)
{
	const struct broker *b = st->b;
	const char *kind = st->plan.forced ? "forced-command" :
	    st->plan.subsystem             ? "subsystem" :
	    st->plan.command               ? "command" :
					     "shell";
	const char *what = st->plan.forced ? st->plan.command :
	    st->plan.subsystem             ? st->plan.subsystem :
					     NULL;
	const char *tty = st->fds.tty;
	if (strncmp(tty, "/dev/", 5) == 0)
		tty += 5;
	log_verbose("Starting session: %s%s%s%s%s%s for %s from %s id %llu", kind, what ? " '" : "",
	    what ? what : "", what ? "'" : "", tty[0] ? " on " : "", tty, b->init.user,
	    addr_show(&b->path.remote), (unsigned long long)st->s->id);
}

/* Everything up to the running child. 0; QERR_DENIED with *why; else an error of *why. */
static int
start(struct starting *st, const char **why)
{
	struct broker *b = st->b;
	*why = "the session";
	int r = plan_make(&st->plan, &b->init, st->req, b->nsessions, why);
	if (r < 0)
		return r;
	r = st->plan.pty ? session_open_pty(&st->fds, st->req, why) : session_open_pipes(&st->fds, why);
	if (r < 0)
		return r;
	st->s = calloc(1, sizeof *st->s);
	if (!st->s)
		return QERR_NOMEM;
	st->s->chan = st->req->chan;
	st->s->master = -1;
	st->s->no_signals = st->plan.forced || st->plan.subsystem;
	memcpy(st->s->tty, st->fds.tty, sizeof st->s->tty);
	*why = "the environment";
	r = make_env(st);
	if (r < 0)
		return r;
	if (st->fds.tty[0])
		login_record(st);
	*why = "a process";
	return run_child(st);
}

static void
starting_free(struct starting *st)
{
	session_fds_close(&st->fds);
	plan_free(&st->plan);
	strlist_free(&st->env);
	free(st->envp);
	free(st->greeting);
}

static int
start_session(struct broker *b, const struct smsg_start *req)
{
	struct starting st = {.b = b, .req = req};
	const char *why;
	session_fds_init(&st.fds);
	int r = start(&st, &why);
	if (r < 0) {
		char text[256];
		snprintf(text, sizeof text, "the server cannot open %s: %s", why, qerr_str(r));
		refuse(b, req->chan, r == QERR_DENIED ? why : text);
		broker_drop(b, st.s);
		st.s = NULL;
		r = 0;
	} else {
		st.s->next = b->sessions;
		b->sessions = st.s;
		b->nsessions++;
		st.s->id = ++b->started;
		log_start(&st);
		r = hand_over(&st);
	}
	starting_free(&st);
	return r;
}

int
broker_on_start(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct broker *b = ctx;
	struct smsg_start m;
	int r = smsg_get_start(body, &m);
	if (r < 0)
		return r;
	/* two sessions of one channel are the sender's mistake */
	r = broker_find(b, m.chan) ? QERR_PROTO : start_session(b, &m);
	smsg_free_start(&m);
	return r;
}
