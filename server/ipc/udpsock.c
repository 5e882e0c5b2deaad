#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef HAVE_LINUX_FILTER_H
#include <linux/filter.h>
#endif

#include "common/base/err.h"
#include "common/base/fd.h"
#include "server/ipc/udpsock.h"

#define BUFFER_BYTES (2 * 1024 * 1024)

struct sockopt {
	int level, name, value;
	int needed;
};

/* Packet information and ECN are what paths and congestion control are made of; the others only
 * help. */
static const struct sockopt inet_options[] = {
#ifdef IP_PKTINFO
    {IPPROTO_IP, IP_PKTINFO, 1, 1},
#elif defined(IP_RECVDSTADDR)
    {IPPROTO_IP, IP_RECVDSTADDR, 1, 1},
#endif
    {IPPROTO_IP, IP_RECVTOS, 1, 0},
#ifdef IP_MTU_DISCOVER
    /* DF, and the size is QUIC's business alone: no forged ICMP shrinks it. */
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, 0},
#elif defined(IP_DONTFRAG)
    {IPPROTO_IP, IP_DONTFRAG, 1, 0},
#endif
};

static const struct sockopt inet6_options[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY, 1, 1},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 1},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1, 0},
#ifdef IPV6_MTU_DISCOVER
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, 0},
#elif defined(IPV6_DONTFRAG)
    {IPPROTO_IPV6, IPV6_DONTFRAG, 1, 0},
#endif
};

static const struct sockopt udp_options[] = {
#ifdef UDP_GRO
    {IPPROTO_UDP, UDP_GRO, 1, 0},
#endif
    {SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES, 0},
    {SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES, 0},
#ifdef SO_RCVBUFFORCE
    /* Past the system's limit where we may. */
    {SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES, 0},
    {SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES, 0},
#endif
    {SOL_SOCKET, SO_REUSEPORT, 1, 1},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
set_options(int fd, const struct sockopt *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (setsockopt(fd, o[i].level, o[i].name, &o[i].value, sizeof(o[i].value)) <
			0 &&
		    o[i].needed)
			return QERR_SYS;
	return 0;
}

/* A socket with its options, not bound. */
static int
make_socket(const struct addr *local)
{
	int family = local->u.sa.sa_family;
	int fd = socket(family, SOCK_DGRAM, IPPROTO_UDP);

	if (fd < 0)
		return QERR_SYS;
	if (fd_cloexec(fd) != 0 || fd_nonblock(fd) != 0 ||
	    set_options(fd, udp_options, COUNT(udp_options)) != 0 ||
	    (family == AF_INET && set_options(fd, inet_options, COUNT(inet_options)) != 0) ||
	    (family == AF_INET6 && set_options(fd, inet6_options, COUNT(inet6_options)) != 0)) {
		fd_close(&fd);
		return QERR_SYS;
	}
	return fd;
}

int
udpsock_listen(const struct addr *local)
{
	int fd = make_socket(local);

	if (fd >= 0 && bind(fd, &local->u.sa, local->len) < 0)
		fd_close(&fd);
	return fd >= 0 ? fd : QERR_SYS;
}

#ifdef HAVE_LINUX_FILTER_H
/* Offsets in the packet as a UDP socket's filter sees it: from the UDP header on, and the
 * network header at a negative place of its own. */
#define UDP_SRC_PORT  0
#define IP4_SRC	      (SKF_NET_OFF + 12)
#define IP6_SRC(word) (SKF_NET_OFF + 8 + 4 * (word))
#define FILTER_MAX    12

struct program {
	struct sock_filter v[FILTER_MAX];
	unsigned short n;
};

/* Goes on if the word (or half word, of size BPF_H) at off is want, else takes nothing. */
static void
require(struct program *p, unsigned short size, int off, uint32_t want)
{
	p->v[p->n++] = (struct sock_filter)BPF_STMT(
	    (unsigned short)(BPF_LD | size | BPF_ABS), (uint32_t)off);
	p->v[p->n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, want, 0, 0);
}

static void
peer_program(struct program *p, const struct addr *peer)
{
	require(p, BPF_H, UDP_SRC_PORT, addr_port(peer));
	if (peer->u.sa.sa_family == AF_INET) {
		require(p, BPF_W, IP4_SRC, ntohl(peer->u.in.sin_addr.s_addr));
	} else {
		uint32_t words[4];

		memcpy(words, &peer->u.in6.sin6_addr, sizeof(words));
		for (int i = 0; i < 4; i++)
			require(p, BPF_W, IP6_SRC(i), ntohl(words[i]));
	}
	p->v[p->n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	p->v[p->n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	/* Every failed comparison jumps to the last instruction. */
	for (unsigned short i = 1; i < p->n - 2; i = (unsigned short)(i + 2))
		p->v[i].jf = (unsigned char)(p->n - 2 - i);
}

static int
admit_only(int fd, const struct addr *peer)
{
	struct program p = {.n = 0};
	struct sock_fprog prog;

	peer_program(&p, peer);
	prog = (struct sock_fprog){.len = p.n, .filter = p.v};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? QERR_SYS
										     : 0;
}

static int
admit_all(int fd)
{
	int none = 0;

	return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) < 0 ? QERR_SYS
										     : 0;
}
#else
/* Elsewhere what comes between bind and connect is for the reader to hand on. */
static int
admit_only(int fd, const struct addr *peer)
{
	(void)fd;
	(void)peer;
	return 0;
}

static int
admit_all(int fd)
{
	(void)fd;
	return 0;
}
#endif

int
udpsock_reserve(const struct tp_path *path)
{
	int fd;

	if (path->local.len == 0 || path->local.u.sa.sa_family != path->remote.u.sa.sa_family) {
		errno = EAFNOSUPPORT;
		return QERR_SYS;
	}
	fd = make_socket(&path->local);
	if (fd >= 0 && (admit_only(fd, &path->remote) != 0 ||
			   bind(fd, &path->local.u.sa, path->local.len) < 0))
		fd_close(&fd);
	return fd >= 0 ? fd : QERR_SYS;
}

int
udpsock_finish(int fd, const struct tp_path *path)
{
	if (connect(fd, &path->remote.u.sa, path->remote.len) < 0)
		return QERR_SYS;
	return admit_all(fd);
}

int
udpsock_connected(const struct tp_path *path)
{
	int fd = udpsock_reserve(path);

	if (fd >= 0 && udpsock_finish(fd, path) != 0)
		fd_close(&fd);
	return fd >= 0 ? fd : QERR_SYS;
}
