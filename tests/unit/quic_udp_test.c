/* UDP sockets: batches, ECN, and what happens where the kernel or the device refuses either: the calls below stand
 * between the code and the C library (the linker's --wrap). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <poll.h>

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "quic/user/iface.h"
#include "quic/user/udp.h"

static struct {
	int gso;      /* errno of calls with a segment size; 0: as the kernel says */
	int ecn;      /* of those with an ECN mark */
	int large;    /* of datagrams of more than so many bytes: EMSGSIZE */
	int option;   /* of setsockopt, whatever it sets */
	unsigned calls, cut; /* sendmmsg; with a segment size */
} refuse;

int __real_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __real_setsockopt(int fd, int level, int name, const void *v, socklen_t n);
int __wrap_setsockopt(int fd, int level, int name, const void *v, socklen_t n);

static int
refusal(struct msghdr *mh, size_t len)
{
	struct cmsghdr *c;
	uint16_t seg;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) {
			refuse.cut++;
			if (refuse.gso != 0)
				return refuse.gso;
			memcpy(&seg, CMSG_DATA(c), sizeof(seg));
			len = seg;
		} else if (refuse.ecn != 0) {
			return refuse.ecn;
		}
	}
	return refuse.large != 0 && len > (size_t)refuse.large ? EMSGSIZE : 0;
}

/* As the kernel does: an error only where it is the first that is refused. */
int
__wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	unsigned i;
	int e = 0;

	refuse.calls++;
	for (i = 0; i < n && e == 0; i++)
		e = refusal(&m[i].msg_hdr, m[i].msg_hdr.msg_iov->iov_len);
	if (e == 0)
		return __real_sendmmsg(fd, m, n, flags);
	if (i > 1)
		return __real_sendmmsg(fd, m, i - 1, flags);
	errno = e;
	return -1;
}

int
__wrap_setsockopt(int fd, int level, int name, const void *v, socklen_t n)
{
	if (refuse.option == 0)
		return __real_setsockopt(fd, level, name, v, n);
	errno = refuse.option;
	return -1;
}

struct two {
	int a, b;
	struct addr aa, ba;
	int family;
};

/* Two sockets connected to each other, both made as a client makes its own. */
static void
connect_two(struct two *t, const char *ip)
{
	struct addr any, nobody;

	assert_int_equal(addr_parse(&any, ip, 0), 0);
	assert_int_equal(addr_parse(&nobody, ip, 9), 0);
	t->family = any.u.sa.sa_family;
	assert_int_equal(qudp_client(&t->b, &t->ba, &nobody, &any, NULL), 0);
	assert_int_equal(qudp_client(&t->a, &t->aa, &t->ba, &any, NULL), 0);
	assert_int_equal(connect(t->b, &t->aa.u.sa, t->aa.len), 0);
}

static void
close_two(struct two *t)
{
	fd_close(&t->a);
	fd_close(&t->b);
}

static void
wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

/* A batch of nine datagrams and a shorter tenth arrives as ten, however the kernel carried it. */
static void
exchange_with(const char *ip, struct qudp_tx *tx, unsigned ecn, unsigned ecn_in)
{
	struct qudp_msg msgs[QUDP_BATCH];
	uint8_t out[9 * 1000 + 300], in[sizeof(out)];
	size_t got = 0, k, len, i;
	unsigned count = 0;
	struct qudp_rx *rx;
	struct two t;
	int n, m;

	connect_two(&t, ip);
	assert_int_equal(qudp_rx_new(&rx), 0);
	for (i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 11 + i / 1000);
	assert_int_equal(qudp_send(tx, t.a, t.family, ecn, out, sizeof(out), 1000), sizeof(out));
	while (got < sizeof(out)) {
		wait_readable(t.b);
		n = qudp_recv(rx, t.b, msgs);
		assert_true(n > 0);
		for (m = 0; m < n; m++) {
			assert_int_equal(msgs[m].ecn, ecn_in);
			for (k = 0; k < msgs[m].n; k += len) {
				len = msgs[m].n - k < msgs[m].seg ? msgs[m].n - k : msgs[m].seg;
				assert_true(len == 1000 || got + len == sizeof(out));
				memcpy(in + got, msgs[m].p + k, len);
				got += len;
				count++;
			}
		}
	}
	assert_int_equal(count, 10);
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(qudp_recv(rx, t.b, msgs), 0);
	qudp_rx_free(&rx);
	close_two(&t);
}

static void
exchange(const char *ip, bool gso, unsigned ecn)
{
	struct qudp_tx tx = {.no_gso = !gso};

	exchange_with(ip, &tx, ecn, ecn);
	assert_false(tx.no_ecn || tx.no_gso == gso);
}

static void
test_batches(void **state)
{
	unsigned ecn;

	(void)state;
	for (ecn = 0; ecn < 4; ecn++) {
		exchange("127.0.0.1", true, ecn);
		exchange("127.0.0.1", false, ecn);
		exchange("::1", true, ecn);
		exchange("::1", false, ecn);
	}
}

/* A full socket takes whole datagrams and says how many bytes those are. */
static void
test_full(void **state)
{
	struct qudp_tx tx = {.no_gso = true};
	static uint8_t out[64 * 1000];
	size_t n, total = 0;
	int sv[2], size = 4096, i;

	(void)state;
	/* UDP on loopback never fills up; a local datagram socket of the same kind does. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	assert_int_equal(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(fd_nonblock(sv[0]), 0);
	for (i = 0; i < 100; i++) {
		n = qudp_send(&tx, sv[0], AF_INET, 0, out, sizeof(out), 1000);
		assert_int_equal(n % 1000, 0);
		total += n;
		if (n < sizeof(out))
			break;
	}
	assert_true(n < sizeof(out));
	for (i = 0; recv(sv[1], out, sizeof(out), MSG_DONTWAIT) == 1000; i++)
		;
	assert_int_equal((size_t)i * 1000, total);
	close(sv[0]);
	close(sv[1]);
}

/* ICMP: reported by the next call, which sends all the same. */
static void
test_refused(void **state)
{
	struct qudp_tx tx = {.no_gso = false};
	struct qudp_msg msgs[QUDP_BATCH];
	struct qudp_rx *rx;
	struct two t;

	(void)state;
	connect_two(&t, "127.0.0.1");
	assert_int_equal(qudp_rx_new(&rx), 0);
	fd_close(&t.b);
	assert_int_equal(qudp_send(&tx, t.a, AF_INET, 0, (const uint8_t *)"x", 1, 1), 1);
	assert_int_equal(qudp_send(&tx, t.a, AF_INET, 0, (const uint8_t *)"x", 1, 1), 1);
	assert_true(tx.refused);
	wait_readable(t.a);
	assert_int_equal(qudp_recv(rx, t.a, msgs), QERR_SYS);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(qudp_recv(rx, t.a, msgs), 0);
	qudp_rx_free(&rx);
	close_two(&t);
}

/* Where nothing goes at all, nothing fails: silence is survivable. */
static void
test_unsendable(void **state)
{
	struct qudp_tx tx = {.no_gso = false};
	static uint8_t big[65536];
	struct two t;

	(void)state;
	connect_two(&t, "127.0.0.1");
	assert_int_equal(qudp_send(&tx, t.a, AF_INET, 0, big, sizeof(big), sizeof(big)), sizeof(big));
	fd_close(&t.a);
	assert_int_equal(qudp_send(&tx, t.a, AF_INET, 0, big, 3000, 1000), 3000);
	assert_false(tx.refused);
	close_two(&t);
}

static int
nothing_refused(void **state)
{
	(void)state;
	memset(&refuse, 0, sizeof(refuse));
	return 0;
}

/* The kernel or the device cannot cut: all arrives, it is asked once, and then few calls do. */
static void
test_no_gso(void **state)
{
	static const int errors[] = {EIO, EINVAL, EMSGSIZE, EOPNOTSUPP, ENOPROTOOPT};
	struct qudp_tx tx;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		memset(&tx, 0, sizeof(tx));
		refuse.gso = errors[i];
		refuse.cut = refuse.calls = 0;
		exchange_with(i % 2 == 0 ? "127.0.0.1" : "::1", &tx, 2, 2);
		assert_true(tx.no_gso);
		assert_false(tx.no_ecn);
		assert_int_equal(refuse.calls, 2);
		exchange_with(i % 2 == 0 ? "127.0.0.1" : "::1", &tx, 2, 2);
		assert_int_equal(refuse.cut, 1);
		assert_int_equal(refuse.calls, 3); /* ten datagrams, one call */
	}
}

/* Marks are refused: without, all arrives; and batches are still cut by the kernel. */
static void
test_no_ecn(void **state)
{
	static const int errors[] = {EINVAL, EOPNOTSUPP, ENOPROTOOPT};
	struct qudp_tx tx;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		memset(&tx, 0, sizeof(tx));
		refuse.ecn = errors[i];
		exchange_with("127.0.0.1", &tx, 2, 0);
		assert_true(tx.no_ecn);
		assert_false(tx.no_gso);
		refuse.calls = refuse.cut = 0;
		exchange_with("::1", &tx, 2, 0);
		assert_int_equal(refuse.calls, 1);
		assert_int_equal(refuse.cut, 1);
	}
	refuse.gso = EIO; /* neither */
	memset(&tx, 0, sizeof(tx));
	exchange_with("127.0.0.1", &tx, 2, 0);
	assert_true(tx.no_ecn);
	exchange_with("127.0.0.1", &tx, 2, 0);
	assert_true(tx.no_gso);
}

/* The interface has come to take less: those that are too large are lost, the others leave, and that
 * is no reason to do without cutting. */
static void
test_too_large(void **state)
{
	struct qudp_msg msgs[QUDP_BATCH];
	struct qudp_tx tx = {0};
	static uint8_t out[3300];
	struct qudp_rx *rx;
	struct two t;

	(void)state;
	connect_two(&t, "127.0.0.1");
	assert_int_equal(qudp_rx_new(&rx), 0);
	refuse.large = 999;
	assert_int_equal(qudp_send(&tx, t.a, t.family, 2, out, sizeof(out), 1000), sizeof(out));
	wait_readable(t.b);
	assert_int_equal(qudp_recv(rx, t.b, msgs), 1);
	assert_int_equal(msgs[0].n, 300);
	assert_int_equal(msgs[0].ecn, 2);
	assert_false(tx.no_gso || tx.no_ecn || tx.refused);
	qudp_rx_free(&rx);
	close_two(&t);
}

/* No option of a socket can be set: no larger buffers, no batches in, no marks seen. It works. */
static void
test_no_options(void **state)
{
	struct qudp_tx tx = {0};

	(void)state;
	refuse.option = EPERM;
	exchange_with("127.0.0.1", &tx, 2, 0);
	exchange_with("::1", &tx, 2, 0);
	refuse.option = ENOPROTOOPT;
	exchange_with("127.0.0.1", &tx, 0, 0);
}

#ifdef __linux__
/* What -B and Migrate no ask: whose address it is, and where the route leads. */
static void
test_interfaces(void **state)
{
	struct addr home, elsewhere;
	char name[IF_NAMESIZE], pinned[IF_NAMESIZE];
	struct two t;

	(void)state;
	assert_int_equal(addr_parse(&home, "127.0.0.1", 0), 0);
	assert_int_equal(addr_parse(&elsewhere, "192.0.2.1", 0), 0);
	assert_true(iface_may_use("lo", &home));
	assert_true(iface_may_use("other0", &home)); /* borrowed from the loopback interface */
	assert_false(iface_may_use("lo", &elsewhere));
	assert_int_equal(iface_route(name, &home, &home), 0);
	assert_string_equal(name, "lo");
	connect_two(&t, "127.0.0.1");
	if (qudp_pin(t.a, &t.aa, &t.ba, pinned)) /* Linux before 5.7 leaves it to root */
		assert_string_equal(pinned, "lo");
	assert_int_equal(send(t.a, "x", 1, 0), 1);
	wait_readable(t.b);
	close_two(&t);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __linux__
		cmocka_unit_test(test_interfaces),
#endif
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unsendable),
		cmocka_unit_test_setup(test_no_gso, nothing_refused),
		cmocka_unit_test_setup(test_no_ecn, nothing_refused),
		cmocka_unit_test_setup(test_too_large, nothing_refused),
		cmocka_unit_test_setup(test_no_options, nothing_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
