#include "common/net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"

static bool
has_scope(const struct in6_addr *in6)
{
	return IN6_IS_ADDR_LINKLOCAL(in6) || IN6_IS_ADDR_MC_LINKLOCAL(in6);
}

static void
set_in(struct addr *a, const void *ip, in_port_t port)
{
	memset(a, 0, sizeof(*a));
	a->u.in.sin_family = AF_INET;
	memcpy(&a->u.in.sin_addr, ip, sizeof(a->u.in.sin_addr));
	a->u.in.sin_port = port;
	a->len = sizeof(a->u.in);
}

/* An IPv4-mapped address becomes IPv4: one host has one form in logs, rules and counters. */
static void
set_in6(struct addr *a, const struct in6_addr *ip, in_port_t port, uint32_t scope)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		set_in(a, ip->s6_addr + 12, port);
		return;
	}
	memset(a, 0, sizeof(*a));
	a->u.in6.sin6_family = AF_INET6;
	a->u.in6.sin6_addr = *ip;
	a->u.in6.sin6_port = port;
	a->u.in6.sin6_scope_id = has_scope(ip) ? scope : 0;
	a->len = sizeof(a->u.in6);
}

int
addr_from_sa(struct addr *a, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memset(a, 0, sizeof(*a));
	if (len < offsetof(struct sockaddr, sa_data))
		return QERR_UNSUPPORTED;
	if (sa->sa_family == AF_INET && len >= sizeof(in)) {
		memcpy(&in, sa, sizeof(in)); /* sa may lie unaligned in a control message */
		set_in(a, &in.sin_addr, in.sin_port);
		return 0;
	}
	if (sa->sa_family == AF_INET6 && len >= sizeof(in6)) {
		memcpy(&in6, sa, sizeof(in6));
		set_in6(a, &in6.sin6_addr, in6.sin6_port, in6.sin6_scope_id);
		return 0;
	}
	return QERR_UNSUPPORTED;
}

static int
parse_scope(const char *s, uint32_t *scope)
{
	long long v;

	if (str_to_int(s, 1, UINT32_MAX, &v) == 0)
		*scope = (uint32_t)v;
	else
		*scope = if_nametoindex(s);
	return *scope != 0 ? 0 : QERR_FORMAT;
}

int
addr_parse(struct addr *a, const char *ip, uint16_t port)
{
	char host[INET6_ADDRSTRLEN];
	size_t n = strcspn(ip, "%");
	struct in6_addr in6;
	struct in_addr in;
	uint32_t scope = 0;

	memset(a, 0, sizeof(*a));
	if (n >= sizeof(host))
		return QERR_FORMAT;
	memcpy(host, ip, n);
	host[n] = '\0';
	if (ip[n] == '\0' && inet_pton(AF_INET, host, &in) == 1) {
		set_in(a, &in, htons(port));
		return 0;
	}
	if (inet_pton(AF_INET6, host, &in6) != 1)
		return QERR_FORMAT;
	if (ip[n] == '%' && (!has_scope(&in6) || parse_scope(ip + n + 1, &scope) != 0))
		return QERR_FORMAT;
	set_in6(a, &in6, htons(port), scope);
	return 0;
}

uint16_t
addr_port(const struct addr *a)
{
	if (a->len == 0)
		return 0;
	return ntohs(a->u.sa.sa_family == AF_INET ? a->u.in.sin_port : a->u.in6.sin6_port);
}

void
addr_set_port(struct addr *a, uint16_t port)
{
	if (a->len == 0)
		return;
	if (a->u.sa.sa_family == AF_INET)
		a->u.in.sin_port = htons(port);
	else
		a->u.in6.sin6_port = htons(port);
}

bool
addr_equal_host(const struct addr *a, const struct addr *b)
{
	if (a->len != b->len)
		return false;
	if (a->len == 0)
		return true;
	if (a->u.sa.sa_family != b->u.sa.sa_family)
		return false;
	if (a->u.sa.sa_family == AF_INET)
		return a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr;
	return memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof(struct in6_addr)) == 0 &&
	    a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_equal_host(a, b) && addr_port(a) == addr_port(b);
}

bool
addr_is_any(const struct addr *a)
{
	if (a->len == 0)
		return false;
	if (a->u.sa.sa_family == AF_INET)
		return a->u.in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

const char *
addr_host(const struct addr *a, char *dst)
{
	size_t n;

	if (a->len == 0)
		return strcpy(dst, "UNKNOWN");
	if (a->u.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->u.in.sin_addr, dst, ADDR_STRLEN);
		return dst;
	}
	inet_ntop(AF_INET6, &a->u.in6.sin6_addr, dst, ADDR_STRLEN);
	if (a->u.in6.sin6_scope_id != 0) {
		/* The interface's number: its name would take a socket, which a sandbox forbids. */
		n = strlen(dst);
		snprintf(dst + n, ADDR_STRLEN - n, "%%%u", a->u.in6.sin6_scope_id);
	}
	return dst;
}

const char *
addr_str(const struct addr *a, char *dst)
{
	size_t n;

	addr_host(a, dst);
	n = strlen(dst);
	snprintf(dst + n, ADDR_STRLEN - n, " port %u", addr_port(a));
	return dst;
}

const char *
addr_show(const struct addr *a)
{
	static char ring[4][ADDR_STRLEN];
	static unsigned next;

	return addr_str(a, ring[next++ % 4]);
}
