/* One message and its descriptors, to and from the socket. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/ipc/impl.h"

#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

union control {
	struct cmsghdr align;
	uint8_t space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

static void
attach_fds(struct msghdr *mh, union control *c, const int *fds, size_t nfds)
{
	struct cmsghdr *cm;

	memset(c, 0, sizeof(*c));
	mh->msg_control = c->space;
	mh->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	cm = &c->align; /* what CMSG_FIRSTHDR gives, and never NULL */
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(cm), fds, nfds * sizeof(int));
}

static int
send_error(void)
{
	switch (errno) {
	case EAGAIN:
		return QERR_AGAIN;
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return QERR_CLOSED;
	case EMSGSIZE:
		return QERR_TOOBIG;
	default:
		return QERR_SYS;
	}
}

int
ipc_msg_send(int fd, uint16_t type, const void *p, size_t n, const int *fds, size_t nfds)
{
	uint8_t hdr[IPC_HDR] = {(uint8_t)(type >> 8), (uint8_t)type};
	struct iovec iov[2] = {{hdr, sizeof(hdr)}, {NULL, n}};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = n > 0 ? 2 : 1};
	union control c;
	ssize_t r;

	memcpy(&iov[1].iov_base, &p, sizeof(p)); /* sendmsg does not write there */
	if (nfds > 0)
		attach_fds(&mh, &c, fds, nfds);
	do {
		r = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (r == -1 && errno == EINTR);
	return r >= 0 ? 0 : send_error();
}

void
ipc_fds_close(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[i]);
}

/* Takes over the descriptors of all control messages. QERR_TOOBIG for more than IPC_FDS_MAX. */
static int
detach_fds(struct msghdr *mh, struct ipc_in *in)
{
	int r = 0, fd;
	size_t n;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (in->nfds < IPC_FDS_MAX) {
				in->fds[in->nfds++] = fd;
			} else {
				close(fd);
				r = QERR_TOOBIG;
			}
		}
	}
	return r;
}

int
ipc_msg_recv(int fd, struct ipc_in *in, uint8_t *buf)
{
	uint8_t hdr[IPC_HDR];
	struct iovec iov[2] = {{hdr, sizeof(hdr)}, {buf, IPC_BODY_MAX}};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
	union control c;
	ssize_t n;
	int r;

	memset(in, 0, sizeof(*in));
	for (size_t i = 0; i < IPC_FDS_MAX; i++)
		in->fds[i] = -1;
	do {
		mh.msg_control = c.space;
		mh.msg_controllen = sizeof(c.space);
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	if (n == -1 && errno == ECONNRESET)
		return QERR_CLOSED; /* it left without reading all of ours */
	if (n == -1)
		return errno == EAGAIN ? QERR_AGAIN : QERR_SYS;
	r = detach_fds(&mh, in);
	if (n == 0 && in->nfds == 0)
		return QERR_CLOSED;
	if (r == 0 && (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		r = QERR_TOOBIG;
	if (r == 0 && n < IPC_HDR)
		r = QERR_TRUNC;
	if (r != 0) {
		ipc_fds_close(in->fds, in->nfds);
		return r;
	}
	if (MSG_CMSG_CLOEXEC == 0)
		for (size_t i = 0; i < in->nfds; i++)
			fd_cloexec(in->fds[i]);
	in->type = (uint16_t)(hdr[0] << 8 | hdr[1]);
	in->body.p = buf;
	in->body.n = (size_t)n - IPC_HDR;
	return 0;
}

int
ipc_fd_wait(int fd, short events, uint64_t deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};
	uint64_t now, ms;
	int r;

	for (;;) {
		now = clock_mono();
		ms = deadline > now ? (deadline - now + NS_PER_MS - 1) / NS_PER_MS : 0;
		r = poll(&pfd, 1, deadline == UINT64_MAX ? -1 : ms > 1000000 ? 1000000 : (int)ms);
		if (r > 0)
			return 0;
		if (r == -1 && errno != EINTR)
			return QERR_SYS;
		if (r == 0 && clock_mono() >= deadline)
			return QERR_TIMEOUT;
	}
}
