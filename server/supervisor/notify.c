#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "server/supervisor/notify.h"

void
notify_state(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n = path != NULL ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(un.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(un.sun_path, path, n);
	if (path[0] == '@')
		un.sun_path[0] = '\0'; /* Linux's abstract names */
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	(void)fd_cloexec(fd);
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	fd_close(&fd);
}

static int
wait_for_child(pid_t pid, int fd)
{
	char word;
	int status;
	ssize_t n;

	do
		n = read(fd, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	/* It ended before it was ready: never with success. */
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

int
daemon_fork(int *ready, int *status)
{
	int p[2];
	pid_t pid;

	if (pipe(p) < 0)
		return QERR_SYS;
	(void)fd_cloexec(p[0]);
	(void)fd_cloexec(p[1]);
	pid = fork();
	if (pid < 0) {
		fd_close(&p[0]);
		fd_close(&p[1]);
		return QERR_SYS;
	}
	if (pid == 0) {
		fd_close(&p[0]);
		*ready = p[1];
		return setsid() < 0 ? QERR_SYS : 0;
	}
	fd_close(&p[1]);
	*status = wait_for_child(pid, p[0]);
	fd_close(&p[0]);
	return 1;
}

int
daemon_ready(int *ready, int keep_stderr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), err = 0;

	if (null < 0 || chdir("/") < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || (!keep_stderr && dup2(null, STDERR_FILENO) < 0))
		err = QERR_SYS;
	if (null > STDERR_FILENO)
		fd_close(&null);
	if (err == 0 && *ready >= 0 && write(*ready, "", 1) != 1)
		err = QERR_SYS;
	fd_close(ready);
	return err;
}

/* Whose number is in the file? 0: nobody's that lives. */
static pid_t
live_holder(const char *path)
{
	char text[32];
	long pid = 0;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return 0;
	if (fgets(text, sizeof(text), f) != NULL)
		pid = strtol(text, NULL, 10);
	(void)fclose(f);
	if (pid <= 0 || pid != (pid_t)pid || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return 0;
	return (pid_t)pid;
}

int
pidfile_write(const char *path, pid_t *holder)
{
	char text[32];
	int fd, n, err = QERR_SYS;

	*holder = live_holder(path);
	if (*holder != 0 && *holder != getpid())
		return QERR_EXISTS;
	/* Never through a link that somebody put there. */
	if (unlink(path) < 0 && errno != ENOENT)
		return QERR_SYS;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return QERR_SYS;
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (fchmod(fd, 0644) == 0 && fd_write_all(fd, text, (size_t)n) == 0)
		err = 0;
	fd_close(&fd);
	return err;
}

void
pidfile_remove(const char *path)
{
	if (live_holder(path) == getpid())
		(void)unlink(path);
}
