/* The dispatcher of the channels between processes. The input is a row of datagrams: a byte with
 * the number of descriptors (low 4 bits) and flags (16: a call is made first), two bytes length, bytes. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct state {
	struct ev *ev;
	struct ipc *ipc;
	bool closed;
};

static int
on_body(void *ctx, struct rd *body, int *fds)
{
	(void)ctx;
	(void)fds;
	rd_str(body, 100);
	return rd_end(body);
}

static int
on_keep(void *ctx, struct rd *body, int *fds)
{
	struct state *s = ctx;

	(void)body;
	if (fcntl(fds[0], F_GETFD) == -1 || fcntl(fds[1], F_GETFD) == -1)
		abort();
	ipc_set_phase(s->ipc, 2);
	return 0;
}

static int
on_free(void *ctx, struct rd *body, int *fds)
{
	struct state *s = ctx;

	(void)fds;
	ipc_free(&s->ipc);
	rd_u8(body);
	return 0;
}

static int
on_call(void *ctx, struct rd *body, int *fds)
{
	struct state *s = ctx;
	struct buf out;

	(void)fds;
	buf_init(&out, 100);
	ipc_call(s->ipc, 7, NULL, 6, &out, 0);
	buf_free(&out);
	rd_str(body, 100);
	return 0;
}

static const struct ipc_row rows[] = {
	{1, "BODY", 3, 0, 0, on_body},
	{2, "KEEP", 1, 0, 2, on_keep},
	{3, "FREE", 3, 0, 0, on_free},
	{4, "LATE", 2, 0, 0, on_body},
	{5, "ONCE", 3, 1, 0, on_body},
	{6, "ANSWER", 3, 0, 0, NULL},
	{8, "CALL", 3, 0, 0, on_call},
};

static void
on_closed(void *ctx, int err)
{
	struct state *s = ctx;

	if (s->closed || err > 0)
		abort();
	s->closed = true;
}

static void
on_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static void
send_one(int fd, const uint8_t *p, size_t n, size_t nfds)
{
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(15 * sizeof(int))];
	} c;
	struct iovec iov = {NULL, n};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;

	memcpy(&iov.iov_base, &p, sizeof(p));
	if (nfds > 0) {
		memset(&c, 0, sizeof(c));
		mh.msg_control = c.space;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (size_t i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(cm) + i * sizeof(int), &fd, sizeof(int));
	}
	sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Messages up to the next that asks for a call. */
static void
feed(struct rd *r, int fd, bool *call)
{
	struct bytes b;
	uint8_t how;

	*call = false;
	while (r->err == 0 && r->n > 0 && !*call) {
		how = rd_u8(r);
		b = rd_bytes(r, rd_u16(r) % 300);
		*call = (how & 16) != 0;
		send_one(fd, b.p, b.n, how & 15);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct state s = {NULL, NULL, false};
	struct buf out;
	struct rd r;
	int fds[2], before, after;
	bool call;

	log_to_sink(on_log, NULL);
	if ((before = dup(0)) == -1)
		return 0;
	close(before);
	if (ev_new(&s.ev) != 0 || ipc_pair(fds) != 0)
		abort();
	if (ipc_new(&s.ipc, s.ev, fds[0], rows, sizeof(rows) / sizeof(rows[0]), &s, on_closed) != 0)
		abort();
	rd_init(&r, p, n);
	buf_init(&out, 1000);
	while (r.err == 0 && r.n > 0 && s.ipc != NULL && !s.closed) {
		feed(&r, fds[1], &call);
		if (call) {
			ipc_call(s.ipc, 7, NULL, 6, &out, 0);
			buf_reset(&out);
		}
		while (s.ipc != NULL && ipc_recv_one(s.ipc, 0) == 0)
			;
	}
	close(fds[1]);
	if (s.ipc != NULL && !s.closed && ev_run(s.ev) != 0)
		abort();
	if (s.ipc != NULL && !s.closed)
		abort(); /* the end must have been told */
	ipc_free(&s.ipc);
	ev_free(&s.ev);
	buf_free(&out);
	if ((after = dup(0)) != before) /* the lowest free one: all were closed */
		abort();
	close(after);
	return 0;
}
