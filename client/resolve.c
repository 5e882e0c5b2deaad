#include "client/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"

/* What the child writes: whole addresses, one after the other. */
struct resolve {
	pid_t pid;
	int fd;
	struct ev_io *io;
	resolve_fn *fn;
	void *arg;
	struct addr v[RESOLVE_MAX];
	size_t have; /* bytes of v */
};

/* ---- the child ---- */

static void
look_up(int out, const char *host, int family)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM}, *res, *ai;
	struct addr a;
	unsigned n = 0;

	if (getaddrinfo(host, NULL, &hints, &res) != 0)
		return;
	for (ai = res; ai != NULL && n < RESOLVE_MAX; ai = ai->ai_next) {
		memset(&a, 0, sizeof(a));
		if (addr_from_sa(&a, ai->ai_addr, ai->ai_addrlen) != 0)
			continue;
		if (fd_write_all(out, &a, sizeof(a)) < 0)
			return;
		n++;
	}
}

#define OUT 3

/* Whoever waits for the end of our standard output must not wait for a name server. */
static void
let_go(int keep)
{
	int fd;

	if (keep != OUT)
		(void)dup2(keep, OUT);
	fd_closefrom(OUT + 1);
	for (fd = 0; fd < OUT; fd++)
		close(fd);
	(void)fd_sanitise_stdio();
}

static pid_t
start(int pipe_fd, const char *host, int family)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	let_go(pipe_fd);
	(void)signal(SIGALRM, SIG_DFL);
	alarm(60); /* nobody waits that long */
	look_up(OUT, host, family);
	_exit(0);
}

/* ---- the parent ---- */

static void
reap(struct resolve *r)
{
	if (r->pid <= 0)
		return;
	(void)kill(r->pid, SIGKILL);
	while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
		;
	r->pid = 0;
}

static void
on_result(void *arg, int fd, unsigned what)
{
	struct resolve *r = arg;
	size_t room = sizeof(r->v) - r->have;
	ssize_t n = read(fd, (char *)r->v + r->have, room);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		r->have += (size_t)n;
	if (n > 0 && (size_t)n < room)
		return;
	ev_io_free(&r->io);
	reap(r);
	r->fn(r->arg, r->v, r->have / sizeof(r->v[0]));
}

int
resolve_new(struct resolve **out, struct ev *ev, const char *host, int family, resolve_fn *fn,
    void *arg)
{
	struct resolve *r = calloc(1, sizeof(*r));
	int p[2], rc = QERR_SYS;

	if (r == NULL)
		return QERR_NOMEM;
	r->fn = fn;
	r->arg = arg;
	r->fd = -1;
	if (pipe(p) != 0)
		goto fail;
	r->fd = p[0];
	if (fd_cloexec(p[0]) == 0 && fd_cloexec(p[1]) == 0 && fd_nonblock(p[0]) == 0)
		r->pid = start(p[1], host, family);
	close(p[1]);
	if (r->pid <= 0)
		goto fail;
	rc = ev_io_new(&r->io, ev, r->fd, EV_RD, on_result, r);
	if (rc != 0)
		goto fail;
	*out = r;
	return 0;
fail:
	resolve_free(&r);
	return rc;
}

void
resolve_free(struct resolve **rp)
{
	struct resolve *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	reap(r);
	ev_io_free(&r->io);
	fd_close(&r->fd);
	free(r);
}
