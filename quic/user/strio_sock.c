/* The sockets beneath connections over TCP. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "quic/user/strio_int.h"
#include "quic/user/udp.h"

#define DRAIN 1024 /* reads that are made in any case */
#define LOWAT STRIO_BATCH /* bytes that wait in the kernel unsent: what a keystroke waits behind */

bool
strio_would_block(int e)
{
	return fd_would_block(e) || e == EINTR;
}

int
strio_tcp(int *out, struct addr *local, const struct addr *remote, const struct addr *bind_addr,
    const char *device)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = socket(remote->u.sa.sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		return QERR_SYS;
	if (fd_cloexec(fd) != 0 || fd_nonblock(fd) != 0 || qudp_bind(fd, bind_addr, device) != 0)
		goto fail;
	if (connect(fd, &remote->u.sa, remote->len) != 0 && errno != EINPROGRESS)
		goto fail;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sa(local, (struct sockaddr *)&ss, len) != 0)
		goto fail;
	*out = fd;
	return 0;
fail:
	fd_close(&fd);
	return QERR_SYS;
}

static void
set_lowat(int fd, int bytes)
{
#ifdef TCP_NOTSENT_LOWAT
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
#else
	(void)fd;
	(void)bytes;
#endif
}

void
strio_tune(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
#ifdef TCP_THIN_LINEAR_TIMEOUTS
	/* A few keys under way: their repeats come at even intervals, the first six, instead of ever later. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &one, sizeof(one));
#endif
	set_lowat(fd, LOWAT);
}

void
strio_no_lowat(int fd)
{
	set_lowat(fd, INT_MAX);
}

/* A socket that is closed with something unread, or to which something more comes, is reset, and what the other side has
 * not got by then, the reason of the end among it, is lost to it. */
void
strio_linger(int fd, int wait)
{
	uint64_t end = clock_mono() + (uint64_t)wait * NS_PER_MS, now;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t buf[16384];
	unsigned drained = 0;
	ssize_t n;

	(void)shutdown(fd, SHUT_WR);
	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n == 0 || (n < 0 && !strio_would_block(errno)))
			return;
		if (n > 0 && ++drained < DRAIN)
			continue;
		now = clock_mono();
		if (now >= end)
			return;
		if (n < 0 && poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1) <= 0)
			return;
	}
}

void
strio_close(struct quic_carrier *via)
{
	if (via->out == via->in)
		via->out = -1;
	fd_close(&via->in);
	fd_close(&via->out);
}
