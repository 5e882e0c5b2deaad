/* A socket for one peer takes that peer's datagrams, and nobody else's at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/fd.h"
#include "server/ipc/udpsock.h"

static void
local_addr(int fd, struct addr *a)
{
	a->len = sizeof(a->u);
	assert_int_equal(getsockname(fd, &a->u.sa, &a->len), 0);
}

static int
client(const char *ip, struct addr *self)
{
	struct addr any;
	int fd;

	assert_int_equal(addr_parse(&any, ip, 0), 0);
	fd = socket(any.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	if (bind(fd, &any.u.sa, any.len) < 0)
		skip(); /* no IPv6 here */
	local_addr(fd, self);
	return fd;
}

/* Loopback delivers inside the call. */
static void
say(int fd, const struct addr *to, const char *what)
{
	assert_int_equal(
	    sendto(fd, what, strlen(what), 0, &to->u.sa, to->len), (int)strlen(what));
}

static void
expect(int fd, const char *what)
{
	char b[64];
	ssize_t n = recv(fd, b, sizeof(b) - 1, MSG_DONTWAIT);

	assert_int_equal(n, (int)strlen(what));
	b[n] = '\0';
	assert_string_equal(b, what);
}

static void
expect_none(int fd)
{
	char b[64];

	assert_int_equal(recv(fd, b, sizeof(b), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Where both are bound to the same address, the kernel may still give the peer's first to the listener. */
static void
expect_either(int fd, int other, const char *what)
{
	char b[64];
	ssize_t n = recv(fd, b, sizeof(b), MSG_PEEK | MSG_DONTWAIT);

	expect(n == (ssize_t)strlen(what) && memcmp(b, what, strlen(what)) == 0 ? fd : other, what);
}

static void
drain(int fd)
{
	while (recv(fd, &(char){0}, 1, MSG_DONTWAIT) >= 0)
		;
}

/* Is there a filter that each datagram has to go through? */
static bool
is_filtered(int fd)
{
#ifdef SO_GET_FILTER
	socklen_t n = 0;

	return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n) == 0 && n > 0;
#else
	(void)fd;
	return false;
#endif
}

static void
nobody_is_robbed(const char *listen_ip, const char *ip)
{
	struct addr la, a, b;
	struct tp_path pa, pb;
	int l, ca, cb, sa, sb;

	ca = client(ip, &a);
	cb = client(ip, &b);
	assert_int_equal(addr_parse(&la, listen_ip, 0), 0);
	l = udpsock_listen(&la);
	assert_true(l >= 0);
	local_addr(l, &la);
	assert_int_equal(addr_parse(&pa.local, ip, addr_port(&la)), 0);
	pb.local = la = pa.local;
	pa.remote = a;
	pb.remote = b;

	say(cb, &la, "b0");
	expect(l, "b0");
	sa = udpsock_reserve(&pa);
	assert_true(sa >= 0);
	say(cb, &la, "lost or the listener's");
	drain(l);
	say(ca, &la, "a1");
	say(ca, &la, "a2");
#ifdef SO_GET_FILTER
	assert_true(is_filtered(sa));
#endif
	assert_int_equal(udpsock_finish(sa, &pa), 0);
	assert_false(is_filtered(sa)); /* the kernel's own look-up is enough now */
	say(cb, &la, "b1");
	say(ca, &la, "a3");
	expect_either(sa, l, "a1");
	expect_either(sa, l, "a2");
	expect(sa, "a3");
	expect_none(sa);

	sb = udpsock_reserve(&pb);
	assert_true(sb >= 0);
	say(ca, &la, "a4");
	expect(sa, "a4");
	say(cb, &la, "b2");
	assert_int_equal(udpsock_finish(sb, &pb), 0);
	say(cb, &la, "b3");
	say(ca, &la, "a5");
	expect(l, "b1");
	expect_either(sb, l, "b2");
	expect(sb, "b3");
	expect_none(sb);
	expect(sa, "a5");
	expect_none(sa);
	fd_close(&sa);
	fd_close(&sb);
	drain(l);
	say(ca, &la, "a6");
	expect(l, "a6");
	fd_close(&l);
	fd_close(&ca);
	fd_close(&cb);
}

static void
ipv4(void **state)
{
	(void)state;
	nobody_is_robbed("127.0.0.1", "127.0.0.1");
}

/* The packet's own destination is what the new socket must be bound to. */
static void
ipv4_wildcard(void **state)
{
	(void)state;
	nobody_is_robbed("0.0.0.0", "127.0.0.7");
}

static void
ipv6(void **state)
{
	(void)state;
	nobody_is_robbed("::1", "::1");
}

static void
ipv6_wildcard(void **state)
{
	(void)state;
	nobody_is_robbed("::", "::1");
}

/* Another user's program must not get at the port: SO_REUSEADDR would permit it. */
static void
options(void **state)
{
	struct addr la;
	int l, v = -1;
	socklen_t len = sizeof(v);

	(void)state;
	assert_int_equal(addr_parse(&la, "127.0.0.1", 0), 0);
	l = udpsock_listen(&la);
	assert_true(l >= 0);
	assert_int_equal(getsockopt(l, SOL_SOCKET, SO_REUSEADDR, &v, &len), 0);
	assert_int_equal(v, 0);
	assert_int_equal(getsockopt(l, SOL_SOCKET, SO_REUSEPORT, &v, &len), 0);
	assert_int_equal(v, 1);
	assert_int_equal(getsockopt(l, IPPROTO_IP, IP_PKTINFO, &v, &len), 0);
	assert_int_equal(v, 1);
	assert_int_equal(getsockopt(l, IPPROTO_IP, IP_RECVTOS, &v, &len), 0);
	assert_int_equal(v, 1);
	assert_int_equal(getsockopt(l, IPPROTO_IP, IP_MTU_DISCOVER, &v, &len), 0);
	assert_int_equal(v, IP_PMTUDISC_PROBE);
	fd_close(&l);
}

static void
families_differ(void **state)
{
	struct tp_path p;

	(void)state;
	assert_int_equal(addr_parse(&p.local, "127.0.0.1", 1), 0);
	assert_int_equal(addr_parse(&p.remote, "::1", 1), 0);
	assert_true(udpsock_connected(&p) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4), cmocka_unit_test(ipv4_wildcard), cmocka_unit_test(ipv6),
		cmocka_unit_test(ipv6_wildcard), cmocka_unit_test(options),
		cmocka_unit_test(families_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
