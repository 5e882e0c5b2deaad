/* UDP sockets: making them, and reading. udp_tx.c writes. */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "quic/user/iface.h"
#include "quic/user/udp.h"

#define RX_BUF  65536 /* the most that one message can hold, also after UDP_GRO */
#define SOCKBUF (2 * 1024 * 1024)

/* Control messages: ECN, segment size, and on a server's socket the packet information
 * that we do not ask for. Were there too little room, the segment size would be cut off and a
 * batch taken for one datagram. */
union cmsgbuf {
	struct cmsghdr align;
	uint8_t b[256];
};

struct qudp_rx {
	struct mmsghdr hdr[QUDP_BATCH];
	struct iovec iov[QUDP_BATCH];
	union cmsgbuf ctl[QUDP_BATCH];
	uint8_t *buf;
};

/* ---- making ---- */

/* None of these is needed to work, so none of them fails the connection. */
static void
set_options(int fd, int family)
{
	int one = 1, size = SOCKBUF;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
#ifdef SO_RCVBUFFORCE
	/* Past the administrator's limit: for who may administer. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
#endif
#ifdef UDP_GRO
	(void)setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one));
#endif
	if (family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
#ifdef IPV6_PMTUDISC_PROBE
		int probe = IPV6_PMTUDISC_PROBE;
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof(probe));
#endif
	} else {
		(void)setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
#ifdef IP_PMTUDISC_PROBE
		int probe = IP_PMTUDISC_PROBE;
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
#endif
	}
}

int
qudp_bind(int fd, const struct addr *bind_addr, const char *device)
{
#ifdef SO_BINDTODEVICE
	if (device != NULL && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
				  (socklen_t)strnlen(device, IFNAMSIZ)) != 0)
		return QERR_SYS;
#else
	if (device != NULL) {
		errno = EOPNOTSUPP;
		return QERR_SYS;
	}
#endif
	if (bind_addr->len != 0 && bind(fd, &bind_addr->u.sa, bind_addr->len) != 0)
		return QERR_SYS;
	return 0;
}

int
qudp_client(int *out, struct addr *local, const struct addr *remote, const struct addr *bind_addr,
    const char *device)
{
	int family = remote->u.sa.sa_family, fd, saved;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	fd = socket(family, SOCK_DGRAM, 0);
	if (fd < 0)
		return QERR_SYS;
	if (fd_cloexec(fd) != 0 || fd_nonblock(fd) != 0)
		goto fail;
	set_options(fd, family);
	if (qudp_bind(fd, bind_addr, device) != 0)
		goto fail;
	if (connect(fd, &remote->u.sa, remote->len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sa(local, (struct sockaddr *)&ss, len) != 0)
		goto fail;
	/* To an interface without an address the kernel lends one of another's. */
	if (device != NULL && !iface_may_use(device, local)) {
		errno = EADDRNOTAVAIL;
		goto fail;
	}
	*out = fd;
	return 0;
fail:
	saved = errno;
	fd_close(&fd);
	errno = saved;
	return QERR_SYS;
}

bool
qudp_pin(int fd, const struct addr *local, const struct addr *remote, char name[IF_NAMESIZE])
{
#ifdef SO_BINDTODEVICE
	return iface_route(name, local, remote) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strnlen(name, IF_NAMESIZE)) == 0;
#else
	(void)fd;
	(void)local;
	(void)remote;
	(void)name;
	return false;
#endif
}

bool
qudp_here(const struct addr *local)
{
	struct addr a = *local;
	int fd = socket(a.u.sa.sa_family, SOCK_DGRAM, 0);
	bool here;

	if (fd < 0)
		return true;
	addr_set_port(&a, 0);
	here = bind(fd, &a.u.sa, a.len) == 0 || errno != EADDRNOTAVAIL;
	fd_close(&fd);
	return here;
}

size_t
qudp_mtu(int fd, int family)
{
	size_t headers = family == AF_INET6 ? 40 + 8 : 20 + 8;
	int mtu = 0;
#ifdef IP_MTU
	socklen_t len = sizeof(mtu);

	if (family == AF_INET6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len) != 0 :
				 getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len) != 0)
		return 0;
#else
	(void)fd;
#endif
	return mtu > 0 && (size_t)mtu > headers ? (size_t)mtu - headers : 0;
}

/* ---- in ---- */

int
qudp_rx_new(struct qudp_rx **out)
{
	struct qudp_rx *rx;

	rx = calloc(1, sizeof(*rx));
	if (rx == NULL)
		return QERR_NOMEM;
	/* Large, but only the pages that packets have touched are real. */
	rx->buf = malloc((size_t)QUDP_BATCH * RX_BUF);
	if (rx->buf == NULL) {
		free(rx);
		return QERR_NOMEM;
	}
	*out = rx;
	return 0;
}

void
qudp_rx_free(struct qudp_rx **rx)
{
	if (*rx == NULL)
		return;
	free((*rx)->buf);
	free(*rx);
	*rx = NULL;
}

void
qudp_rx_rest(struct qudp_rx *rx)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)rx->buf;
	uintptr_t end = at + (size_t)QUDP_BATCH * RX_BUF;

	/* The pages go, the addresses stay. */
	at = (at + page - 1) & ~(page - 1);
	end &= ~(page - 1);
#ifdef MADV_DONTNEED
	(void)madvise((void *)at, end - at, MADV_DONTNEED);
#endif
#ifdef __GLIBC__
	(void)malloc_trim(0); /* otherwise it keeps what lies beneath anything still in use */
#endif
}

static void
read_control(struct msghdr *mh, struct qudp_msg *m)
{
	struct cmsghdr *c;
	int v;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			m->ecn = *(const uint8_t *)CMSG_DATA(c) & 3U;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&v, CMSG_DATA(c), sizeof(v));
			m->ecn = (unsigned)v & 3U;
#ifdef UDP_GRO
		} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&v, CMSG_DATA(c), sizeof(v));
			if (v > 0)
				m->seg = (size_t)v;
#endif
		}
	}
}

int
qudp_recv(struct qudp_rx *rx, int fd, struct qudp_msg *msgs)
{
	struct msghdr *mh;
	int i, n;

	for (i = 0; i < QUDP_BATCH; i++) {
		rx->iov[i].iov_base = rx->buf + (size_t)i * RX_BUF;
		rx->iov[i].iov_len = RX_BUF;
		mh = &rx->hdr[i].msg_hdr;
		memset(mh, 0, sizeof(*mh));
		mh->msg_iov = &rx->iov[i];
		mh->msg_iovlen = 1;
		mh->msg_control = &rx->ctl[i];
		mh->msg_controllen = sizeof(rx->ctl[i]);
	}
	do {
		n = recvmmsg(fd, rx->hdr, QUDP_BATCH, MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fd_would_block(errno) ? 0 : QERR_SYS;
	for (i = 0; i < n; i++) {
		msgs[i].p = rx->iov[i].iov_base;
		msgs[i].n = msgs[i].seg = rx->hdr[i].msg_len;
		msgs[i].ecn = 0;
		read_control(&rx->hdr[i].msg_hdr, &msgs[i]);
	}
	return n;
}
