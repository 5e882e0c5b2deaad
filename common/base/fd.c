#include "common/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"

static int
set_flag(int fd, int get, int set, int flag, int on)
{
	int old = fcntl(fd, get), new;

	if (old == -1)
		return QERR_SYS;
	new = on ? old | flag : old & ~flag;
	if (new != old && fcntl(fd, set, new) == -1)
		return QERR_SYS;
	return 0;
}

int
fd_nonblock(int fd)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, 1);
}

int
fd_block(int fd)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, 0);
}

int
fd_cloexec(int fd)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, 1);
}

int
fd_no_cloexec(int fd)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, 0);
}

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd); /* not repeated on EINTR: it is closed then */
	*fd = -1;
	errno = saved;
}

/* The descriptors that are open, by the system's own list. 0, or QERR_SYS where it has none. */
static int
closefrom_listed(int lowfd)
{
	DIR *d = opendir("/dev/fd");
	struct dirent *e;
	char *end;
	long fd;

	if (d == NULL)
		return QERR_SYS;
	while ((e = readdir(d)) != NULL) {
		fd = strtol(e->d_name, &end, 10);
		if (end != e->d_name && *end == '\0' && fd >= lowfd && fd != dirfd(d))
			close((int)fd);
	}
	closedir(d);
	return 0;
}

void
fd_closefrom(int lowfd)
{
	long max;

#ifdef HAVE_CLOSE_RANGE
	if (close_range((unsigned)lowfd, ~0U, 0) == 0)
		return;
#endif
	if (closefrom_listed(lowfd) == 0)
		return;
	if ((max = sysconf(_SC_OPEN_MAX)) < 0)
		max = 65536;
	for (long fd = lowfd; fd < max; fd++)
		close((int)fd);
}

int
fd_sanitise_stdio(void)
{
	int fd;

	do {
		if ((fd = open("/dev/null", O_RDWR)) == -1)
			return QERR_SYS;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

int
fd_write_all(int fd, const void *p, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	const uint8_t *at = p;
	ssize_t w;

	while (n > 0) {
		w = write(fd, at, n);
		if (w >= 0) {
			at += w;
			n -= (size_t)w;
		} else if (errno == EAGAIN) {
			if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
				return QERR_SYS;
		} else if (errno != EINTR) {
			return QERR_SYS;
		}
	}
	return 0;
}

static int
read_into(int fd, struct buf *b, size_t max)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	size_t want;
	uint8_t *p;
	ssize_t r;

	for (;;) {
		/* One byte more than permitted, to see whether it is there. */
		want = max + 1 - buf_len(b);
		if (want > 65536)
			want = 65536;
		if ((p = buf_reserve(b, want)) == NULL)
			return b->err;
		r = read(fd, p, want);
		if (r == 0)
			return 0;
		if (r > 0) {
			buf_commit(b, (size_t)r);
			if (buf_len(b) > max)
				return QERR_TOOBIG;
		} else if (errno == EAGAIN) {
			if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
				return QERR_SYS;
		} else if (errno != EINTR) {
			return QERR_SYS;
		}
	}
}

int
fd_read_all(int fd, size_t max, uint8_t **out, size_t *outlen)
{
	struct buf b;
	int r, saved;

	*out = NULL;
	*outlen = 0;
	if (max > SIZE_MAX - 1)
		max = SIZE_MAX - 1;
	/* Keys are read by this too: no copies stay behind in freed memory. */
	buf_init_secret(&b, max + 1);
	if ((r = read_into(fd, &b, max)) == 0 && (r = buf_put_u8(&b, 0)) == 0) {
		*out = b.p; /* nothing was consumed: the content starts there */
		*outlen = buf_len(&b) - 1;
		return 0;
	}
	saved = errno;
	buf_free(&b);
	errno = saved;
	return r;
}

int
fd_read_file(const char *path, size_t max, uint8_t **out, size_t *outlen)
{
	int fd, r;

	*out = NULL;
	*outlen = 0;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		return QERR_SYS;
	r = fd_read_all(fd, max, out, outlen);
	fd_close(&fd);
	return r;
}

#ifdef HAVE_MEMFD_CREATE
static int
anonymous_file(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static int
seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}
#else
static int
anonymous_file(const char *name)
{
	char path[] = "/tmp/qsh.XXXXXXXXXX";
	int fd = mkstemp(path);

	(void)name;
	if (fd != -1) {
		unlink(path);
		fd_cloexec(fd);
	}
	return fd;
}

static int
seal(int fd)
{
	(void)fd;
	return 0;
}
#endif

int
fd_memfile(const char *name, const void *p, size_t n)
{
	int fd = anonymous_file(name);

	if (fd == -1)
		return QERR_SYS;
	if (fd_write_all(fd, p, n) != 0 || lseek(fd, 0, SEEK_SET) == -1 || seal(fd) == -1) {
		fd_close(&fd);
		return QERR_SYS;
	}
	return fd;
}

bool
fd_would_block(int e)
{
#if EAGAIN != EWOULDBLOCK
	if (e == EWOULDBLOCK)
		return true;
#endif
	return e == EAGAIN;
}
