/* The client's side of the protocol against a server that may send anything, on any stream, in any order.
 *
 * Input: a byte of settings (1: with a terminal), then operations, a letter and its arguments each:
 *   c N ...    N bytes on the control stream       s N ...    on the session's stream
 *   i          the end of the session's stream     j          the end of the control stream
 *   u          opens a unidirectional stream       w I N ...  N bytes on the I-th of them
 *   f I        ends it                             r I        resets it
 *   t I        stops the client's I-th stream      .          lets everything happen */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/auth.h"
#include "client/incoming.h"
#include "client/session.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "tests/unit/fake_transport.h"
#include "tests/unit/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define STREAMS 8

struct world {
	struct ev *ev;
	struct tp_conn *client, *server;
	struct tp_stream *theirs[STREAMS], *ours[STREAMS]; /* at the server: the client's, its own */
	size_t ntheirs, nours;
	struct cconf conf;
	struct plan plan;
	struct stdio io;
	struct keyring keys;
	struct pubkey hostkey;
	struct auth *auth;
	struct incoming *incoming;
	struct session *session;
	bool closed;
};

/* ---- the server ------------------------------------------------------------------------- */

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	(void)arg, (void)s, (void)p, (void)fin;
	return n;
}

static void
on_closed(void *arg, struct tp_stream *s)
{
	struct world *w = arg;

	for (size_t i = 0; i < STREAMS; i++) {
		if (w->theirs[i] == s)
			w->theirs[i] = NULL;
		if (w->ours[i] == s)
			w->ours[i] = NULL;
	}
}

static const struct tp_stream_ops server_stream_ops = {.data = on_data, .closed = on_closed};

static void
server_opened(void *arg, struct tp_stream *s)
{
	struct world *w = arg;

	if (w->ntheirs < STREAMS) {
		w->theirs[w->ntheirs++] = s;
		tp_stream_set_ops(s, &server_stream_ops, w);
	}
}

static const struct tp_conn_ops server_ops = {.stream_opened = server_opened};

/* The I-th bidirectional stream of the client: control, then session. */
static struct tp_stream *
bidi(struct world *w, size_t i)
{
	for (size_t k = 0; k < w->ntheirs; k++)
		if (w->theirs[k] && !tp_stream_is_uni(w->theirs[k]) && i-- == 0)
			return w->theirs[k];
	return NULL;
}

static void
open_uni(struct world *w)
{
	if (w->nours < STREAMS && tp_stream_open(w->server, true, &server_stream_ops, w,
	    TP_PRIO_BULK, &w->ours[w->nours]) == 0)
		w->nours++;
}

static void
send_bytes(struct tp_stream *s, struct rd *r)
{
	struct bytes b = rd_bytes(r, rd_u8(r));

	if (s && r->err == 0)
		(void)tp_stream_write(s, b.p, b.n);
}

static void
step(struct world *w, struct rd *r)
{
	char op = (char)rd_u8(r);
	struct tp_stream *s;

	switch (op) {
	case 'c':
	case 's':
		send_bytes(bidi(w, op == 's'), r);
		return;
	case 'i':
	case 'j':
		s = bidi(w, op == 'i');
		if (s)
			tp_stream_fin(s);
		return;
	case 'u':
		open_uni(w);
		return;
	case 'w':
		s = w->ours[rd_u8(r) % STREAMS];
		send_bytes(s, r);
		return;
	case 'f':
	case 'r':
		s = w->ours[rd_u8(r) % STREAMS];
		if (s && op == 'f')
			tp_stream_fin(s);
		else if (s)
			tp_stream_reset(s, TP_E_CANCELLED);
		return;
	case 't':
		s = w->theirs[rd_u8(r) % STREAMS];
		if (s)
			tp_stream_stop(s, TP_E_CANCELLED);
		return;
	case '.':
		loop_settle(w->ev);
		return;
	default:
		return;
	}
}

/* ---- the client ------------------------------------------------------------------------- */

static bool
on_data_stream(void *arg, struct tp_stream *s, uint64_t chan, uint64_t kind, bool fin)
{
	struct world *w = arg;

	/* Standard error is the fuzzer's own. */
	return kind != WIRE_DATA_ERR && session_take_stream(w->session, s, chan, kind, fin);
}

static void
client_opened(void *arg, struct tp_stream *s)
{
	incoming_stream(((struct world *)arg)->incoming, s);
}

static void
client_closed(void *arg, const struct tp_close *why)
{
	(void)why;
	((struct world *)arg)->closed = true;
}

static const struct tp_conn_ops client_ops = {
	.stream_opened = client_opened,
	.closed = client_closed,
};

static void
on_granted(void *arg)
{
	session_granted(((struct world *)arg)->session);
}

static void
on_over(void *arg)
{
	struct world *w = arg;

	tp_conn_close(w->client, TP_OK, "");
}

static void
on_ended(void *arg, int status)
{
	if (status < 0 || status > 255)
		abort();
	on_over(arg);
}

static const struct auth_ops auth_ops = {on_granted, on_over};
static const struct session_ops session_ops = {on_ended, on_over, on_over};

static void
add_key(struct world *w)
{
	static const uint8_t seed[32] = {1};
	struct identity *id;

	w->keys.v = calloc(1, sizeof(*w->keys.v));
	if (!w->keys.v)
		abort();
	id = &w->keys.v[w->keys.n++];
	if (privkey_from_seed(&id->priv, seed) < 0 ||
	    pubkey_from_ed25519(&id->pub, id->priv.pub.pk) < 0)
		abort();
	id->parsed = true;
}

static void
start(struct world *w, bool pty)
{
	static char user[] = "u", host[] = "h", command[] = "cmd";
	static const uint8_t pk[32] = {7};
	struct fake_limits limits;

	w->conf = (struct cconf){.user = user, .hostname = host, .pubkey_auth = true,
	    .escape_char = '~'};
	w->plan = (struct plan){.session = true, .pty = pty, .command = command,
	    .kind = WIRE_START_EXEC};
	stdio_init(&w->io);
	add_key(w);
	fake_limits_default(&limits);
	if (pubkey_from_ed25519(&w->hostkey, pk) < 0 || ev_new(&w->ev) < 0 ||
	    fake_pair(w->ev, &limits, &limits, &w->client, &w->server) < 0)
		abort();
	tp_conn_set_ops(w->client, &client_ops, w);
	tp_conn_set_ops(w->server, &server_ops, w);
	fake_handshake(w->client);
	fake_handshake(w->server);
	loop_settle(w->ev);
	if (incoming_new(&w->incoming, w->client, on_data_stream, w) < 0 ||
	    session_new(&w->session, w->ev, &w->conf, &w->plan, &w->io, &session_ops, w) < 0 ||
	    auth_new(&w->auth, w->ev, w->client, &w->conf, &w->keys, &w->hostkey, &auth_ops, w) < 0 ||
	    session_start(w->session, w->client) < 0)
		abort();
	loop_settle(w->ev);
}

static void
finish(struct world *w)
{
	auth_free(&w->auth);
	session_free(&w->session);
	incoming_free(&w->incoming);
	tp_conn_free(&w->client);
	tp_conn_free(&w->server);
	keyring_free(&w->keys);
	pubkey_free(&w->hostkey);
	stdio_restore(&w->io);
	ev_free(&w->ev);
}

static int
lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
no_stdio(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
		abort();
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool ready;
	struct world w = {0};
	struct rd r;
	int before;

	if (!ready) {
		ready = true;
		no_stdio();
		(void)signal(SIGPIPE, SIG_IGN);
		log_init("fuzz", LOG_L_QUIET);
	}
	before = lowest_fd();
	rd_init(&r, p, n);
	start(&w, rd_u8(&r) & 1);
	while (r.n > 0 && r.err == 0 && !w.closed)
		step(&w, &r);
	loop_settle(w.ev);
	finish(&w);
	if (lowest_fd() != before)
		abort();
	return 0;
}
