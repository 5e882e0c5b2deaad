/* The server's side of the protocol: a client that may do anything with its streams, and a
 * broker that may say anything at any time, in an order that the input chooses.
 *
 * Input: operations, a letter and its arguments each (bytes):
 *   o          opens a bidirectional stream          u          a unidirectional one
 *   s I N ...  sends N bytes on stream I             f I        ends it
 *   r I        resets it                             t I        stops what comes on it
 *   b I        does not read it                      g I        does again
 *   S C        NB_STARTED_PIPES of channel C         P C        NB_STARTED_PTY
 *   X C S      NB_EXIT                               F C        NB_FAILED
 *   w          the children write                    c          they close
 *   .          lets everything happen */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "tests/unit/net_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CLIENT_STREAMS 16
#define CHILDREN 8

struct state {
	struct world *w;
	size_t opened;
	int fds[3 * CHILDREN];
	size_t nfds;
};

static void
open_stream(struct state *st, bool uni)
{
	if (st->opened++ < CLIENT_STREAMS)
		(void)world_open(st->w, uni);
}

static struct wstream *
stream(struct state *st, struct rd *r)
{
	return &st->w->streams[rd_u8(r) % st->w->nstreams];
}

static void
send_bytes(struct state *st, struct rd *r)
{
	struct wstream *s = stream(st, r);
	struct bytes b = rd_bytes(r, rd_u8(r));

	if (r->err == 0 && s->id % 2 == 0)
		world_send(s, b.p, b.n);
}

static void
start(struct state *st, struct rd *r, size_t n)
{
	int ours[3];
	uint64_t chan = rd_u8(r);

	if (st->w->broker == NULL || st->nfds + n > 3 * CHILDREN)
		return;
	for (size_t i = 0; i < n; i++) {
		int sv[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
			abort();
		if (fd_nonblock(sv[0]) < 0)
			abort();
		st->fds[st->nfds++] = sv[0];
		ours[i] = sv[1];
	}
	world_started(st->w, chan, ours, n);
}

static void
children(struct state *st, bool end)
{
	static const char text[5000] = "output";

	for (size_t i = 0; i < st->nfds; i++) {
		if (end)
			fd_close(&st->fds[i]);
		else if (st->fds[i] >= 0 && write(st->fds[i], text, sizeof(text)) < 0)
			continue; /* full, or nobody is there */
	}
}

static void
on_stream(struct state *st, struct rd *r, char op)
{
	struct wstream *s = stream(st, r);

	if (op == 'f' && s->id % 2 == 0)
		world_fin(s);
	else if (op == 'b' || op == 'g')
		s->blocked = op == 'b';
	if (s->s == NULL)
		return;
	if (op == 'r')
		tp_stream_reset(s->s, TP_E_CANCELLED);
	else if (op == 't')
		tp_stream_stop(s->s, TP_E_CANCELLED);
	else if (op == 'g')
		tp_stream_resume(s->s);
}

static void
step(struct state *st, struct rd *r)
{
	char op = (char)rd_u8(r);
	uint8_t chan;

	switch (op) {
	case 'o':
	case 'u':
		open_stream(st, op == 'u');
		break;
	case 's':
		send_bytes(st, r);
		break;
	case 'f':
	case 'r':
	case 't':
	case 'b':
	case 'g':
		on_stream(st, r, op);
		break;
	case 'S':
	case 'P':
		start(st, r, op == 'P' ? 1 : 3);
		break;
	case 'X':
		chan = rd_u8(r);
		if (st->w->broker != NULL)
			world_exit(st->w, chan, rd_u8(r), chan % 2 ? "TERM" : "");
		break;
	case 'F':
		chan = rd_u8(r);
		if (st->w->broker != NULL)
			world_failed(st->w, chan, "no");
		break;
	case 'w':
	case 'c':
		children(st, op == 'c');
		break;
	case '.':
		world_run(st->w);
		break;
	default:
		break;
	}
}

static int
lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int before = lowest_fd();
	struct state st = {.w = world_new()};
	struct rd r;

	(void)signal(SIGPIPE, SIG_IGN);
	log_init("fuzz", LOG_L_QUIET);
	st.w->client_limits.max_uni = 2 + n % 8;
	world_start(st.w);
	world_auth(st.w);
	world_run(st.w);
	rd_init(&r, p, n);
	while (r.n > 0 && r.err == 0 && !st.w->client_closed && st.w->nstreams > 0)
		step(&st, &r);
	world_run(st.w);
	children(&st, true);
	world_run(st.w);
	world_free(&st.w);
	if (lowest_fd() != before)
		abort();
	return 0;
}
