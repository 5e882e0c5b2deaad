#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/ipc/tcpsock.h"
#include "server/supervisor/adopt.h"
#include "server/supervisor/lchild.h"
#include "server/supervisor/mchild.h"
#include "server/supervisor/notify.h"
#include "server/supervisor/supervisor.h"

#define EXIT_FATAL	255
#define UNVALIDATED_MAX 10
#define UNVALIDATED_NS	(3 * NS_PER_S)
#define LIVED_LONG	(30 * NS_PER_S) /* then it may be started again at once */
#define RESTART_MAX	(60 * NS_PER_S)
#define ORPHAN_NS	(15 * NS_PER_S) /* more than a monitor waits between two tries */
#define STOP_PATIENCE	(2 * NS_PER_S)
#define REBIND_PATIENCE (200 * NS_PER_MS) /* for an address that is just being left */

struct supervisor {
	struct ev *ev;
	const struct options *options;
	struct setup *setup;
	struct sockets socks, tcp;
	struct smsg_linit keys;
	char *run_dir, *empty_dir;
	int ready_fd;

	struct lchild *listener; /* NULL: between two of them */
	pid_t listener_pid;	 /* 0: reaped */
	uint64_t generation;	 /* of listeners */
	uint64_t started;	 /* when the last one was */
	uint64_t restart_delay;
	struct ev_timer *restart, *give_up;
	struct mchildren *monitors;
	struct adopters *adopters; /* NULL: debug mode */
	struct ev_signal *signals[6];

	bool ready; /* a listener has been */
	bool stopping;
	bool served; /* -d: the one connection came */
	int status;
};

static int start_listener(struct supervisor *s);

static void
fill_limits(const struct supervisor *s, struct smsg_limits *l)
{
	const struct sconf *c = s->setup->conf;

	*l = (struct smsg_limits){
	    .startups_begin = c->startups_begin,
	    .startups_rate = c->startups_rate,
	    .startups_full = c->startups_full,
	    .unvalidated_max = UNVALIDATED_MAX,
	    .unvalidated_ns = UNVALIDATED_NS,
	    .log_level = (uint8_t)s->setup->level,
	};
}

/* ---- end ---- */

static void
stop_now(struct supervisor *s, int status)
{
	s->status = status;
	ev_stop(s->ev);
}

static void
on_give_up(void *arg)
{
	struct supervisor *s = arg;

	if (s->listener_pid > 0)
		(void)kill(s->listener_pid, SIGKILL);
	stop_now(s, s->status);
}

/* Stops listening. Connections live on in their own processes. */
static void
stop(struct supervisor *s, int status)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->status = status;
	notify_state("STOPPING=1");
	ev_timer_stop(s->restart);
	lchild_free(&s->listener);
	/* Before the port: the next qshd has its own of that name as soon as it has the port. */
	adopters_free(&s->adopters);
	sockets_free(&s->socks);
	sockets_free(&s->tcp);
	/* The port is to be free when we are gone. */
	if (s->listener_pid > 0)
		ev_timer_at(s->give_up, ev_now(s->ev) + STOP_PATIENCE);
	else
		stop_now(s, status);
}

/* ---- readiness ---- */

static void
announce_line(const struct supervisor *s, const char *line)
{
	log_info("%s", line);
	/* Who runs it by hand wants to know where to go. */
	if (s->setup->user_mode && !s->options->quiet && !s->options->log_stderr)
		(void)fprintf(stderr, "qshd: %s\n", line);
}

static void
announce_sockets(const struct supervisor *s, const struct sockets *socks)
{
	for (size_t i = 0; i < socks->n; i++) {
		char *line = str_printf("listening on %s%s", socks->tcp ? "TCP " : "",
		    addr_show(&socks->v[i].addr));

		if (line != NULL)
			announce_line(s, line);
		free(line);
	}
}

static void
announce(const struct supervisor *s)
{
	char *fp = pubkey_fingerprint(&s->setup->host_key.pub, "sha256"), *line;

	announce_sockets(s, &s->tcp);
	announce_sockets(s, &s->socks);
	line = str_printf("host key %s %s (%s)", pubkey_short_type(&s->setup->host_key.pub),
	    fp != NULL ? fp : "", s->setup->host_key_path);
	if (line != NULL)
		announce_line(s, line);
	free(line);
	free(fp);
}

static void
write_pidfile(const struct supervisor *s)
{
	const char *path = s->setup->conf->pid_file;
	pid_t holder;
	int err;

	if (path == NULL || s->options->debug > 0)
		return;
	err = pidfile_write(path, &holder);
	if (err == QERR_EXISTS)
		log_error("PidFile %s belongs to process %ld, which lives: not written", path,
		    (long)holder);
	else if (err != 0)
		log_error("PidFile %s: %s", path, qerr_str(err));
}

static void
first_ready(struct supervisor *s)
{
	s->ready = true;
	write_pidfile(s);
	if (!s->options->log_stderr && s->options->log_file == NULL)
		log_to_syslog(s->setup->conf->log_facility);
	log_set_level(s->setup->level);
	announce(s);
	if (!s->options->foreground &&
	    daemon_ready(&s->ready_fd, s->options->log_stderr) != 0) {
		log_error("cannot become a daemon: %s", qerr_str(QERR_SYS));
		stop(s, EXIT_FATAL);
		return;
	}
	notify_state("READY=1");
	if (s->options->debug == 0)
		mchildren_keep_spare(s->monitors, s->options->log_stderr);
}

/* ---- the listener ---- */

static void
on_ready(void *arg)
{
	struct supervisor *s = arg;

	if (!s->ready)
		first_ready(s);
	else
		log_info("the listener runs again");
	if (s->adopters != NULL)
		adopters_open(s->adopters, true);
}

static void
refuse(struct supervisor *s, uint32_t slot)
{
	if (s->listener != NULL)
		lchild_slot_gone(s->listener, slot);
}

static bool
may_start(const struct supervisor *s)
{
	if (mchildren_starting(s->monitors) <
	    s->setup->conf->startups_full + UNVALIDATED_MAX)
		return true;
	log_error("the listener admits more connections than it may: one is refused");
	return false;
}

/* A listener that was taken over must not have root bind what it likes, nor start what it
 * likes. */
static bool
plausible(const struct supervisor *s, const struct smsg_admit *m)
{
	if (!sockets_cover(&s->socks, &m->path.local) || m->path.remote.len == 0 ||
	    m->path.remote.u.sa.sa_family != m->path.local.u.sa.sa_family) {
		log_error(
		    "the listener admits a connection to where nobody listens: it is refused");
		return false;
	}
	return may_start(s);
}

static bool
plausible_tcp(const struct supervisor *s, int fd, struct tp_path *path)
{
	if (tcpsock_path(fd, path) != 0)
		return false; /* it has gone already */
	if (!sockets_cover(&s->tcp, &path->local)) {
		log_error("the listener admits a TCP connection to where nobody listens: it is refused");
		return false;
	}
	return may_start(s);
}

static bool
debug_is_busy(struct supervisor *s)
{
	bool busy = s->options->debug > 0 && s->served;

	if (busy)
		log_debug("debug mode serves one connection: another one is refused");
	s->served = true;
	return busy;
}

/* fds: as mchildren_start has them. */
static int
start_monitor(struct supervisor *s, const struct smsg_admit *m, const int *fds, size_t nfds)
{
	struct smsg_minit init;

	setup_minit(s->setup, s->options, &init);
	init.admit = *m;
	if (nfds == 1 && s->adopters != NULL) /* a byte stream needs no listener */
		init.run_dir = s->run_dir;
	return mchildren_start(
	    s->monitors, s->generation, &init, fds, nfds, s->options->log_stderr);
}

static void
on_admit(void *arg, const struct smsg_admit *m, int *fd)
{
	struct supervisor *s = arg;

	if (debug_is_busy(s) || !plausible(s, m) || start_monitor(s, m, fd, 1) != 0)
		refuse(s, m->slot);
}

/* What the listener says of it does not count: its addresses are the kernel's. */
static void
on_admit_tcp(void *arg, uint32_t slot, int *fd)
{
	struct supervisor *s = arg;
	const int fds[2] = {*fd, *fd};
	struct smsg_admit m;
	struct quic_cid cid;

	setup_stream_admit(&m, &cid);
	m.slot = slot;
	if (debug_is_busy(s) || !plausible_tcp(s, *fd, &m.path) || start_monitor(s, &m, fds, 2) != 0)
		refuse(s, slot);
}

static void
on_expired(void *arg, uint32_t slot)
{
	struct supervisor *s = arg;

	mchildren_expire(s->monitors, s->generation, slot);
}

static void
plan_restart(struct supervisor *s)
{
	uint64_t now = ev_now(s->ev);

	if (now - s->started > LIVED_LONG)
		s->restart_delay = 0;
	log_error("the listener ended: starting it again in %u s",
	    (unsigned)(s->restart_delay / NS_PER_S));
	ev_timer_at(s->restart, now + s->restart_delay);
	s->restart_delay = s->restart_delay == 0 ? NS_PER_S : 2 * s->restart_delay;
	if (s->restart_delay > RESTART_MAX)
		s->restart_delay = RESTART_MAX;
}

/* Its channel is closed. Whatever is left of it must not hold the port. */
static void
on_gone(void *arg, int err)
{
	struct supervisor *s = arg;

	if (err != 0)
		log_error("channel of the listener: %s", qerr_str(err));
	lchild_free(&s->listener);
	if (s->adopters != NULL)
		adopters_open(s->adopters, false);
	if (s->listener_pid > 0)
		(void)kill(s->listener_pid, SIGKILL);
	if (!s->ready) {
		log_error("the listener ended before it was ready");
		stop(s, EXIT_FATAL);
	} else if (!s->stopping) {
		plan_restart(s);
	}
}

static const struct lchild_ops listener_ops = {
    .ready = on_ready,
    .admit = on_admit,
    .admit_tcp = on_admit_tcp,
    .expired = on_expired,
    .gone = on_gone,
};

static int
start_listener(struct supervisor *s)
{
	struct smsg_linit init = s->keys;
	int err;

	init.chroot_dir = s->setup->user_mode ? NULL : s->empty_dir;
	init.uid = s->setup->uid;
	init.gid = s->setup->gid;
	init.orphan_ns = s->adopters != NULL ? ORPHAN_NS : 0;
	fill_limits(s, &init.limits);
	s->generation++;
	s->started = ev_now(s->ev);
	err = lchild_new(&s->listener, s->ev, &init, &s->socks,
	    s->options->log_stderr || s->options->foreground, &listener_ops, s);
	if (err == 0)
		s->listener_pid = lchild_pid(s->listener);
	for (size_t i = 0; i < s->tcp.n && err == 0; i++)
		lchild_add_tcp(s->listener, &s->tcp.v[i]);
	sodium_memzero(&init, sizeof(init));
	return err;
}

static void
on_restart(void *arg)
{
	struct supervisor *s = arg;

	if (s->listener_pid > 0) /* not reaped yet: see on_child */
		ev_timer_at(s->restart, ev_now(s->ev) + 10 * NS_PER_MS);
	else if (start_listener(s) != 0)
		plan_restart(s);
}

/* ---- connections of a former listener ---- */

static int
on_adopt(void *arg, pid_t pid, const struct smsg_register *m, int fd, const char **why)
{
	struct supervisor *s = arg;
	const struct smsg_adopt adopt = {
	    .slot = m->slot, .path = m->path, .authed = m->authed, .steered = m->steered};

	if (s->listener == NULL)
		return QERR_AGAIN;
	if (!sockets_cover(&s->socks, &m->path.local)) {
		*why = "its address is not listened on any more";
		return QERR_DENIED;
	}
	mchildren_move(s->monitors, pid, s->generation);
	return lchild_adopt(s->listener, &adopt, fd);
}

static void
on_adopted_authed(void *arg, pid_t pid, uint32_t slot)
{
	struct supervisor *s = arg;

	mchildren_authed(s->monitors, pid);
	if (s->listener != NULL)
		lchild_authed(s->listener, slot);
}

static void
on_adopted_gone(void *arg, uint32_t slot)
{
	refuse(arg, slot);
}

static const struct adopt_ops adopt_ops = {
    .adopt = on_adopt,
    .authed = on_adopted_authed,
    .gone = on_adopted_gone,
};

/* ---- children ---- */

static void
on_authed(void *arg, uint64_t generation, uint32_t slot)
{
	struct supervisor *s = arg;

	if (s->listener != NULL && generation == s->generation)
		lchild_authed(s->listener, slot);
}

static void
listener_reaped(struct supervisor *s, int status)
{
	s->listener_pid = 0;
	if (WIFSIGNALED(status) && !s->stopping)
		log_error("the listener was ended by signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)),
		    WTERMSIG(status) == SIGSYS
			? ": it made a system call that its sandbox forbids"
			: "");
	if (s->stopping)
		stop_now(s, s->status);
}

static void
child_reaped(struct supervisor *s, pid_t pid, int status)
{
	uint64_t generation;
	uint32_t slot;

	if (pid == s->listener_pid) {
		listener_reaped(s, status);
		return;
	}
	if (!mchildren_reaped(s->monitors, pid, status, &generation, &slot))
		return;
	if (s->listener != NULL && generation == s->generation)
		lchild_slot_gone(s->listener, slot);
	if (s->options->debug > 0)
		stop(s, 0);
}

static void
on_child(void *arg, int signo)
{
	struct supervisor *s = arg;
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		child_reaped(s, pid, status);
}

/* ---- signals ---- */

static void
on_stop(void *arg, int signo)
{
	struct supervisor *s = arg;

	log_info("received signal %d (%s): no longer listening", signo, strsignal(signo));
	stop(s, 0);
}

static void
add_socket(struct supervisor *s, struct sockets *socks, const struct addr *a)
{
	const struct sock *new;

	if (sockets_find(socks, a) != NULL || sockets_bind(socks, a, REBIND_PATIENCE) != 0)
		return;
	new = &socks->v[socks->n - 1];
	if (s->listener != NULL && socks->tcp)
		lchild_add_tcp(s->listener, new);
	else if (s->listener != NULL)
		lchild_add_socket(s->listener, new);
	log_info("listening on %s%s", socks->tcp ? "TCP " : "", addr_show(a));
}

static void
drop_socket(struct supervisor *s, struct sockets *socks, struct sock *old)
{
	log_info("no longer listening on %s%s", socks->tcp ? "TCP " : "", addr_show(&old->addr));
	if (s->listener != NULL && socks->tcp)
		lchild_drop_tcp(s->listener, &old->addr);
	else if (s->listener != NULL)
		lchild_drop_socket(s->listener, &old->addr);
	sockets_drop(socks, old);
}

/* New addresses first: a port that only moves from one to another is never without. keep: so many stay, whatever failed. */
static void
rebind(struct supervisor *s, struct sockets *socks, const struct addr *v, size_t n, size_t keep)
{
	for (size_t i = 0; i < n; i++)
		add_socket(s, socks, &v[i]);
	for (size_t i = socks->n; i-- > 0;) {
		struct sock *old = &socks->v[i];
		bool wanted = false;

		for (size_t k = 0; k < n && !wanted; k++)
			wanted = addr_equal(&old->addr, &v[k]);
		if (!wanted && socks->n > keep)
			drop_socket(s, socks, old);
	}
}

static void
move_pidfile(const struct setup *old, const struct supervisor *s)
{
	const char *a = old->conf->pid_file, *b = s->setup->conf->pid_file;

	if (a != NULL && b != NULL && strcmp(a, b) == 0)
		return;
	if (a != NULL && s->options->debug == 0)
		pidfile_remove(a);
	write_pidfile(s);
}

/* The same after a reboot: who comes back to a connection that is gone is told so. */
static void
derive_reset_key(struct supervisor *s)
{
	crypto_kdf_derive_from_key(
	    s->keys.reset_key, sizeof(s->keys.reset_key), 1, "qshreset", s->setup->host_key.sk);
}

static void
reload(struct supervisor *s, struct setup *new)
{
	struct setup *old = s->setup;
	struct smsg_limits limits;

	if (new->host_key.sk == NULL) { /* removed meanwhile: we still have it */
		struct privkey none = new->host_key;
		char *path = new->host_key_path;

		new->host_key = old->host_key;
		new->host_key_path = old->host_key_path;
		old->host_key = none;
		old->host_key_path = path;
	}
	s->setup = new;
	rebind(s, &s->socks, new->listen, new->nlisten, 1);
	rebind(s, &s->tcp, new->tcp_listen, new->ntcp_listen, 0);
	if (s->adopters != NULL)
		adopters_listen(s->adopters, &s->socks);
	fill_limits(s, &limits);
	if (s->listener != NULL)
		lchild_limits(s->listener, &limits);
	derive_reset_key(s);
	if (s->listener != NULL)
		lchild_reset_key(s->listener, s->keys.reset_key);
	log_set_level(new->level);
	move_pidfile(old, s);
	setup_free(&old);
}

static void
on_hup(void *arg, int signo)
{
	struct supervisor *s = arg;
	struct setup *new;
	char state[64];

	(void)signo;
	if (s->stopping || !s->ready)
		return;
	log_info("received SIGHUP: reading the configuration again");
	(void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)(clock_mono() / NS_PER_US));
	notify_state(state);
	if (setup_load(&new, s->options, s->setup->user_mode, false) == 0)
		reload(s, new);
	else
		log_error("the configuration has errors: the one from before stays in force");
	notify_state("READY=1");
}

/* ---- life ---- */

static int
watch_signals(struct supervisor *s)
{
	static const struct {
		int signo;
		ev_signal_fn *fn;
	} all[] = {
	    {SIGHUP, on_hup},
	    {SIGTERM, on_stop},
	    {SIGINT, on_stop},
	    {SIGQUIT, on_stop},
	    {SIGCHLD, on_child},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && err == 0; i++)
		err = ev_signal_new(&s->signals[i], s->ev, all[i].signo, all[i].fn, s);
	return err;
}

int
supervisor_new(struct supervisor **out, struct ev *ev, struct supervisor_start *start)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	int err = QERR_NOMEM;

	if (s == NULL) {
		setup_free(&start->setup);
		sockets_free(&start->sockets);
		sockets_free(&start->tcp);
		goto fail;
	}
	s->ev = ev;
	s->options = start->options;
	s->setup = start->setup;
	s->socks = start->sockets;
	s->tcp = start->tcp;
	s->keys = *start->keys;
	s->ready_fd = start->ready;
	s->status = EXIT_FATAL;
	start->setup = NULL;
	start->sockets = start->tcp = (struct sockets){0};
	if ((s->run_dir = str_printf("%s", start->rundir)) == NULL ||
	    (s->empty_dir = str_printf("%s/empty", start->rundir)) == NULL ||
	    (err = mchildren_new(&s->monitors, ev, on_authed, s)) != 0 ||
	    (err = ev_timer_new(&s->restart, ev, on_restart, s)) != 0 ||
	    (err = ev_timer_new(&s->give_up, ev, on_give_up, s)) != 0 ||
	    (err = watch_signals(s)) != 0)
		goto fail;
	if (s->options->debug == 0) {
		if ((err = adopters_new(&s->adopters, ev, s->run_dir, &adopt_ops, s)) != 0)
			goto fail;
		adopters_listen(s->adopters, &s->socks);
	}
	derive_reset_key(s);
	if ((err = start_listener(s)) != 0) {
		supervisor_free(&s);
		return err; /* logged */
	}
	*out = s;
	return 0;
fail:
	log_error("cannot start: %s", qerr_str(err));
	supervisor_free(&s);
	return err;
}

void
supervisor_free(struct supervisor **sp)
{
	struct supervisor *s = *sp;

	if (s == NULL)
		return;
	lchild_free(&s->listener);
	adopters_free(&s->adopters);
	mchildren_free(&s->monitors);
	for (size_t i = 0; i < sizeof(s->signals) / sizeof(s->signals[0]); i++)
		ev_signal_free(&s->signals[i]);
	ev_timer_free(&s->restart);
	ev_timer_free(&s->give_up);
	sockets_free(&s->socks);
	sockets_free(&s->tcp);
	if (s->ready && s->setup->conf->pid_file != NULL && s->options->debug == 0)
		pidfile_remove(s->setup->conf->pid_file);
	setup_free(&s->setup);
	fd_close(&s->ready_fd);
	free(s->run_dir);
	free(s->empty_dir);
	sodium_memzero(s, sizeof(*s));
	free(s);
	*sp = NULL;
}

int
supervisor_status(const struct supervisor *s)
{
	return s->status;
}
