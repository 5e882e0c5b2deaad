#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "server/listener/lsock.h"

#define SOCKS_MAX   64
#define BATCH	    32 /* datagrams a system call */
#define DGRAM_MAX   65535
#define ECN_MASK    3
#define CONTROL_MAX (CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)))

union control {
	struct cmsghdr align;
	uint8_t space[CONTROL_MAX];
};

struct lsock {
	struct lsocks *all;
	struct addr local;
	struct ev_io *io;
	int fd;
};

struct lsocks {
	struct ev *ev;
	lsock_input_fn *input;
	void *arg;
	struct lsock *v[SOCKS_MAX];
	size_t n;
	bool started;
	/* One batch. Pages that no datagram has used yet cost nothing. */
	uint8_t data[BATCH][DGRAM_MAX];
	union control control[BATCH];
	struct sockaddr_storage from[BATCH];
	struct iovec iov[BATCH];
};

int
lsocks_new(struct lsocks **out, struct ev *ev, lsock_input_fn *input, void *arg)
{
	struct lsocks *ls = calloc(1, sizeof(*ls));

	*out = ls;
	if (ls == NULL)
		return QERR_NOMEM;
	ls->ev = ev;
	ls->input = input;
	ls->arg = arg;
	return 0;
}

static void
lsock_free(struct lsock *s)
{
	ev_io_free(&s->io);
	fd_close(&s->fd);
	free(s);
}

void
lsocks_free(struct lsocks **ls)
{
	if (*ls == NULL)
		return;
	for (size_t i = 0; i < (*ls)->n; i++)
		lsock_free((*ls)->v[i]);
	free(*ls);
	*ls = NULL;
}

/* ---- reading ---- */

/* The destination address of the packet, which on a wildcard socket nobody else knows. false:
 * it went to everybody (a broadcast), which is no path. */
static bool
take_control(struct msghdr *mh, struct smsg_dgram *d)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		const void *p = CMSG_DATA(c);

		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			struct sockaddr_in6 *to = &d->path.local.u.in6;

			memcpy(&info, p, sizeof(info));
			to->sin6_addr = info.ipi6_addr;
			to->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)
						? (uint32_t)info.ipi6_ifindex
						: 0;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			int v;

			memcpy(&v, p, sizeof(v));
			d->ecn = (uint8_t)v & ECN_MASK;
#ifdef IP_PKTINFO
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, p, sizeof(info));
			if (info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr)
				return false;
			d->path.local.u.in.sin_addr = info.ipi_addr;
#elif defined(IP_RECVDSTADDR)
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVDSTADDR) {
			memcpy(&d->path.local.u.in.sin_addr, p, sizeof(struct in_addr));
#endif
		} else if (c->cmsg_level == IPPROTO_IP &&
			   (c->cmsg_type == IP_TOS || c->cmsg_type == IP_RECVTOS)) {
			d->ecn = *(const uint8_t *)p & ECN_MASK;
		}
	}
	return true;
}

static void
take(struct lsock *s, struct msghdr *mh, const void *data, size_t n)
{
	struct smsg_dgram d = {.path.local = s->local, .data = {data, n}};

	if (mh->msg_flags & MSG_TRUNC)
		return;
	if (addr_from_sa(&d.path.remote, mh->msg_name, mh->msg_namelen) != 0 ||
	    addr_port(&d.path.remote) == 0)
		return;
	if (take_control(mh, &d))
		s->all->input(s->all->arg, &d);
}

static void
prepare(struct lsocks *ls, size_t i, struct msghdr *mh)
{
	ls->iov[i] = (struct iovec){ls->data[i], DGRAM_MAX};
	*mh = (struct msghdr){
	    .msg_name = &ls->from[i],
	    .msg_namelen = sizeof(ls->from[i]),
	    .msg_iov = &ls->iov[i],
	    .msg_iovlen = 1,
	    .msg_control = ls->control[i].space,
	    .msg_controllen = CONTROL_MAX,
	};
}

/* One batch a turn: other sockets and channels are to have theirs. An error is a note about a
 * datagram that was sent (ICMP): there is nothing to do. */
static void
on_readable(void *arg, int fd, unsigned what)
{
	struct lsock *s = arg;
	struct lsocks *ls = s->all;
#ifdef HAVE_RECVMMSG
	struct mmsghdr mm[BATCH];
	int n;

	for (size_t i = 0; i < BATCH; i++)
		prepare(ls, i, &mm[i].msg_hdr);
	n = recvmmsg(fd, mm, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		take(s, &mm[i].msg_hdr, ls->data[i], mm[i].msg_len);
#else
	for (size_t i = 0; i < BATCH; i++) {
		struct msghdr mh;
		ssize_t n;

		prepare(ls, i, &mh);
		n = recvmsg(fd, &mh, MSG_DONTWAIT);
		if (n < 0)
			break;
		take(s, &mh, ls->data[i], (size_t)n);
	}
#endif
	(void)what;
}

static int
read_from(struct lsock *s)
{
	return ev_io_new(&s->io, s->all->ev, s->fd, EV_RD, on_readable, s);
}

int
lsocks_add(struct lsocks *ls, int fd, const struct addr *local)
{
	struct lsock *s;
	int err = 0;

	s = ls->n < SOCKS_MAX ? calloc(1, sizeof(*s)) : NULL;
	if (s == NULL) {
		fd_close(&fd);
		return ls->n < SOCKS_MAX ? QERR_NOMEM : QERR_TOOBIG;
	}
#ifdef UDP_GRO
	/* Several datagrams in one are for who reads a bulk of one connection's. */
	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &(int){0}, sizeof(int));
#endif
	s->all = ls;
	s->fd = fd;
	s->local = *local;
	if (ls->started && (err = read_from(s)) != 0) {
		lsock_free(s);
		return err;
	}
	ls->v[ls->n++] = s;
	return 0;
}

int
lsocks_drop(struct lsocks *ls, const struct addr *local)
{
	for (size_t i = 0; i < ls->n; i++) {
		if (!addr_equal(&ls->v[i]->local, local))
			continue;
		lsock_free(ls->v[i]);
		ls->v[i] = ls->v[--ls->n];
		return 0;
	}
	return QERR_NOTFOUND;
}

int
lsocks_start(struct lsocks *ls)
{
	int err = 0;

	ls->started = true;
	for (size_t i = 0; i < ls->n && err == 0; i++)
		if (ls->v[i]->io == NULL)
			err = read_from(ls->v[i]);
	return err;
}

/* ---- sending ---- */

/* The socket bound to the address itself, else a wildcard of its family and port. */
static const struct lsock *
owner(const struct lsocks *ls, const struct addr *local)
{
	const struct lsock *wild = NULL;

	for (size_t i = 0; i < ls->n; i++) {
		const struct lsock *s = ls->v[i];

		if (addr_equal(&s->local, local))
			return s;
		if (s->local.u.sa.sa_family == local->u.sa.sa_family &&
		    addr_is_any(&s->local) && addr_port(&s->local) == addr_port(local))
			wild = s;
	}
	return wild;
}

bool
lsocks_owns(const struct lsocks *ls, const struct addr *local)
{
	return owner(ls, local) != NULL;
}

size_t
lsocks_count(const struct lsocks *ls)
{
	return ls->n;
}

static void
put_control(struct msghdr *mh, int level, int type, const void *p, size_t n)
{
	struct cmsghdr *c =
	    (struct cmsghdr *)(void *)((uint8_t *)mh->msg_control + mh->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), p, n);
	mh->msg_controllen += CMSG_SPACE(n);
}

static void
put_source(struct msghdr *mh, const struct addr *local, int ecn)
{
	if (local->u.sa.sa_family == AF_INET6) {
		struct in6_pktinfo info = {.ipi6_addr = local->u.in6.sin6_addr};

		info.ipi6_ifindex = local->u.in6.sin6_scope_id;
		put_control(mh, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
		if (ecn != 0)
			put_control(mh, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof(ecn));
		return;
	}
#ifdef IP_PKTINFO
	struct in_pktinfo info = {.ipi_spec_dst = local->u.in.sin_addr};

	put_control(mh, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
#elif defined(IP_SENDSRCADDR)
	put_control(
	    mh, IPPROTO_IP, IP_SENDSRCADDR, &local->u.in.sin_addr, sizeof(struct in_addr));
#endif
	if (ecn != 0)
		put_control(mh, IPPROTO_IP, IP_TOS, &ecn, sizeof(ecn));
}

int
lsocks_send(const struct lsocks *ls, const struct tp_path *path, unsigned ecn, const uint8_t *p,
    size_t n)
{
	const struct lsock *s = owner(ls, &path->local);
	struct addr remote = path->remote;
	union control control = {0};
	struct iovec iov = {NULL, n};
	struct msghdr mh = {.msg_name = &remote.u.sa,
	    .msg_namelen = remote.len,
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space};

	if (s == NULL || remote.u.sa.sa_family != s->local.u.sa.sa_family)
		return QERR_NOTFOUND;
	memcpy(&iov.iov_base, &p, sizeof(p)); /* sendmsg takes no const, and writes nothing */
	put_source(&mh, &path->local, (int)(ecn & ECN_MASK));
	return sendmsg(s->fd, &mh, MSG_DONTWAIT) < 0 ? QERR_SYS : 0;
}
