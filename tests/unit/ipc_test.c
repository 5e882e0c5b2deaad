#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"

enum { T_HELLO = 1, T_ONCE, T_LATE, T_FDS, T_FREE, T_FAIL, T_BIG, T_CALL, T_ANSWER, T_NESTED };

/* One end with the table below, and the raw socket of its peer. */
struct end {
	struct ev *ev;
	struct ipc *ipc;
	int raw;
	char got[512]; /* a letter a message */
	size_t n;
	int closed; /* how often */
	int err;
	size_t big;
	int kept_fd;
	int nested;
	struct ev_timer *deadline;
};

static char last_log[512];

static void
on_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	snprintf(last_log, sizeof(last_log), "%s", line);
}

static void
note(struct end *e, char c)
{
	if (e->n + 1 < sizeof(e->got))
		e->got[e->n++] = c;
}

static int
on_hello(void *ctx, struct rd *body, int *fds)
{
	struct end *e = ctx;

	(void)fds;
	note(e, (char)rd_u8(body));
	return rd_end(body);
}

static int
on_once(void *ctx, struct rd *body, int *fds)
{
	(void)body;
	(void)fds;
	note(ctx, 'o');
	return 0;
}

static int
on_fds(void *ctx, struct rd *body, int *fds)
{
	struct end *e = ctx;

	(void)body;
	note(e, 'f');
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
	e->kept_fd = fds[0];
	fds[0] = -1;
	return 0;
}

static int
on_free(void *ctx, struct rd *body, int *fds)
{
	struct end *e = ctx;

	(void)fds;
	ipc_free(&e->ipc);
	note(e, (char)rd_u8(body)); /* the body is still there */
	return QERR_DENIED;
}

static int
on_fail(void *ctx, struct rd *body, int *fds)
{
	(void)body;
	(void)fds;
	note(ctx, 'x');
	return QERR_AGAIN; /* means no more than another error */
}

static int
on_big(void *ctx, struct rd *body, int *fds)
{
	struct end *e = ctx;
	struct bytes b = rd_bytes(body, body->n);

	(void)fds;
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] != (uint8_t)(i * 7))
			return QERR_FORMAT;
	e->big = b.n;
	return 0;
}

static int
on_nested(void *ctx, struct rd *body, int *fds)
{
	struct end *e = ctx;
	struct buf out;

	(void)fds;
	buf_init(&out, 100);
	e->nested = ipc_call(e->ipc, T_CALL, NULL, T_ANSWER, &out, NS_PER_S);
	buf_free(&out);
	note(e, (char)rd_u8(body)); /* not overwritten by the answer */
	return 0;
}

static const struct ipc_row rows[] = {
	{T_HELLO, "HELLO", 3, 0, 0, on_hello},
	{T_ONCE, "ONCE", 3, 1, 0, on_once},
	{T_LATE, "LATE", 2, 0, 0, on_once},
	{T_FDS, "FDS", 1, 0, 2, on_fds},
	{T_FREE, "FREE", 1, 0, 0, on_free},
	{T_FAIL, "FAIL", 1, 0, 0, on_fail},
	{T_BIG, "BIG", 1, 0, 0, on_big},
	{T_ANSWER, "ANSWER", 1, 1, 0, NULL},
	{T_NESTED, "NESTED", 1, 0, 0, on_nested},
};

static void
on_closed(void *ctx, int err)
{
	struct end *e = ctx;

	e->closed++;
	e->err = err;
	ev_stop(e->ev);
}

static void
on_deadline(void *arg)
{
	struct end *e = arg;

	ev_stop(e->ev);
	note(e, '!');
}

static void
end_init(struct end *e)
{
	int fds[2];

	memset(e, 0, sizeof(*e));
	last_log[0] = '\0';
	e->kept_fd = -1;
	assert_int_equal(ev_new(&e->ev), 0);
	assert_int_equal(ipc_pair(fds), 0);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	e->raw = fds[1];
	assert_int_equal(ev_timer_new(&e->deadline, e->ev, on_deadline, e), 0);
	ev_timer_at(e->deadline, ev_now(e->ev) + 10 * NS_PER_S);
	assert_int_equal(ipc_new(&e->ipc, e->ev, fds[0], rows, sizeof(rows) / sizeof(rows[0]), e,
	    on_closed), 0);
}

static void
end_free(struct end *e)
{
	if (e->raw >= 0)
		close(e->raw);
	if (e->kept_fd >= 0)
		close(e->kept_fd);
	ipc_free(&e->ipc);
	ev_timer_free(&e->deadline);
	ev_free(&e->ev);
}

static void
raw_send(struct end *e, const char *p, size_t n)
{
	assert_int_equal(send(e->raw, p, n, 0), n);
}

static void
raw_send_fds(struct end *e, const char *p, size_t n, size_t nfds)
{
	int fd = STDERR_FILENO;
	struct iovec iov = {NULL, n};
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(16 * sizeof(int))];
	} c;
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.space,
	    .msg_controllen = CMSG_SPACE(nfds * sizeof(int))};
	struct cmsghdr *cm = &c.align;

	memset(&c, 0, sizeof(c));
	memcpy(&iov.iov_base, &p, sizeof(p));
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	for (size_t i = 0; i < nfds; i++)
		memcpy(CMSG_DATA(cm) + i * sizeof(int), &fd, sizeof(int));
	assert_int_equal(sendmsg(e->raw, &mh, 0), n);
}

static size_t
open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

/* Runs until the peer's end is taken as closed. */
static void
run_to_end(struct end *e)
{
	close(e->raw);
	e->raw = -1;
	assert_int_equal(ev_run(e->ev), 0);
	assert_null(strchr(e->got, '!'));
}

static void
messages_arrive_in_order(void **state)
{
	struct end e;

	(void)state;
	end_init(&e);
	for (char c = 'a'; c <= 'z'; c++)
		raw_send(&e, (char[]){0, T_HELLO, c}, 3);
	raw_send(&e, "\0\2", 2);
	run_to_end(&e);
	assert_string_equal(e.got, "abcdefghijklmnopqrstuvwxyzo");
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.err, 0);
	assert_int_equal(ipc_fd(e.ipc), -1);
	assert_int_equal(ipc_send(e.ipc, T_HELLO, NULL, NULL, 0), QERR_CLOSED);
	assert_int_equal(ipc_recv_one(e.ipc, 0), QERR_CLOSED);
	end_free(&e);
}

struct bad {
	const char *bytes;
	size_t n;
	int err;
	const char *log;
};

/* Each ends the channel with its error, and the log names the message. */
static void
bad_messages_end_the_channel(void **state)
{
	static const struct bad bad[] = {
		{"\0", 1, QERR_TRUNC, "truncated"},
		{"\0\x63", 2, QERR_UNKNOWN, "type 99"},
		{"\1\1x", 3, QERR_UNKNOWN, "type 257"},
		{"\0\3", 2, QERR_PHASE, "LATE"},
		{"\0\1", 2, QERR_TRUNC, "HELLO"},
		{"\0\1xy", 4, QERR_FORMAT, "HELLO"},
		{"\0\4", 2, QERR_PROTO, "FDS"},
		{"\0\6", 2, QERR_AGAIN, "FAIL"},
		{"\0\x9", 2, QERR_PHASE, "ANSWER"},
	};
	struct end e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		end_init(&e);
		raw_send(&e, bad[i].bytes, bad[i].n);
		raw_send(&e, "\0\1n", 3); /* not handled any more */
		assert_int_equal(ev_run(e.ev), 0);
		assert_int_equal(e.closed, 1);
		assert_int_equal(e.err, bad[i].err);
		assert_null(strchr(e.got, 'n'));
		assert_non_null(strstr(last_log, bad[i].log));
		end_free(&e);
	}
}

static void
once_is_once(void **state)
{
	struct end e;

	(void)state;
	end_init(&e);
	raw_send(&e, "\0\2", 2);
	raw_send(&e, "\0\2", 2);
	assert_int_equal(ev_run(e.ev), 0);
	assert_string_equal(e.got, "o");
	assert_int_equal(e.err, QERR_PROTO);
	assert_non_null(strstr(last_log, "ONCE"));
	assert_non_null(strstr(last_log, "repeated"));
	end_free(&e);
}

static void
phase_permits(void **state)
{
	struct end e;

	(void)state;
	end_init(&e);
	ipc_set_phase(e.ipc, 2);
	raw_send(&e, "\0\3", 2);
	raw_send(&e, "\0\1a", 3);
	run_to_end(&e);
	assert_string_equal(e.got, "oa");
	assert_int_equal(e.err, 0);
	end_free(&e);
}

static void
descriptors_are_the_handlers_or_closed(void **state)
{
	struct stat a, b;
	struct end e;
	size_t before;

	(void)state;
	end_init(&e);
	before = open_fds();
	raw_send_fds(&e, "\0\4", 2, 2);
	assert_int_equal(ipc_recv_one(e.ipc, NS_PER_S), 0);
	assert_string_equal(e.got, "f");
	assert_int_equal(fstat(STDERR_FILENO, &a), 0);
	assert_int_equal(fstat(e.kept_fd, &b), 0);
	assert_true(a.st_ino == b.st_ino);
	assert_int_equal(open_fds(), before + 1);
	end_free(&e);
}

static void
unexpected_descriptors_are_closed(void **state)
{
	static const size_t counts[] = {1, 3, 8, 9, 12};
	struct end e;
	size_t before;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		end_init(&e);
		before = open_fds();
		raw_send_fds(&e, "\0\1a", 3, counts[i]);
		assert_int_equal(ipc_recv_one(e.ipc, NS_PER_S),
		    counts[i] <= IPC_FDS_MAX ? QERR_PROTO : QERR_TOOBIG);
		assert_int_equal(open_fds(), before);
		assert_int_equal(e.n, 0);
		end_free(&e);
	}
}

static void
handler_may_free_the_channel(void **state)
{
	struct end e;

	(void)state;
	end_init(&e);
	raw_send(&e, "\0\5q", 3);
	raw_send(&e, "\0\1n", 3);
	assert_int_equal(ipc_recv_one(e.ipc, NS_PER_S), QERR_DENIED);
	assert_null(e.ipc);
	assert_string_equal(e.got, "q");
	assert_int_equal(e.closed, 0);
	end_free(&e);
	end_init(&e);
	raw_send(&e, "\0\5q", 3);
	ev_timer_at(e.deadline, ev_now(e.ev) + 20 * NS_PER_MS);
	assert_int_equal(ev_run(e.ev), 0);
	assert_null(e.ipc);
	assert_string_equal(e.got, "q!");
	end_free(&e);
}

static void
fill(struct buf *b, size_t n)
{
	buf_init(b, n);
	for (size_t i = 0; i < n; i++)
		buf_put_u8(b, (uint8_t)(i * 7));
}

static struct ipc *
other_end(struct end *e)
{
	struct ipc *ipc;

	assert_int_equal(ipc_new(&ipc, NULL, e->raw, NULL, 0, NULL, NULL), 0);
	e->raw = -1;
	return ipc;
}

/* The largest message, as often as given, without and with a loop that reads. */
static void
largest(void)
{
	struct buf b, over;
	struct ipc *peer;
	struct end e;

	end_init(&e);
	peer = other_end(&e);
	fill(&b, IPC_BODY_MAX);
	fill(&over, IPC_BODY_MAX + 1);
	assert_int_equal(ipc_send(peer, T_BIG, &over, NULL, 0), QERR_TOOBIG);
	for (int i = 0; i < 5; i++) {
		e.big = 0;
		assert_int_equal(ipc_send(peer, T_BIG, &b, NULL, 0), 0);
		assert_int_equal(ipc_recv_one(e.ipc, NS_PER_S), 0);
		assert_int_equal(e.big, IPC_BODY_MAX);
	}
	ipc_free(&peer);
	buf_free(&b);
	buf_free(&over);
	end_free(&e);
}

static void
largest_message_passes(void **state)
{
	(void)state;
	largest();
}

static void
largest_message_passes_for_an_ordinary_user(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip(); /* the test above is this one */
	if ((pid = fork()) == 0) {
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(2);
		largest();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
larger_than_the_largest_is_refused(void **state)
{
	char *p = calloc(1, IPC_BODY_MAX + 3);
	struct end e;

	(void)state;
	assert_non_null(p);
	end_init(&e);
	p[1] = T_BIG;
	assert_int_equal(send(e.raw, p, IPC_BODY_MAX + 3, 0), IPC_BODY_MAX + 3);
	assert_int_equal(ipc_recv_one(e.ipc, NS_PER_S), QERR_TOOBIG);
	free(p);
	end_free(&e);
}

/* ---- a socket that is full ---- */

static void
queue_is_sent_when_there_is_room(void **state)
{
	struct end a, b;
	struct buf body;
	int fds[2], sent = 0, r;
	char letter;

	(void)state;
	end_init(&a);
	end_init(&b);
	/* b's channel becomes a's peer */
	ipc_free(&b.ipc);
	assert_int_equal(ipc_new(&b.ipc, a.ev, a.raw, rows, sizeof(rows) / sizeof(rows[0]), &b,
	    on_closed), 0);
	a.raw = -1;
	buf_init(&body, 100);
	do {
		letter = (char)('a' + sent % 26);
		buf_reset(&body);
		buf_put_u8(&body, (uint8_t)letter);
		r = ipc_try_send(a.ipc, T_HELLO, &body, NULL, 0);
		if (r == 0)
			sent++;
	} while (r == 0);
	assert_int_equal(r, QERR_AGAIN);
	buf_reset(&body);
	buf_put_u8(&body, '+');
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(ipc_send(a.ipc, T_HELLO, &body, NULL, 0), 0);
	assert_int_equal(ipc_send(a.ipc, T_FDS, NULL, fds, 2), 0);
	assert_int_equal(ipc_try_send(a.ipc, T_HELLO, &body, NULL, 0), QERR_AGAIN);
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < sent + 1; i++) {
		b.n = 0;
		assert_int_equal(ipc_recv_one(b.ipc, NS_PER_S), 0);
		if (i < sent) {
			assert_int_equal(b.got[0], 'a' + i % 26);
		}
		if (i == sent - 1) {
			/* nothing more until a's loop has sent its queue */
			assert_int_equal(ipc_recv_one(b.ipc, 0), QERR_TIMEOUT);
			ev_timer_at(a.deadline, ev_now(a.ev) + 20 * NS_PER_MS);
			b.n = 0;
			assert_int_equal(ev_run(a.ev), 0);
			break;
		}
	}
	assert_int_equal(b.n, 2);
	assert_memory_equal(b.got, "+f", 2);
	assert_true(b.kept_fd >= 0);
	buf_free(&body);
	ipc_free(&b.ipc);
	end_free(&b);
	end_free(&a);
}

static void
queue_is_bounded(void **state)
{
	struct buf body;
	struct end e;
	size_t n = 0;
	int r;

	(void)state;
	end_init(&e);
	fill(&body, 64 * 1024);
	while ((r = ipc_send(e.ipc, T_BIG, &body, NULL, 0)) == 0)
		n += buf_len(&body);
	assert_int_equal(r, QERR_TOOBIG);
	assert_true(n > 3 * 1024 * 1024 && n < 6 * 1024 * 1024);
	buf_free(&body);
	end_free(&e);
}

/* ---- calls ---- */

static void
call_returns_the_answer_and_keeps_the_rest(void **state)
{
	struct buf out, body;
	char sent[8];
	struct end e;

	(void)state;
	end_init(&e);
	buf_init(&out, 100);
	buf_init(&body, 100);
	buf_put(&body, "hi", 2);
	raw_send(&e, "\0\1a", 3);
	raw_send_fds(&e, "\0\4", 2, 2);
	raw_send(&e, "\0\x9" "42", 4);
	raw_send(&e, "\0\1b", 3);
	assert_int_equal(ipc_call(e.ipc, T_CALL, &body, T_ANSWER, &out, NS_PER_S), 0);
	assert_int_equal(buf_len(&out), 2);
	assert_memory_equal(buf_data(&out), "42", 2);
	assert_int_equal(e.n, 0); /* no handler ran inside the call */
	assert_int_equal(recv(e.raw, sent, sizeof(sent), 0), 4);
	assert_memory_equal(sent, "\0\x8hi", 4);
	run_to_end(&e);
	assert_string_equal(e.got, "afb");
	assert_true(e.kept_fd >= 0);
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.err, 0);
	buf_free(&out);
	buf_free(&body);
	end_free(&e);
}

static void
kept_messages_are_handled_without_further_input(void **state)
{
	struct buf out;
	struct end e;

	(void)state;
	end_init(&e);
	buf_init(&out, 100);
	for (char c = 'a'; c <= 'z'; c++)
		raw_send(&e, (char[]){0, T_HELLO, c}, 3);
	raw_send(&e, "\0\x9", 2);
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, T_ANSWER, &out, NS_PER_S), 0);
	ev_timer_at(e.deadline, ev_now(e.ev) + 20 * NS_PER_MS);
	assert_int_equal(ev_run(e.ev), 0);
	assert_string_equal(e.got, "abcdefghijklmnopqrstuvwxyz!");
	buf_free(&out);
	end_free(&e);
}

static void
call_times_out(void **state)
{
	uint64_t start = clock_mono();
	struct buf out;
	struct end e;

	(void)state;
	end_init(&e);
	buf_init(&out, 100);
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, T_ANSWER, &out, 20 * NS_PER_MS),
	    QERR_TIMEOUT);
	assert_true(clock_mono() - start >= 20 * NS_PER_MS);
	assert_int_equal(ipc_recv_one(e.ipc, NS_PER_MS), QERR_TIMEOUT);
	end_free(&e);
}

static void
call_sees_the_end_after_keeping(void **state)
{
	struct buf out;
	struct end e;

	(void)state;
	end_init(&e);
	buf_init(&out, 100);
	raw_send(&e, "\0\1a", 3);
	shutdown(e.raw, SHUT_WR);
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, T_ANSWER, &out, NS_PER_S), QERR_CLOSED);
	assert_int_equal(e.closed, 0);
	assert_int_equal(ipc_send(e.ipc, T_HELLO, NULL, NULL, 0), QERR_CLOSED);
	assert_int_equal(ev_run(e.ev), 0);
	assert_string_equal(e.got, "a");
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.err, 0);
	end_free(&e);
}

static void
answer_obeys_its_row(void **state)
{
	struct buf out;
	struct end e;
	size_t before;

	(void)state;
	end_init(&e);
	buf_init(&out, 2);
	raw_send(&e, "\0\x9", 2);
	raw_send(&e, "\0\x9", 2);
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, T_ANSWER, &out, NS_PER_S), 0);
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, T_ANSWER, &out, NS_PER_S), QERR_PROTO);
	end_free(&e);
	end_init(&e);
	before = open_fds();
	raw_send_fds(&e, "\0\x9", 2, 1);
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, T_ANSWER, &out, NS_PER_S), QERR_PROTO);
	assert_int_equal(open_fds(), before);
	end_free(&e);
	end_init(&e);
	raw_send(&e, "\0\x9xyz", 5); /* more than out takes */
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, T_ANSWER, &out, NS_PER_S), QERR_TOOBIG);
	buf_free(&out);
	end_free(&e);
	end_init(&e);
	raw_send(&e, "\0\x30", 2); /* an answer that the table does not know */
	assert_int_equal(ipc_call(e.ipc, T_CALL, NULL, 0x30, &out, NS_PER_S), 0);
	buf_free(&out);
	end_free(&e);
}

static void
handler_may_call(void **state)
{
	struct end e;

	(void)state;
	end_init(&e);
	raw_send(&e, "\0\xak", 3);
	raw_send(&e, "\0\1a", 3);
	raw_send(&e, "\0\x9zzz", 5);
	assert_int_equal(ipc_recv_one(e.ipc, NS_PER_S), 0);
	assert_int_equal(e.nested, 0);
	assert_string_equal(e.got, "k");
	run_to_end(&e);
	assert_string_equal(e.got, "ka");
	end_free(&e);
}

static void
what_the_peer_sent_before_it_left_is_read(void **state)
{
	struct end e;

	(void)state;
	end_init(&e);
	raw_send(&e, "\0\1a", 3);
	close(e.raw);
	e.raw = -1;
	assert_int_equal(ipc_send(e.ipc, T_HELLO, NULL, NULL, 0), QERR_CLOSED);
	assert_int_equal(ev_run(e.ev), 0);
	assert_string_equal(e.got, "a");
	assert_int_equal(e.closed, 1);
	assert_int_equal(e.err, 0);
	end_free(&e);
}

static void
failed_new_closes_the_descriptor(void **state)
{
	struct ev *ev;
	struct ipc *ipc;
	int fds[2];

	(void)state;
	assert_int_equal(ipc_new(&ipc, NULL, -1, NULL, 0, NULL, NULL), QERR_SYS);
	assert_null(ipc);
	assert_int_equal(ev_new_virtual(&ev, 0), 0);
	assert_int_equal(ipc_pair(fds), 0);
	assert_int_equal(ipc_new(&ipc, ev, fds[0], NULL, 0, NULL, NULL), QERR_INVAL);
	assert_null(ipc);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	close(fds[1]);
	ev_free(&ev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_in_order),
		cmocka_unit_test(bad_messages_end_the_channel),
		cmocka_unit_test(once_is_once),
		cmocka_unit_test(phase_permits),
		cmocka_unit_test(descriptors_are_the_handlers_or_closed),
		cmocka_unit_test(unexpected_descriptors_are_closed),
		cmocka_unit_test(handler_may_free_the_channel),
		cmocka_unit_test(largest_message_passes),
		cmocka_unit_test(largest_message_passes_for_an_ordinary_user),
		cmocka_unit_test(larger_than_the_largest_is_refused),
		cmocka_unit_test(queue_is_sent_when_there_is_room),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(call_returns_the_answer_and_keeps_the_rest),
		cmocka_unit_test(kept_messages_are_handled_without_further_input),
		cmocka_unit_test(call_times_out),
		cmocka_unit_test(call_sees_the_end_after_keeping),
		cmocka_unit_test(answer_obeys_its_row),
		cmocka_unit_test(handler_may_call),
		cmocka_unit_test(what_the_peer_sent_before_it_left_is_read),
		cmocka_unit_test(failed_new_closes_the_descriptor),
	};

	log_to_sink(on_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
