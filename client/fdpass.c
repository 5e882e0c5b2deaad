#include "client/fdpass.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/fd.h"

#define FDS_MAX 8 /* taken, so that they can be closed */

struct fdpass {
	struct ev_io *io;
	int sock;
	fdpass_fn *fn;
	void *arg;
};

/* Descriptors of one message, of which the first is kept. -1: there was none. */
static int
first_fd(struct msghdr *m)
{
	int fds[FDS_MAX], fd = -1;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		size_t n = h->cmsg_len - CMSG_LEN(0);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || n > sizeof(fds))
			continue;
		memcpy(fds, CMSG_DATA(h), n);
		for (size_t i = 0; i < n / sizeof(int); i++) {
			if (fd < 0)
				fd = fds[i];
			else
				fd_close(&fds[i]);
		}
	}
	return fd;
}

static bool
take_addr(struct addr *a, int (*get)(int, struct sockaddr *, socklen_t *), int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	return get(fd, (struct sockaddr *)&ss, &n) == 0 &&
	    addr_from_sa(a, (struct sockaddr *)&ss, n) == 0;
}

/* NULL: it can be used. */
static const char *
look_at(struct quic_carrier *via, int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss), tn = sizeof(int);
	int type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &tn) != 0)
		return "the ProxyCommand passed what is not a socket";
	if (type == SOCK_DGRAM)
		return "the ProxyCommand passed a datagram socket (nc -u?): only a stream, such as TCP to "
		       "qshd's TcpListenAddress, can be passed";
	if (type != SOCK_STREAM || getpeername(fd, (struct sockaddr *)&ss, &n) != 0)
		return "the ProxyCommand passed a socket that is not connected";
	*via = (struct quic_carrier){.kind = QUIC_CARRIER_COMMAND, .in = fd, .out = fd};
	if (take_addr(&via->path.remote, getpeername, fd) && take_addr(&via->path.local, getsockname, fd))
		via->kind = QUIC_CARRIER_TCP;
	else
		memset(&via->path, 0, sizeof(via->path)); /* a local socket */
	return NULL;
}

static void
on_readable(void *arg, int sock, unsigned what)
{
	struct fdpass *f = arg;
	char byte, control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct iovec v = {.iov_base = &byte, .iov_len = 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct quic_carrier via;
	const char *why;
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	int fd;

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	fd = n >= 0 ? first_fd(&m) : -1;
	ev_io_free(&f->io);
	if (fd < 0) {
		f->fn(f->arg, NULL,
		    n > 0 ? "the ProxyCommand sent bytes and no connection: ProxyUseFdpass is for "
			    "commands that pass one" :
			    "the ProxyCommand ended before it passed a connection");
		return;
	}
	why = look_at(&via, fd);
	if (why != NULL)
		fd_close(&fd);
	f->fn(f->arg, why == NULL ? &via : NULL, why);
}

int
fdpass_new(struct fdpass **out, struct ev *ev, int sock, fdpass_fn *fn, void *arg)
{
	struct fdpass *f = calloc(1, sizeof(*f));
	int r;

	*out = f;
	if (f == NULL) {
		fd_close(&sock);
		return QERR_NOMEM;
	}
	*f = (struct fdpass){.sock = sock, .fn = fn, .arg = arg};
	r = fd_nonblock(sock);
	if (r == 0)
		r = ev_io_new(&f->io, ev, sock, EV_RD, on_readable, f);
	if (r < 0)
		fdpass_free(out);
	return r;
}

void
fdpass_free(struct fdpass **fp)
{
	struct fdpass *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	ev_io_free(&f->io);
	fd_close(&f->sock);
	free(f);
}
