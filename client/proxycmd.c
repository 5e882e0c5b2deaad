#include "client/proxycmd.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"

#define STEP     (5 * NS_PER_MS)
#define SOON     (100 * NS_PER_MS)
#define PATIENCE (500 * NS_PER_MS)

struct proxycmd {
	pid_t pid;
	bool reaped;
	int status;
};

static void
child(const char *shell, const char *line, int in, int out)
{
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	execl(shell, shell, "-c", line, (char *)NULL);
	fprintf(stderr, "%s: %s\n", shell, strerror(errno));
	_exit(127);
}

/* A pipe, or a pair of sockets. */
static int
make_pair(int p[2], bool sockets)
{
	if ((sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, p) : pipe(p)) < 0)
		return QERR_SYS;
	if (fd_cloexec(p[0]) != 0 || fd_cloexec(p[1]) != 0) {
		fd_close(&p[0]);
		fd_close(&p[1]);
		return QERR_SYS;
	}
	return 0;
}

static pid_t
spawn(const char *line, int in, int out)
{
	const char *shell = getenv("SHELL");
	pid_t pid;

	if (!shell || !*shell)
		shell = "/bin/sh";
	pid = fork();
	if (pid == 0)
		child(shell, line, in, out);
	return pid;
}

/* Its standard input and output are in and out. */
static int
run(struct proxycmd **out_p, const char *command, int in, int out)
{
	struct proxycmd *p = calloc(1, sizeof(*p));
	/* exec, so that the shell does not stay between. */
	char *line = str_printf("exec %s", command);
	int rc = QERR_NOMEM;

	if (!p || !line)
		goto out;
	rc = 0;
	p->pid = spawn(line, in, out);
	if (p->pid < 0) {
		rc = QERR_SYS;
		goto out;
	}
	log_debug("Executing proxy command: %s", line);
	*out_p = p;
	p = NULL;
out:
	free(line);
	free(p);
	return rc;
}

static void
close_pair(int p[2])
{
	int saved = errno;

	fd_close(&p[0]);
	fd_close(&p[1]);
	errno = saved;
}

int
proxycmd_start(struct proxycmd **out, const char *command, int fds[2])
{
	int in[2] = {-1, -1}, back[2] = {-1, -1}, rc;

	*out = NULL;
	rc = make_pair(in, false);
	if (rc == 0)
		rc = make_pair(back, false);
	if (rc == 0)
		rc = run(out, command, in[0], back[1]);
	if (rc == 0) {
		fds[0] = back[0];
		fds[1] = in[1];
		back[0] = in[1] = -1;
	}
	close_pair(in);
	close_pair(back);
	return rc;
}

int
proxycmd_start_fdpass(struct proxycmd **out, const char *command, int *sock)
{
	int pair[2] = {-1, -1}, rc;

	*out = NULL;
	rc = make_pair(pair, true);
	if (rc == 0)
		rc = run(out, command, pair[1], pair[1]);
	if (rc == 0) {
		*sock = pair[0];
		pair[0] = -1;
	}
	close_pair(pair);
	return rc;
}

static bool
gone_within(struct proxycmd *p, uint64_t ns)
{
	const struct timespec step = {.tv_nsec = (long)STEP};
	uint64_t end = clock_mono() + ns;

	while (!p->reaped) {
		pid_t r = waitpid(p->pid, &p->status, WNOHANG);

		if (r == p->pid || (r < 0 && errno != EINTR))
			p->reaped = true;
		else if (clock_mono() >= end)
			return false;
		else
			(void)nanosleep(&step, NULL);
	}
	return true;
}

const char *
proxycmd_ended(struct proxycmd *p, char *dst, size_t n)
{
	dst[0] = '\0';
	if (!gone_within(p, SOON) || p->status == 0)
		return dst;
	if (WIFEXITED(p->status))
		snprintf(dst, n, "exit status %d", WEXITSTATUS(p->status));
	else if (WIFSIGNALED(p->status))
		snprintf(dst, n, "signal %d", WTERMSIG(p->status));
	return dst;
}

void
proxycmd_free(struct proxycmd **pp)
{
	struct proxycmd *p = *pp;

	if (!p)
		return;
	if (!gone_within(p, PATIENCE)) {
		(void)kill(p->pid, SIGHUP);
		(void)gone_within(p, SOON);
	}
	free(p);
	*pp = NULL;
}
