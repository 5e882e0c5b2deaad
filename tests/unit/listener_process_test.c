/* The real qshd-listener in its sandbox, with a supervisor's end and connections' ends of its channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ngtcp2/ngtcp2.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ev/ev.h"
#include "common/ipc/ipc.h"
#include "server/supervisor/lchild.h"

#define PATIENCE (20 * NS_PER_S)

/* A connection's process, played by the test. */
struct net {
	struct ipc *ipc;
	struct smsg_dgram got;
	uint8_t data[2048];
	struct quic_cid cid, more;
	unsigned dgrams, cids;
	uint32_t slot;
};

struct world {
	struct ev *ev;
	struct ev_timer *deadline;
	struct lchild *listener;
	pid_t pid;
	struct sockets socks;
	struct addr addr;
	int client;
	struct addr client_addr;
	struct net net[4];
	unsigned nnets;
	bool ready, gone, late;
	bool heard; /* its word for a refusal, marked as its own */
	unsigned expired;
};

static int
on_dgram(void *ctx, struct rd *body, int *fds)
{
	struct net *n = ctx;
	struct smsg_dgram m;

	(void)fds;
	assert_int_equal(smsg_get_dgram(body, &m), 0);
	assert_true(m.data.n <= sizeof(n->data));
	memcpy(n->data, m.data.p, m.data.n);
	n->got = m;
	n->got.data.p = n->data;
	n->dgrams++;
	return 0;
}

static int
on_cids(void *ctx, struct rd *body, int *fds)
{
	struct net *n = ctx;
	struct smsg_cids m;

	(void)fds;
	assert_int_equal(smsg_get_cids(body, &m), 0);
	n->cids += (unsigned)m.n;
	n->more = m.v[m.n - 1];
	smsg_free_cids(&m);
	return 0;
}

static const struct ipc_row net_rows[] = {
	{LN_DGRAM, "LN_DGRAM", 1, 0, 0, on_dgram},
	{LN_CIDS, "LN_CIDS", 1, 0, 0, on_cids},
};

static void
on_ready(void *arg)
{
	((struct world *)arg)->ready = true;
}

static void
on_admit(void *arg, const struct smsg_admit *m, int *fd)
{
	struct world *w = arg;
	struct net *n = &w->net[w->nnets++];

	assert_true(w->nnets <= 4);
	n->cid = m->cids.v[1];
	n->slot = m->slot;
	assert_int_equal(ipc_new(&n->ipc, w->ev, *fd, net_rows, 2, n, NULL), 0);
	*fd = -1;
}

static void
on_expired(void *arg, uint32_t slot)
{
	struct world *w = arg;

	assert_int_equal(slot, w->net[w->nnets - 1].slot);
	w->expired++;
}

static void
on_gone(void *arg, int err)
{
	struct world *w = arg;

	(void)err;
	w->gone = true;
	lchild_free(&w->listener);
}

static const struct lchild_ops ops = {on_ready, on_admit, on_expired, on_gone};

static void
on_deadline(void *arg)
{
	struct world *w = arg;

	w->late = true;
	ev_stop(w->ev);
}

/* ---- the loop, until something is so ---- */

typedef bool condition_fn(const struct world *w);

struct watch {
	struct world *w;
	condition_fn *is;
	struct ev_timer *t;
};

static void
look(void *arg)
{
	struct watch *k = arg;

	if (k->is(k->w))
		ev_stop(k->w->ev);
	else
		ev_timer_at(k->t, ev_now(k->w->ev) + NS_PER_MS);
}

static void
until(struct world *w, condition_fn *is)
{
	struct watch k = {w, is, NULL};

	w->late = false;
	assert_int_equal(ev_timer_new(&k.t, w->ev, look, &k), 0);
	ev_timer_at(k.t, 0);
	ev_timer_at(w->deadline, ev_now(w->ev) + PATIENCE);
	assert_int_equal(ev_run(w->ev), 0);
	ev_timer_free(&k.t);
	assert_false(w->late);
}

static bool
is_ready(const struct world *w)
{
	return w->ready;
}

static bool
is_gone(const struct world *w)
{
	return w->gone;
}

static bool
has_one_dgram(const struct world *w)
{
	return w->nnets == 1 && w->net[0].dgrams >= 1;
}

static bool
has_two_dgrams(const struct world *w)
{
	return w->net[0].dgrams >= 2;
}

static bool
has_three_dgrams(const struct world *w)
{
	return w->net[0].dgrams >= 3;
}

static bool
has_second(const struct world *w)
{
	return w->nnets == 2 && w->net[1].dgrams >= 1;
}

static bool
has_cids(const struct world *w)
{
	return w->net[0].cids >= 8;
}

static bool
has_expired(const struct world *w)
{
	return w->expired > 0;
}

static bool
has_heard(const struct world *w)
{
	return w->heard;
}

static bool
has_answer(const struct world *w)
{
	return recv(w->client, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* ---- set-up ---- */

static void
open_client(struct world *w, const char *ip)
{
	struct addr any;

	assert_int_equal(addr_parse(&any, ip, 0), 0);
	w->client = socket(any.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(w->client >= 0);
	if (bind(w->client, &any.u.sa, any.len) < 0)
		skip();
	w->client_addr.len = sizeof(w->client_addr.u);
	assert_int_equal(getsockname(w->client, &w->client_addr.u.sa, &w->client_addr.len), 0);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	w->client = -1;
	if (ev_new(&w->ev) != 0 || ev_timer_new(&w->deadline, w->ev, on_deadline, w) != 0)
		return -1;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < w->nnets; i++)
		ipc_free(&w->net[i].ipc);
	lchild_free(&w->listener);
	sockets_free(&w->socks);
	if (w->pid > 0)
		(void)waitpid(w->pid, NULL, 0);
	ev_timer_free(&w->deadline);
	ev_free(&w->ev);
	fd_close(&w->client);
	free(w);
	return 0;
}

/* Listens on ip with a port of the system's choice, and says hello to dest. */
static void
start(struct world *w, const char *ip, const char *dest, uint64_t unvalidated_ns)
{
	struct smsg_linit init = {.limits = {10, 30, 100, 10, unvalidated_ns, LOG_L_DEBUG3}};
	struct addr any;

	open_client(w, dest);
	assert_int_equal(addr_parse(&any, ip, 0), 0);
	assert_int_equal(sockets_bind_all(&w->socks, &any, 1, 0), 0);
	w->addr.len = sizeof(w->addr.u);
	assert_int_equal(getsockname(w->socks.v[0].fd, &w->addr.u.sa, &w->addr.len), 0);
	w->socks.v[0].addr = w->addr;
	assert_int_equal(lchild_new(&w->listener, w->ev, &init, &w->socks, true, &ops, w), 0);
	w->pid = lchild_pid(w->listener);
	assert_int_equal(addr_parse(&w->addr, dest, addr_port(&w->addr)), 0);
	until(w, is_ready);
}

static void
say(struct world *w, const uint8_t *p, size_t n)
{
	assert_int_equal(sendto(w->client, p, n, 0, &w->addr.u.sa, w->addr.len), (ssize_t)n);
}

static void
say_initial(struct world *w, uint8_t who)
{
	uint8_t p[1200] = {0xc3, 0, 0, 0, 1, 8, 'd', 'c', 'i', 'd', 'd', 'c', 'i', who, 1, 's', 0,
	    0x44, 0x9e};

	say(w, p, sizeof(p));
}

static void
say_short(struct world *w, const struct quic_cid *cid)
{
	uint8_t p[60] = {0x43};

	memcpy(p + 1, cid->id, cid->len);
	say(w, p, sizeof(p));
}

static void
tell(struct net *n, uint16_t type, const struct smsg_dgram *d)
{
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	if (d != NULL)
		assert_int_equal(smsg_put_dgram(&b, d), 0);
	assert_int_equal(ipc_send(n->ipc, type, &b, NULL, 0), 0);
	buf_free(&b);
}

/* ---- tests ---- */

static void
both_ways(struct world *w, const char *ip, const char *dest)
{
	const struct smsg_count eight = {8};
	struct smsg_dgram d = {.data = {(const uint8_t *)"an answer", 9}};
	struct addr from = {.len = sizeof(from.u)};
	char got[64];
	struct buf b;

	start(w, ip, dest, PATIENCE);
	say_initial(w, 'a');
	until(w, has_one_dgram);
	/* Both ends of the path, also on a wildcard socket. */
	assert_true(addr_equal(&w->net[0].got.path.remote, &w->client_addr));
	assert_true(addr_equal(&w->net[0].got.path.local, &w->addr));
	assert_int_equal(w->net[0].got.data.n, 1200);
	assert_int_equal(w->net[0].got.ecn, 0);
	/* ECN comes through, and the connection ID finds its process. */
	if (w->addr.u.sa.sa_family == AF_INET)
		assert_int_equal(setsockopt(w->client, IPPROTO_IP, IP_TOS, &(int){2}, sizeof(int)), 0);
	else
		assert_int_equal(setsockopt(w->client, IPPROTO_IPV6, IPV6_TCLASS, &(int){2}, sizeof(int)), 0);
	say_short(w, &w->net[0].cid);
	until(w, has_two_dgrams);
	assert_int_equal(w->net[0].got.ecn, 2);
	/* An answer leaves from where the question came to. */
	d.path = w->net[0].got.path;
	tell(&w->net[0], LN_SEND, &d);
	until(w, has_answer);
	assert_int_equal(recvfrom(w->client, got, sizeof(got), 0, &from.u.sa, &from.len), 9);
	assert_true(addr_equal(&from, &w->addr));
	/* More connection IDs. */
	buf_init(&b, 64);
	assert_int_equal(smsg_put_count(&b, &eight), 0);
	assert_int_equal(ipc_send(w->net[0].ipc, LN_NEED_CIDS, &b, NULL, 0), 0);
	buf_free(&b);
	until(w, has_cids);
	say_short(w, &w->net[0].more);
	until(w, has_three_dgrams);
}

static void
ipv4(void **state)
{
	both_ways(*state, "127.0.0.1", "127.0.0.1");
}

static void
ipv4_wildcard(void **state)
{
	both_ways(*state, "0.0.0.0", "127.0.0.9");
}

static void
ipv6(void **state)
{
	both_ways(*state, "::", "::1");
}

static void
note_line(void *arg, enum log_level level, const char *line)
{
	struct world *w = arg;

	(void)level;
	w->heard |= strcmp(line, "listener: a connection may not send to where nothing came from") == 0;
}

/* Nobody can have the listener send to an address of his choice. */
static void
no_sending_to_strangers(void **state)
{
	struct world *w = *state;
	struct smsg_dgram d = {.data = {(const uint8_t *)"unwanted", 8}};
	struct addr other = {.len = sizeof(other.u)};
	int victim = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct addr any;

	assert_int_equal(addr_parse(&any, "127.0.0.1", 0), 0);
	assert_int_equal(bind(victim, &any.u.sa, any.len), 0);
	assert_int_equal(getsockname(victim, &other.u.sa, &other.len), 0);
	start(w, "127.0.0.1", "127.0.0.1", PATIENCE);
	say_initial(w, 'a');
	until(w, has_one_dgram);
	log_set_level(LOG_L_DEBUG3);
	log_to_sink(note_line, w);
	d.path = w->net[0].got.path;
	d.path.remote = other;
	tell(&w->net[0], LN_SEND, &d);
	until(w, has_heard);
	log_to_stderr();
	log_set_level(LOG_L_QUIET);
	d.path.remote = w->client_addr;
	tell(&w->net[0], LN_SEND, &d); /* this one goes, and came after */
	until(w, has_answer);
	assert_int_equal(recv(victim, &(char){0}, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	fd_close(&victim);
}

static void
foreign_reaches_its_owner(void **state)
{
	struct world *w = *state;
	uint8_t p[60] = {0x43};
	struct smsg_dgram d = {.data = {p, sizeof(p)}};

	start(w, "127.0.0.1", "127.0.0.1", PATIENCE);
	say_initial(w, 'a');
	until(w, has_one_dgram);
	say_initial(w, 'b');
	until(w, has_second);
	memcpy(p + 1, w->net[0].cid.id, w->net[0].cid.len);
	d.path = w->net[1].got.path;
	tell(&w->net[1], LN_FOREIGN, &d);
	until(w, has_two_dgrams);
	assert_int_equal(w->net[0].got.data.n, sizeof(p));
}

static bool
second_has_dgram(const struct world *w)
{
	return w->net[1].dgrams >= 1;
}

static bool
second_has_cids(const struct world *w)
{
	return w->net[1].cids >= 8;
}

/* The listener of a connection is another one now: it is in its sandbox when it takes the channel. */
static void
adoption(void **state)
{
	struct world *w = *state;
	const struct smsg_count eight = {8};
	struct net *n = &w->net[1];
	struct smsg_adopt m = {.slot = 1, .authed = 1};
	int pair[2], status;
	struct buf b;

	start(w, "127.0.0.1", "127.0.0.1", PATIENCE);
	say_initial(w, 'a');
	until(w, has_one_dgram);
	m.slot = w->net[0].slot;
	m.path = w->net[0].got.path;
	lchild_free(&w->listener);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	/* The same port, the same keys. */
	w->ready = false;
	w->nnets = 2;
	assert_int_equal(lchild_new(&w->listener, w->ev,
	    &(struct smsg_linit){.limits = {10, 30, 100, 10, PATIENCE, LOG_L_DEBUG3}}, &w->socks, true,
	    &ops, w), 0);
	w->pid = lchild_pid(w->listener);
	until(w, is_ready);
	assert_int_equal(ipc_pair(pair), 0);
	assert_int_equal(lchild_adopt(w->listener, &m, pair[0]), 0);
	fd_close(&pair[0]);
	assert_int_equal(ipc_new(&n->ipc, w->ev, pair[1], net_rows, 2, n, NULL), 0);
	buf_init(&b, 64);
	assert_int_equal(smsg_put_count(&b, &eight), 0);
	assert_int_equal(ipc_send(n->ipc, LN_NEED_CIDS, &b, NULL, 0), 0);
	buf_free(&b);
	until(w, second_has_cids);
	say_short(w, &w->net[0].cid);
	until(w, second_has_dgram);
	n->dgrams = 0;
	say_short(w, &n->more);
	until(w, second_has_dgram);
}

static void
slow_ones_expire(void **state)
{
	struct world *w = *state;

	start(w, "127.0.0.1", "127.0.0.1", 20 * NS_PER_MS);
	say_initial(w, 'a');
	until(w, has_one_dgram);
	until(w, has_expired);
	/* Gone is gone: the same flow is a new connection. */
	lchild_slot_gone(w->listener, w->net[0].slot);
	say_initial(w, 'a');
	until(w, has_second);
	tell(&w->net[1], LN_VALIDATED, NULL);
}

/* A connection that talks nonsense hurts itself alone. */
static void
nonsense_of_one(void **state)
{
	struct world *w = *state;
	struct buf b;

	start(w, "127.0.0.1", "127.0.0.1", PATIENCE);
	say_initial(w, 'a');
	until(w, has_one_dgram);
	buf_init(&b, 64);
	buf_put_u8(&b, 0xff);
	assert_int_equal(ipc_send(w->net[0].ipc, LN_SEND, &b, NULL, 0), 0);
	buf_free(&b);
	say_initial(w, 'b');
	until(w, has_second);
}

static void
sockets_come_and_go(void **state)
{
	struct world *w = *state;
	struct addr any;

	start(w, "127.0.0.1", "127.0.0.1", PATIENCE);
	assert_int_equal(addr_parse(&any, "127.0.0.1", 0), 0);
	assert_int_equal(sockets_bind(&w->socks, &any, 0), 0);
	w->addr.len = sizeof(w->addr.u);
	assert_int_equal(getsockname(w->socks.v[1].fd, &w->addr.u.sa, &w->addr.len), 0);
	w->socks.v[1].addr = w->addr;
	lchild_add_socket(w->listener, &w->socks.v[1]);
	lchild_drop_socket(w->listener, &w->socks.v[0].addr);
	sockets_drop(&w->socks, &w->socks.v[0]);
	say_initial(w, 'a');
	until(w, has_one_dgram);
	/* One that it does not have is the supervisor's mistake, and its end. */
	assert_int_equal(addr_parse(&any, "192.0.2.9", 9), 0);
	lchild_drop_socket(w->listener, &any);
	until(w, is_gone);
}

static void
it_ends_with_its_supervisor(void **state)
{
	struct world *w = *state;
	int status;

	start(w, "127.0.0.1", "127.0.0.1", PATIENCE);
	lchild_free(&w->listener);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	w->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(ipv4), T(ipv4_wildcard), T(ipv6), T(no_sending_to_strangers),
		T(foreign_reaches_its_owner), T(adoption), T(slow_ones_expire), T(nonsense_of_one),
		T(sockets_come_and_go), T(it_ends_with_its_supervisor),
	};

	log_init("test", LOG_L_QUIET);
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
