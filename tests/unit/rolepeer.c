#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/rolepeer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"

#define PATIENCE (10 * NS_PER_S)

void
peer_init(struct peer *p, int fd)
{
	memset(&p->in, 0, sizeof p->in);
	p->fd = fd;
	assert_int_equal(fd_nonblock(fd), 0);
}

static void
drop_message(struct peer *p)
{
	ipc_fds_close(p->in.fds, p->in.nfds);
	memset(&p->in, 0, sizeof p->in);
}

void
peer_close(struct peer *p)
{
	drop_message(p);
	fd_close(&p->fd);
}

void
peer_send(struct peer *p, uint16_t type, const struct buf *body, const int *fds, size_t nfds)
{
	assert_int_equal(body ? body->err : 0, 0);
	assert_int_equal(ipc_msg_send(p->fd, type, body ? buf_data(body) : NULL,
			     body ? buf_len(body) : 0, fds, nfds),
	    0);
}

/* 0, or QERR_CLOSED at the end. */
static int
receive(struct peer *p)
{
	uint64_t deadline = clock_mono() + PATIENCE;
	int r;
	drop_message(p);
	while ((r = ipc_msg_recv(p->fd, &p->in, p->buf)) == QERR_AGAIN)
		assert_int_equal(ipc_fd_wait(p->fd, POLLIN, deadline), 0);
	if (r == 0)
		rd_init(&p->body, p->in.body.p, p->in.body.n);
	else
		p->in.nfds = 0;
	return r;
}

void
peer_expect(struct peer *p, uint16_t type, size_t nfds, uint16_t skip)
{
	do
		assert_int_equal(receive(p), 0);
	while (skip != 0 && p->in.type == skip);
	assert_int_equal(p->in.type, type);
	assert_int_equal(p->in.nfds, nfds);
}

int
peer_take_fd(struct peer *p, size_t i)
{
	int fd = p->in.fds[i];
	p->in.fds[i] = -1;
	return fd;
}

void
peer_expect_end(struct peer *p)
{
	int r;
	while ((r = receive(p)) == 0)
		;
	assert_int_equal(r, QERR_CLOSED);
}

bool
peer_quiet(struct peer *p)
{
	return ipc_fd_wait(p->fd, POLLIN, 0) == QERR_TIMEOUT;
}

/* Bytes read, 0 at the end. */
static size_t
read_some(int fd, char *dst, size_t n)
{
	for (;;) {
		ssize_t k = read(fd, dst, n);
		if (k >= 0)
			return (size_t)k;
		if (errno == EIO)
			return 0;
		assert_true(errno == EAGAIN || errno == EINTR);
		assert_int_equal(ipc_fd_wait(fd, POLLIN, clock_mono() + PATIENCE), 0);
	}
}

void
peer_read_all(int fd, char *dst, size_t n)
{
	size_t have = 0, k;
	while (have + 1 < n && (k = read_some(fd, dst + have, n - 1 - have)) > 0)
		have += k;
	dst[have] = '\0';
}

void
peer_read_until(int fd, const char *text, char *dst, size_t n)
{
	size_t have = 0;
	dst[0] = '\0';
	while (!strstr(dst, text)) {
		size_t k = read_some(fd, dst + have, n - 1 - have);
		if (k == 0)
			fail_msg("\"%s\" did not come, only \"%s\"", text, dst);
		have += k;
		dst[have] = '\0';
	}
}

int
peer_wait(pid_t pid)
{
	uint64_t deadline = clock_mono() + PATIENCE;
	int status;
	pid_t r;
	while ((r = waitpid(pid, &status, WNOHANG)) == 0) {
		assert_true(clock_mono() < deadline);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	assert_int_equal(r, pid);
	return status;
}
