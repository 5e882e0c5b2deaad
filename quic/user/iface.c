/* Interfaces and routes. */
#include "quic/user/iface.h"

#include <ifaddrs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#endif

#include "common/base/err.h"
#include "common/base/fd.h"

static bool
is_master(const char *name, const char *of)
{
	char path[64 + IF_NAMESIZE], target[256];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/net/%s/master", of);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	base = strrchr(target, '/');
	return strcmp(base != NULL ? base + 1 : target, name) == 0;
}

static bool
bears(const struct ifaddrs *i, const struct addr *a)
{
	const struct sockaddr *sa = i->ifa_addr;
	struct addr b;

	if (sa == NULL || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return false;
	return addr_from_sa(&b, sa,
		   sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) :
					      sizeof(struct sockaddr_in6)) == 0 &&
	    addr_equal_host(&b, a);
}

bool
iface_may_use(const char *name, const struct addr *a)
{
	struct ifaddrs *all, *i;
	bool may = false;

	if (getifaddrs(&all) != 0)
		return true;
	for (i = all; i != NULL && !may; i = i->ifa_next) {
		if (bears(i, a))
			may = strcmp(i->ifa_name, name) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0 ||
			    is_master(name, i->ifa_name);
	}
	freeifaddrs(all);
	return may;
}

#ifdef __linux__

#define ATTR_ROOM 64

struct query {
	struct nlmsghdr h;
	struct rtmsg rt;
	uint8_t attrs[ATTR_ROOM];
};

/* The bytes of an address as the wire has them. */
static const void *
bytes_of(const struct addr *a, size_t *n)
{
	if (a->u.sa.sa_family == AF_INET) {
		*n = sizeof(a->u.in.sin_addr);
		return &a->u.in.sin_addr;
	}
	*n = sizeof(a->u.in6.sin6_addr);
	return &a->u.in6.sin6_addr;
}

static void
put_attr(struct query *q, unsigned short type, const struct addr *a)
{
	struct rtattr rta = {.rta_type = type};
	uint8_t *at = (uint8_t *)q + NLMSG_ALIGN(q->h.nlmsg_len);
	size_t n;
	const void *p = bytes_of(a, &n);

	rta.rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(at, &rta, sizeof(rta));
	memcpy(at + RTA_LENGTH(0), p, n);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(RTA_LENGTH(n)));
}

/* The number of the interface in a route's attributes; 0: there is none. */
static unsigned
oif_of(const uint8_t *p, size_t n)
{
	while (n >= sizeof(struct rtattr)) {
		struct rtattr rta;
		unsigned index;
		size_t step;

		memcpy(&rta, p, sizeof(rta));
		if (rta.rta_len < sizeof(rta) || rta.rta_len > n)
			return 0;
		if (rta.rta_type == RTA_OIF && rta.rta_len >= RTA_LENGTH(sizeof(index))) {
			memcpy(&index, p + RTA_LENGTH(0), sizeof(index));
			return index;
		}
		step = RTA_ALIGN(rta.rta_len);
		if (step > n)
			return 0;
		p += step;
		n -= step;
	}
	return 0;
}

/* The kernel answers before send() returns. */
static unsigned
ask(int fd, const struct query *q)
{
	uint8_t answer[4096];
	struct nlmsghdr h;
	ssize_t n;

	if (send(fd, q, q->h.nlmsg_len, 0) < 0)
		return 0;
	n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct rtmsg)))
		return 0;
	memcpy(&h, answer, sizeof(h));
	if (h.nlmsg_type != RTM_NEWROUTE || h.nlmsg_len > (size_t)n ||
	    h.nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg)))
		return 0;
	return oif_of(answer + NLMSG_LENGTH(sizeof(struct rtmsg)),
	    h.nlmsg_len - NLMSG_LENGTH(sizeof(struct rtmsg)));
}

int
iface_route(char name[IF_NAMESIZE], const struct addr *from, const struct addr *to)
{
	struct query q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
			      .nlmsg_type = RTM_GETROUTE,
			      .nlmsg_flags = NLM_F_REQUEST}};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	unsigned index;
	size_t n;

	if (fd < 0)
		return QERR_NOTFOUND;
	(void)bytes_of(to, &n);
	q.rt.rtm_family = (unsigned char)to->u.sa.sa_family;
	q.rt.rtm_dst_len = q.rt.rtm_src_len = (unsigned char)(8 * n);
	put_attr(&q, RTA_DST, to);
	put_attr(&q, RTA_SRC, from);
	index = ask(fd, &q);
	fd_close(&fd);
	return index != 0 && if_indextoname(index, name) != NULL ? 0 : QERR_NOTFOUND;
}

#else

int
iface_route(char name[IF_NAMESIZE], const struct addr *from, const struct addr *to)
{
	(void)name;
	(void)from;
	(void)to;
	return QERR_NOTFOUND;
}

#endif
