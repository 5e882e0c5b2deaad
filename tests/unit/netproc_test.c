/* The program qshd-net itself, in its sandbox, over QUIC on loopback. The test is the other
 * roles and the client. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "server/ipc/udpsock.h"
#include "tests/unit/net_world.h"

#define PROGRAM "./qshd-net"
#define MIB (1024 * 1024)

struct proc {
	struct world *w;
	int front; /* the unconnected socket that a listener would read */
	struct ev_io *front_io;
	struct addr local;
	pid_t pid;
	int status;
	bool exited;
};

static pid_t
spawn(int channel)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(channel, 3) < 0)
			_exit(126);
		fd_closefrom(4);
		execl(PROGRAM, "qshd-net", "[net]", (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* The connection IDs of a first packet (RFC 9000 section 17.2). */
static void
parse_initial(const uint8_t *p, size_t n, struct smsg_admit *a)
{
	struct bytes dcid, scid;
	struct rd r;

	rd_init(&r, p, n);
	assert_true((rd_u8(&r) & 0x80) != 0);
	a->version = rd_u32(&r);
	dcid = rd_bytes(&r, rd_u8(&r));
	scid = rd_bytes(&r, rd_u8(&r));
	assert_int_equal(r.err, 0);
	a->odcid.len = (uint8_t)dcid.n;
	memcpy(a->odcid.id, dcid.p, dcid.n);
	a->client_scid.len = (uint8_t)scid.n;
	memcpy(a->client_scid.id, scid.p, scid.n);
}

static void
send_dgram(struct world *w, const struct tp_path *path, const uint8_t *p, size_t n)
{
	struct smsg_dgram m = {.path = *path, .data = {p, n}};
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_dgram(&b, &m), 0);
	assert_int_equal(ipc_send(w->listener, LN_DGRAM, &b, NULL, 0), 0);
	buf_free(&b);
}

static void
send_init(struct world *w, const struct tp_path *path, const uint8_t *p, size_t n, int listener_fd)
{
	struct quic_cid cids[4];
	char dir[] = "";
	struct smsg_ninit m = {.log_level = 7, .chroot_dir = dir, .buffer = 64 << 20};
	struct buf b;

	parse_initial(p, n, &m.admit);
	for (size_t i = 0; i < 4; i++) {
		cids[i].len = QUIC_CID_LEN;
		randombytes_buf(cids[i].id, sizeof(cids[i].id));
		randombytes_buf(cids[i].reset, sizeof(cids[i].reset));
	}
	m.admit.path = *path;
	m.admit.steered = w->steered;
	m.admit.cids.v = cids;
	m.admit.cids.n = 4;
	memcpy(m.host_pk, w->host_sk + 32, 32);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_ninit(&b, &m), 0);
	assert_int_equal(ipc_send(w->monitor, MN_INIT, &b, &listener_fd, 1), 0);
	buf_free(&b);
}

static void
start_net(struct proc *pr, const struct tp_path *path, const uint8_t *p, size_t n)
{
	struct smsg_path sp = {.path = *path};
	struct world *w = pr->w;
	int mn[2], ln[2], fd;
	struct buf b;

	assert_int_equal(ipc_pair(mn), 0);
	assert_int_equal(ipc_pair(ln), 0);
	pr->pid = spawn(mn[0]);
	close(mn[0]);
	world_roles(w, mn[1], ln[1]);
	send_init(w, path, p, n, ln[0]);
	close(ln[0]);
	if (!w->steered) {
		fd = udpsock_connected(path);
		assert_true(fd >= 0);
		buf_init(&b, IPC_BODY_MAX);
		assert_int_equal(smsg_put_path(&b, &sp), 0);
		assert_int_equal(ipc_send(w->monitor, MN_SOCKET, &b, &fd, 1), 0);
		buf_free(&b);
		close(fd);
	}
	assert_int_equal(ipc_send(w->monitor, MN_GO, NULL, NULL, 0), 0);
}

static void
on_front(void *arg, int fd, unsigned what)
{
	struct proc *pr = arg;
	uint8_t p[65536];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct tp_path path = {.local = pr->local};
	ssize_t n = recvfrom(fd, p, sizeof(p), 0, (struct sockaddr *)&ss, &len);

	(void)what;
	if (n <= 0)
		return;
	assert_int_equal(addr_from_sa(&path.remote, (struct sockaddr *)&ss, len), 0);
	if (pr->pid == 0)
		start_net(pr, &path, p, (size_t)n);
	send_dgram(pr->w, &path, p, (size_t)n);
}

static void
free_proc(struct world *w)
{
	struct proc *pr = w->start_arg;

	ev_io_free(&pr->front_io);
	fd_close(&pr->front);
	if (pr->pid > 0 && !pr->exited) {
		(void)kill(pr->pid, SIGKILL);
		(void)waitpid(pr->pid, &pr->status, 0);
	}
	free(pr);
}

static void
start_proc(struct world *w)
{
	struct proc *pr = calloc(1, sizeof(*pr));
	struct quic_client_cfg cfg = {0};
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	static const struct tp_conn_ops none = {0};
	uint8_t pk[32];

	assert_non_null(pr);
	pr->w = w;
	w->start_arg = pr;
	w->free_net = free_proc;
	assert_int_equal(crypto_sign_keypair(pk, w->host_sk), 0);
	assert_int_equal(addr_parse(&pr->local, "127.0.0.1", 0), 0);
	pr->front = udpsock_listen(&pr->local);
	assert_true(pr->front >= 0);
	assert_int_equal(getsockname(pr->front, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(addr_from_sa(&pr->local, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(ev_io_new(&pr->front_io, w->ev, pr->front, EV_RD, on_front, pr), 0);
	cfg.remote = pr->local;
	quic_limits_client(&cfg.limits);
	assert_int_equal(quic_client_new(&w->client, w->ev, &cfg, &none, NULL), 0);
	world_client(w);
}

static bool
exited(void *arg)
{
	struct proc *pr = ((struct world *)arg)->start_arg;

	if (!pr->exited && waitpid(pr->pid, &pr->status, WNOHANG) == pr->pid)
		pr->exited = true;
	return pr->exited;
}

static bool
ready(void *arg)
{
	struct world *w = arg;

	return w->client_ready || w->client_closed;
}

static bool
started(void *arg)
{
	return ((struct world *)arg)->seen[NB_START].count > 0;
}

static bool
logged(void *arg)
{
	return ((struct world *)arg)->seen[MN_CLOSED].count > 0;
}

struct echo {
	struct world *w;
	uint64_t chan;
	struct wstream *out, *err;
};

static bool
have_outputs(void *arg)
{
	struct echo *e = arg;

	if (e->out == NULL)
		e->out = world_output(e->w, e->chan, WIRE_DATA_OUT);
	if (e->err == NULL)
		e->err = world_output(e->w, e->chan, WIRE_DATA_ERR);
	return e->out != NULL && e->err != NULL;
}

static bool
echoed(void *arg)
{
	struct echo *e = arg;

	return have_outputs(e) && e->out->fin && e->err->fin;
}

static struct wstream *
login(struct world *w)
{
	struct wstream *s;

	start_proc(w);
	assert_true(loop_until(w->ev, ready, w));
	assert_false(w->client_closed);
	world_auth(w);
	s = world_session(w);
	world_exec(s, "x");
	return s;
}

static void
run_megabyte(struct world *w)
{
	struct wstream *s = login(w), *in;
	struct echo e = {.w = w, .chan = s->id};
	uint8_t *data = malloc(MIB);
	int status;
	pid_t pid;

	assert_non_null(data);
	randombytes_buf(data, MIB);
	in = world_input(w, s->id);
	world_send(in, data, MIB);
	world_fin(in);
	assert_true(loop_until(w->ev, started, w));
	pid = world_tee(w, s->id);
	assert_true(loop_until(w->ev, echoed, &e));
	assert_int_equal(buf_len(&e.out->got), MIB);
	assert_int_equal(buf_len(&e.err->got), MIB);
	assert_memory_equal(buf_data(&e.out->got), data, MIB);
	assert_memory_equal(buf_data(&e.err->got), data, MIB);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(data);
}

static void
expect_end(struct world *w, const char *text)
{
	struct proc *pr = w->start_arg;
	struct smsg_text m;
	struct rd r;

	assert_true(loop_until(w->ev, exited, w));
	assert_true(loop_until(w->ev, logged, w));
	assert_true(WIFEXITED(pr->status));
	assert_int_equal(WEXITSTATUS(pr->status), 0);
	rd_init(&r, buf_data(&w->seen[MN_CLOSED].body), buf_len(&w->seen[MN_CLOSED].body));
	assert_int_equal(smsg_get_text(&r, &m), 0);
	assert_string_equal(m.text, text);
	smsg_free_text(&m);
}

static void
megabyte_on_three_streams(void **state)
{
	struct world *w = *state;

	run_megabyte(w);
	assert_int_equal(w->seen[MN_VALIDATED].count, 1);
	assert_int_equal(w->seen[LN_VALIDATED].count, 1);
	tp_conn_close(w->client, TP_OK, "done");
	expect_end(w, "by the client: done (code 0, orderly end)");
}

static void
refused_user(void **state)
{
	struct world *w = *state;

	w->answers[0] = SMSG_AUTH_END;
	(void)login(w);
	expect_end(w, "by the server: Too many authentication failures (code 4, authentication failed)");
	assert_true(w->client_closed);
	assert_int_equal(w->why.code, TP_E_AUTH);
}

static void
monitor_gone(void **state)
{
	struct world *w = *state;
	struct proc *pr;

	(void)login(w);
	assert_true(loop_until(w->ev, started, w));
	ipc_free(&w->monitor);
	assert_true(loop_until(w->ev, exited, w));
	pr = w->start_arg;
	assert_true(WIFEXITED(pr->status));
	assert_int_equal(WEXITSTATUS(pr->status), 1);
}

static int
setup(void **state)
{
	*state = world_new();
	return 0;
}

static int
teardown(void **state)
{
	world_free((struct world **)state);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		T(megabyte_on_three_streams),
		T(refused_user),
		T(monitor_gone),
	};

	if (access(PROGRAM, X_OK) < 0) {
		print_message("%s is not here: skipped\n", PROGRAM);
		return 77;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (quic_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
