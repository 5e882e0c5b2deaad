#include "common/base/tracefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"

#define ENDING ".sqlog"
#define CID_MAX 20

static int
private_file(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return QERR_SYS;
	if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0)
		return 0;
	log_error("KeyLogFile %s: must be a regular file of this user's that nobody else may read "
		  "(chmod 600); no keys are written",
	    path);
	return QERR_PERM;
}

int
tracefile_keys(const char *path)
{
	/* Without O_NONBLOCK a FIFO in its place would hold us up. */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
	    0600);
	int r = fd < 0 ? QERR_SYS : private_file(fd, path);

	if (r == QERR_SYS)
		log_error("KeyLogFile %s: %s; no keys are written", path,
		    errno == ELOOP ? "is a symbolic link" : strerror(errno));
	if (r == 0)
		return fd;
	fd_close(&fd);
	return r;
}

/* How many there are already; QERR_SYS. */
static int
count_files(int dirfd)
{
	int fd = dup(dirfd), n = 0;
	const struct dirent *e;
	size_t len;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL) {
		fd_close(&fd);
		return QERR_SYS;
	}
	while (n < TRACEFILE_FILES && (e = readdir(d)) != NULL) {
		len = strlen(e->d_name);
		n += len > sizeof(ENDING) - 1 &&
		    strcmp(e->d_name + len - (sizeof(ENDING) - 1), ENDING) == 0;
	}
	(void)closedir(d);
	return n;
}

static void
name_of(char *name, size_t size, const uint8_t *cid, size_t n, const char *role)
{
	size_t i, len = 0;

	for (i = 0; i < n && i < CID_MAX; i++)
		len += (size_t)snprintf(name + len, size - len, "%02x", cid[i]);
	snprintf(name + len, size - len, "-%s" ENDING, role);
}

int
tracefile_qlog(const char *dir, const uint8_t *cid, size_t n, const char *role)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1, r;
	char name[2 * CID_MAX + 32];

	r = dirfd < 0 ? QERR_SYS : count_files(dirfd);
	if (r >= TRACEFILE_FILES) {
		log_error("QLogDirectory %s: holds %d records; this connection is not recorded: remove some",
		    dir, TRACEFILE_FILES);
		fd_close(&dirfd);
		return QERR_TOOBIG;
	}
	if (r >= 0) {
		name_of(name, sizeof(name), cid, n, role);
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = fd >= 0 ? fd : errno == EEXIST ? QERR_EXISTS : QERR_SYS;
	}
	if (r < 0)
		log_error("QLogDirectory %s: %s; this connection is not recorded", dir, qerr_str(r));
	fd_close(&dirfd);
	return r;
}
