#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/ipc/role.h"
#include "server/supervisor/mchild.h"

#define TITLE	    "connection"
/* The next spare one must not compete with the login that took the last: it is started once the user is known and his
 * program about to run or, where that takes its time, after a while. */
#define SPARE_AUTHED (5 * NS_PER_MS)
#define SPARE_DELAY  (250 * NS_PER_MS)

struct mchild {
	struct mchildren *all;
	struct mchild *next;
	struct ipc *ipc; /* until the user is known: afterwards there is nothing to say */
	pid_t pid;
	uint64_t generation;
	uint32_t slot;
	bool authed;
};

struct mchildren {
	struct ev *ev;
	struct mchild *first;
	mchild_authed_fn *authed;
	void *arg;
	/* A monitor, with its qshd-net, that waits for a client: what they load and set up before
	 * they know whom they serve would otherwise be part of every login's time. */
	struct ev_timer *spare_timer;
	pid_t spare_pid; /* -1: none */
	int spare_fd;
	bool keep_stderr;
};

/* Starts a monitor: *fd is our end of its channel. The pid, or QERR_*. */
static pid_t
spawn(bool keep_stderr, int *fd)
{
	const struct role_user who = {.change = false, .new_session = true};
	int pair[2], err = ipc_pair(pair);
	pid_t pid;

	if (err != 0)
		return err;
	pid = role_start("qshd-monitor", TITLE, pair[1], &who, keep_stderr);
	fd_close(&pair[1]);
	if (pid < 0)
		fd_close(&pair[0]);
	*fd = pair[0];
	return pid;
}

static void
on_spare(void *arg)
{
	struct mchildren *m = arg;

	if (m->spare_pid >= 0)
		return;
	m->spare_pid = spawn(m->keep_stderr, &m->spare_fd);
	if (m->spare_pid < 0) {
		log_debug("cannot start a monitor ahead: %s", qerr_str((int)m->spare_pid));
		m->spare_pid = -1;
	}
}

void
mchildren_keep_spare(struct mchildren *m, bool keep_stderr)
{
	m->keep_stderr = keep_stderr;
	if (m->spare_timer == NULL && ev_timer_new(&m->spare_timer, m->ev, on_spare, m) != 0)
		return;
	ev_timer_at(m->spare_timer, 0);
}

/* The spare one, or one that is started now. */
static pid_t
take(struct mchildren *m, bool keep_stderr, int *fd)
{
	pid_t pid = m->spare_pid;

	if (m->spare_timer != NULL)
		ev_timer_at(m->spare_timer, ev_now(m->ev) + SPARE_DELAY);
	if (pid < 0)
		return spawn(keep_stderr, fd);
	*fd = m->spare_fd;
	m->spare_pid = -1;
	m->spare_fd = -1;
	return pid;
}

int
mchildren_new(struct mchildren **out, struct ev *ev, mchild_authed_fn *authed, void *arg)
{
	struct mchildren *m = calloc(1, sizeof(*m));

	*out = m;
	if (m == NULL)
		return QERR_NOMEM;
	m->ev = ev;
	m->authed = authed;
	m->arg = arg;
	m->spare_pid = -1;
	m->spare_fd = -1;
	return 0;
}

static void
mchild_free(struct mchild *c)
{
	ipc_free(&c->ipc);
	free(c);
}

void
mchildren_free(struct mchildren **mp)
{
	struct mchildren *m = *mp;

	if (m == NULL)
		return;
	while (m->first != NULL) {
		struct mchild *c = m->first;

		m->first = c->next;
		mchild_free(c);
	}
	ev_timer_free(&m->spare_timer);
	fd_close(&m->spare_fd); /* it ends as its channel does */
	free(m);
	*mp = NULL;
}

static int
on_authed(void *ctx, struct rd *body, int *fds)
{
	struct mchild *c = ctx;

	(void)body;
	(void)fds;
	c->authed = true;
	c->all->authed(c->all->arg, c->generation, c->slot);
	if (c->all->spare_timer != NULL && c->all->spare_pid < 0)
		ev_timer_at(c->all->spare_timer, ev_now(c->all->ev) + SPARE_AUTHED);
	/* A session costs the supervisor no descriptor. */
	ipc_free(&c->ipc);
	return 0;
}

/* It is ending, or does not want to be heard: SIGCHLD tells. */
static void
on_closed(void *ctx, int err)
{
	struct mchild *c = ctx;

	if (err != 0)
		log_error("monitor %ld: %s", (long)c->pid, qerr_str(err));
	ipc_free(&c->ipc);
}

static const struct ipc_row rows[] = {
    {SM_AUTHED, "SM_AUTHED", 1, 1, 0, on_authed},
};

static int
send_init(struct ipc *ipc, const struct smsg_minit *init, const int *fds, size_t nfds)
{
	struct buf b;
	int err;

	buf_init_secret(&b, IPC_BODY_MAX);
	err = smsg_put_minit(&b, init);
	if (err == 0)
		err = ipc_send(ipc, nfds == 1 ? SM_INIT : SM_INIT_STREAM, &b, fds, nfds);
	buf_free(&b);
	return err;
}

int
mchildren_start(struct mchildren *m, uint64_t generation, const struct smsg_minit *init,
    const int *fds, size_t nfds, bool keep_stderr)
{
	struct mchild *c = calloc(1, sizeof(*c));
	int chan = -1, err = QERR_NOMEM;

	if (c == NULL)
		goto fail;
	c->all = m;
	c->generation = generation;
	c->slot = init->admit.slot;
	c->pid = take(m, keep_stderr, &chan);
	if (c->pid < 0) {
		err = (int)c->pid;
		goto fail;
	}
	err = ipc_new(&c->ipc, m->ev, chan, rows, sizeof(rows) / sizeof(rows[0]), c, on_closed);
	if (err == 0)
		err = send_init(c->ipc, init, fds, nfds);
	if (err != 0)
		goto fail; /* it ends as its channel does, and is reaped as nobody's */
	c->next = m->first;
	m->first = c;
	return 0;
fail:
	log_error("cannot start %s/qshd-monitor: %s", QSH_LIBEXECDIR, qerr_str(err));
	if (c != NULL)
		mchild_free(c);
	return err;
}

void
mchildren_expire(struct mchildren *m, uint64_t generation, uint32_t slot)
{
	for (struct mchild *c = m->first; c != NULL; c = c->next)
		if (c->generation == generation && c->slot == slot && !c->authed)
			(void)kill(c->pid, SIGTERM);
}

static struct mchild *
find_pid(const struct mchildren *m, pid_t pid)
{
	struct mchild *c = m->first;

	while (c != NULL && c->pid != pid)
		c = c->next;
	return c;
}

void
mchildren_move(struct mchildren *m, pid_t pid, uint64_t generation)
{
	struct mchild *c = find_pid(m, pid);

	if (c != NULL)
		c->generation = generation;
}

void
mchildren_authed(struct mchildren *m, pid_t pid)
{
	struct mchild *c = find_pid(m, pid);

	if (c != NULL)
		c->authed = true;
}

void
mchildren_end(struct mchildren *m)
{
	for (struct mchild *c = m->first; c != NULL; c = c->next)
		(void)kill(c->pid, SIGTERM);
}

bool
mchildren_reaped(
    struct mchildren *m, pid_t pid, int status, uint64_t *generation, uint32_t *slot)
{
	struct mchild **at = &m->first, *c;

	if (pid == m->spare_pid) {
		log_error("a monitor that was started ahead has ended");
		fd_close(&m->spare_fd);
		m->spare_pid = -1; /* the next admission starts its own, and another spare */
		return false;
	}
	while (*at != NULL && (*at)->pid != pid)
		at = &(*at)->next;
	c = *at;
	if (c == NULL)
		return false;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
		log_error("monitor %ld was ended by signal %d (%s)", (long)pid,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	*generation = c->generation;
	*slot = c->slot;
	*at = c->next;
	mchild_free(c);
	return true;
}

unsigned
mchildren_count(const struct mchildren *m)
{
	unsigned n = 0;

	for (const struct mchild *c = m->first; c != NULL; c = c->next)
		n++;
	return n;
}

unsigned
mchildren_starting(const struct mchildren *m)
{
	unsigned n = 0;

	for (const struct mchild *c = m->first; c != NULL; c = c->next)
		n += !c->authed;
	return n;
}
