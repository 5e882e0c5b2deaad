#include "client/proxycmd.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
child(const char *shell, const char *line, const int in[2], const int out[2])
{
	if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	execl(shell, shell, "-c", line, (char *)NULL);
	fprintf(stderr, "%s: %s\n", shell, strerror(errno));
	_exit(127);
}

static int
make_pipe(int p[2])
{
	if (pipe(p) < 0)
		return QERR_SYS;
	if (fd_cloexec(p[0]) != 0 || fd_cloexec(p[1]) != 0) {
		fd_close(&p[0]);
		fd_close(&p[1]);
		return QERR_SYS;
	}
	return 0;
}

static pid_t
spawn(const char *line, const int in[2], const int out[2])
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

int
proxycmd_start(struct proxycmd **out, const char *command, int fds[2])
{
	struct proxycmd *p = calloc(1, sizeof(*p));
	/* exec, so that the shell does not stay between. */
	char *line = str_printf("exec %s", command);
	int in[2] = {-1, -1}, back[2] = {-1, -1}, rc = QERR_NOMEM;

	*out = NULL;
	if (!p || !line)
		goto out;
	rc = make_pipe(in);
	if (rc == 0)
		rc = make_pipe(back);
	if (rc == 0 && (p->pid = spawn(line, in, back)) < 0)
		rc = QERR_SYS;
	if (rc < 0)
		goto out;
	log_debug("Executing proxy command: %s", line);
	fds[0] = back[0];
	fds[1] = in[1];
	back[0] = in[1] = -1;
	*out = p;
	p = NULL;
out:
	for (int i = 0; i < 2; i++) {
		int saved = errno;

		fd_close(&in[i]);
		fd_close(&back[i]);
		errno = saved;
	}
	free(line);
	free(p);
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
	if (!gone_within(p, SOON))
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
