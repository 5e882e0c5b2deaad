#include "client/stdio.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"

void
stdio_init(struct stdio *s)
{
	for (int i = 0; i < STDIO_COUNT; i++)
		s->flags[i] = -1;
}

/* The terminal or pipe under another open file description, so that O_NONBLOCK is ours alone. -1 where
 * that cannot be. */
static int
reopen(int fd, int flags)
{
	char path[32], *name = NULL;
	struct stat st;
	int mode = flags & O_ACCMODE;

	if (fstat(fd, &st) < 0)
		return -1;
	if (S_ISCHR(st.st_mode) && isatty(fd)) {
		name = ttyname(fd);
	} else if (S_ISFIFO(st.st_mode)) {
#ifdef __linux__
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		name = path;
#endif
	}
	(void)path;
	if (!name)
		return -1;
	return open(name, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (flags & O_APPEND));
}

int
stdio_open(struct stdio *s, int fd)
{
	int flags = fcntl(fd, F_GETFL), copy;

	if (flags < 0)
		return QERR_SYS;
	copy = reopen(fd, flags);
	if (copy >= 0)
		return copy;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, STDIO_COUNT);
	if (copy < 0)
		return QERR_SYS;
	if (!(flags & O_NONBLOCK)) {
		s->flags[fd] = flags;
		if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
			s->flags[fd] = -1; /* a file that never blocks */
	}
	return copy;
}

void
stdio_restore(struct stdio *s)
{
	for (int i = 0; i < STDIO_COUNT; i++)
		if (s->flags[i] >= 0)
			fcntl(i, F_SETFL, s->flags[i]);
}

void
stdio_resume(struct stdio *s)
{
	for (int i = 0; i < STDIO_COUNT; i++)
		if (s->flags[i] >= 0)
			fcntl(i, F_SETFL, s->flags[i] | O_NONBLOCK);
}

int
stdio_detach(bool all)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return QERR_SYS;
	for (int i = 0; i < (all ? STDIO_COUNT : 1); i++)
		if (dup2(fd, i) < 0)
			rc = QERR_SYS;
	if (fd > STDERR_FILENO)
		fd_close(&fd);
	return rc;
}
