#include "tests/unit/fake_transport.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"

#define MAX_SEND (1 << 20)

struct tp_stream {
	struct tp_stream *next;
	struct tp_conn *c;
	uint64_t id;
	bool uni, local; /* local: opened by this end */
	const struct tp_stream_ops *ops;
	void *arg;
	enum tp_prio prio;
	/* sending side */
	struct buf tx;
	uint64_t tx_total; /* bytes handed to the peer's end */
	size_t reserved;
	bool announced;    /* the peer's end knows the stream */
	bool fin, fin_sent, reset, reset_sent, want_room, acked;
	uint64_t reset_code;
	/* receiving side */
	struct buf rx;
	uint64_t rx_taken; /* by the layer above */
	bool rx_fin, rx_done, rx_reset, rx_reset_told, rx_kept, resumed;
	bool stop, stop_sent, stop_in, stop_told;
	uint64_t stop_code, rx_reset_code, stop_in_code;
};

struct tp_conn {
	struct ev *ev;
	struct ev_timer *round;
	struct tp_conn *peer; /* NULL: gone */
	bool server;
	struct fake_limits l;
	const struct tp_conn_ops *ops;
	void *arg;
	struct tp_stream *streams;
	uint64_t next_id[2];       /* by uni */
	uint64_t opened[2];        /* by us */
	uint64_t peer_closed[2];   /* streams of the peer that are over here */
	bool want_streams[2];
	uint64_t rx_total, rx_taken;
	uint64_t idle, keepalive;
	bool handshake, handshake_told, early_told;
	bool closing, closed;
	struct tp_close why;
	unsigned busy;
	bool freed;
};

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
wake(struct tp_conn *c)
{
	if (c != NULL && !c->closed)
		ev_timer_at(c->round, 0);
}

static void
wake_both(struct tp_conn *c)
{
	wake(c);
	wake(c->peer);
}

/* ---- streams ------------------------------------------------------------------- */

static struct tp_stream *
stream_add(struct tp_conn *c, uint64_t id, bool uni, bool local)
{
	struct tp_stream *s = calloc(1, sizeof(*s)), **tail = &c->streams;

	must(s != NULL);
	s->c = c;
	s->id = id;
	s->uni = uni;
	s->local = local;
	buf_init(&s->tx, MAX_SEND);
	buf_init(&s->rx, (size_t)c->l.stream_window + 1);
	if (uni && local)
		s->rx_done = true;
	if (uni && !local)
		s->fin_sent = s->acked = true;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = s;
	return s;
}

static void
stream_drop(struct tp_conn *c, struct tp_stream *s)
{
	struct tp_stream **at = &c->streams;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	buf_free(&s->tx);
	buf_free(&s->rx);
	free(s);
}

struct tp_stream *
fake_stream(struct tp_conn *c, uint64_t id)
{
	for (struct tp_stream *s = c->streams; s != NULL; s = s->next)
		if (s->id == id)
			return s;
	return NULL;
}

int
tp_stream_open(struct tp_conn *c, bool uni, const struct tp_stream_ops *ops, void *arg,
    enum tp_prio prio, struct tp_stream **out)
{
	*out = NULL;
	if (c->closing || c->closed || c->peer == NULL)
		return QERR_CLOSED;
	if (c->opened[uni] - c->peer->peer_closed[uni] >=
	    (uni ? c->peer->l.max_uni : c->peer->l.max_bidi)) {
		c->want_streams[uni] = true;
		return QERR_AGAIN;
	}
	*out = stream_add(c, c->next_id[uni], uni, true);
	c->next_id[uni] += 4;
	c->opened[uni]++;
	(*out)->prio = prio;
	tp_stream_set_ops(*out, ops, arg);
	wake(c);
	return 0;
}

void
tp_stream_set_ops(struct tp_stream *s, const struct tp_stream_ops *ops, void *arg)
{
	assert(ops != NULL);
	s->ops = ops;
	s->arg = arg;
	wake(s->c);
}

void
tp_stream_set_prio(struct tp_stream *s, enum tp_prio prio)
{
	s->prio = prio;
}

enum tp_prio
fake_prio(const struct tp_stream *s)
{
	return s->prio;
}

void *
tp_stream_arg(const struct tp_stream *s)
{
	return s->arg;
}

struct tp_conn *
tp_stream_conn(const struct tp_stream *s)
{
	return s->c;
}

uint64_t
tp_stream_id(const struct tp_stream *s)
{
	return s->id;
}

bool
tp_stream_is_uni(const struct tp_stream *s)
{
	return s->uni;
}

static bool
tx_over(const struct tp_stream *s)
{
	return s->fin || s->fin_sent || s->reset || s->c->closing || s->c->closed ||
	    (s->uni && !s->local);
}

size_t
tp_stream_room(const struct tp_stream *s)
{
	if (tx_over(s))
		return 0;
	return s->c->l.send_buffer - buf_len(&s->tx);
}

ssize_t
tp_stream_write(struct tp_stream *s, const void *p, size_t n)
{
	size_t room = tp_stream_room(s);

	if (tx_over(s))
		return QERR_CLOSED;
	if (n > room) {
		n = room;
		s->want_room = true;
	}
	must(buf_put(&s->tx, p, n) == 0);
	wake(s->c);
	return (ssize_t)n;
}

uint8_t *
tp_stream_reserve(struct tp_stream *s, size_t *n)
{
	size_t room = tp_stream_room(s);

	if (*n > room) {
		*n = room;
		s->want_room = true;
	}
	s->reserved = *n;
	return *n == 0 ? NULL : buf_reserve(&s->tx, *n);
}

size_t
tp_stream_reservev(struct tp_stream *s, struct iovec *v, size_t nv, size_t want)
{
	assert(nv > 0);
	v[0].iov_len = want;
	v[0].iov_base = tp_stream_reserve(s, &v[0].iov_len);
	return v[0].iov_base != NULL;
}

void
tp_stream_commit(struct tp_stream *s, size_t n)
{
	assert(n <= s->reserved);
	s->reserved = 0;
	buf_commit(&s->tx, n);
	wake(s->c);
}

void
tp_stream_fin(struct tp_stream *s)
{
	if (tx_over(s))
		return;
	s->fin = true;
	wake(s->c);
}

void
tp_stream_reset(struct tp_stream *s, uint64_t code)
{
	if (s->fin_sent || s->reset || (s->uni && !s->local))
		return;
	s->reset = true;
	s->reset_code = code;
	buf_reset(&s->tx);
	wake(s->c);
}

void
tp_stream_stop(struct tp_stream *s, uint64_t code)
{
	if (s->rx_done || s->stop)
		return;
	s->stop = true;
	s->stop_code = code;
	s->rx_kept = false;
	wake(s->c);
}

void
tp_stream_resume(struct tp_stream *s)
{
	s->rx_kept = false;
	s->resumed = true;
	wake(s->c);
}

/* ---- moving bytes ---------------------------------------------------------------- */

static struct tp_stream *
peer_stream(struct tp_stream *s)
{
	struct tp_conn *pc = s->c->peer;
	struct tp_stream *ps;

	if (pc == NULL || pc->closing || pc->closed)
		return NULL;
	ps = fake_stream(pc, s->id);
	if (ps != NULL || s->announced || !s->local)
		return ps;
	s->announced = true;
	return stream_add(pc, s->id, s->uni, false);
}

static bool
send_some(struct tp_stream *s)
{
	struct tp_stream *ps = NULL;
	struct tp_conn *pc = s->c->peer;
	size_t n = buf_len(&s->tx);
	uint64_t room;

	if (n == 0 && !s->fin && !s->reset && !s->stop)
		return false;
	ps = peer_stream(s);
	if (ps == NULL)
		return false;
	room = pc->l.stream_window - buf_len(&ps->rx);
	if (room > pc->l.conn_window - (pc->rx_total - pc->rx_taken))
		room = pc->l.conn_window - (pc->rx_total - pc->rx_taken);
	if (n > room)
		n = (size_t)room;
	if (n > 0 && !s->reset) {
		must(buf_put(&ps->rx, buf_data(&s->tx), n) == 0);
		buf_consume(&s->tx, n);
		s->tx_total += n;
		pc->rx_total += n;
	}
	if (s->reset && !s->reset_sent) {
		s->reset_sent = s->acked = true;
		ps->rx_reset = true;
		ps->rx_reset_code = s->reset_code;
		n = 1;
	} else if (s->fin && !s->fin_sent && buf_len(&s->tx) == 0) {
		s->fin_sent = true;
		ps->rx_fin = true;
		n = 1;
	}
	if (s->stop && !s->stop_sent) {
		s->stop_sent = true;
		ps->stop_in = true;
		ps->stop_in_code = s->stop_code;
		n = 1;
	}
	return n > 0;
}

static void
take(struct tp_stream *s, size_t n)
{
	buf_consume(&s->rx, n);
	s->rx_taken += n;
	s->c->rx_taken += n;
}

static void
opened(struct tp_stream *s)
{
	static const struct tp_stream_ops none = {0};

	if (s->local || s->ops != NULL)
		return;
	if (s->c->ops->stream_opened != NULL)
		s->c->ops->stream_opened(s->c->arg, s);
	if (s->ops == NULL) {
		tp_stream_set_ops(s, &none, NULL);
		tp_stream_reset(s, TP_E_PROTOCOL);
		tp_stream_stop(s, TP_E_PROTOCOL);
	}
}

static bool
receive_data(struct tp_stream *s)
{
	size_t n = buf_len(&s->rx), took;
	bool fin;

	if (s->rx_done || s->rx_kept)
		return false;
	if (s->stop) {
		take(s, n);
		s->rx_done = s->rx_fin;
		return n > 0 || s->rx_done;
	}
	if (s->ops->data == NULL)
		return false;
	if (n > s->c->l.segment)
		n = s->c->l.segment;
	fin = s->rx_fin && n == buf_len(&s->rx);
	if (n == 0 && !fin)
		return false;
	s->resumed = false;
	took = s->ops->data(s->arg, s, n > 0 ? buf_data(&s->rx) : NULL, n, fin);
	assert(took <= n);
	if (s->stop) /* called from data() */
		took = n;
	take(s, took);
	if (took < n)
		s->rx_kept = !s->resumed; /* it may have been resumed from inside data() */
	else if (fin)
		s->rx_done = true;
	return true;
}

static bool
receive(struct tp_stream *s)
{
	bool moved = false;

	opened(s);
	if (s->stop_in && !s->stop_told) {
		s->stop_told = moved = true;
		if (!s->reset && !s->fin_sent) {
			tp_stream_reset(s, s->stop_in_code);
			if (s->ops->stopped != NULL)
				s->ops->stopped(s->arg, s, s->stop_in_code);
		}
	}
	if (s->rx_reset && !s->rx_reset_told) {
		s->rx_reset_told = s->rx_done = moved = true;
		take(s, buf_len(&s->rx));
		if (s->ops->reset != NULL)
			s->ops->reset(s->arg, s, s->rx_reset_code);
	}
	return receive_data(s) || moved;
}

static bool
tell_room(struct tp_stream *s)
{
	if (!s->want_room || tp_stream_room(s) == 0)
		return false;
	s->want_room = false;
	if (s->ops->writable != NULL)
		s->ops->writable(s->arg, s);
	return true;
}

static bool
reap(struct tp_stream *s)
{
	struct tp_conn *c = s->c;
	const struct tp_stream_ops *ops = s->ops;

	if (s->fin_sent && !s->acked) {
		s->acked = true;
		if (ops->acked != NULL)
			ops->acked(s->arg, s);
		return true;
	}
	if (!s->acked || !s->rx_done)
		return false;
	if (ops->closed != NULL)
		ops->closed(s->arg, s);
	if (!s->local)
		c->peer_closed[s->uni]++;
	stream_drop(c, s);
	return true;
}

/* ---- connections ----------------------------------------------------------------- */

static void
finish(struct tp_conn *c)
{
	if (c->peer != NULL && c->why.by == TP_CLOSED_LOCAL && !c->peer->closing) {
		c->peer->closing = true;
		c->peer->why = c->why;
		c->peer->why.by = TP_CLOSED_APP;
		c->peer->why.remote = true;
		wake(c->peer);
	}
	while (c->streams != NULL) {
		struct tp_stream *s = c->streams;

		if (s->ops != NULL && s->ops->closed != NULL)
			s->ops->closed(s->arg, s);
		stream_drop(c, s);
	}
	c->closed = true;
	ev_timer_stop(c->round);
	if (c->ops->closed != NULL)
		c->ops->closed(c->arg, &c->why);
}

static bool
tell_streams(struct tp_conn *c)
{
	bool moved = false;

	for (int uni = 0; uni < 2; uni++) {
		if (!c->want_streams[uni] || c->peer == NULL ||
		    c->opened[uni] - c->peer->peer_closed[uni] >=
		    (uni ? c->peer->l.max_uni : c->peer->l.max_bidi))
			continue;
		c->want_streams[uni] = false;
		if (c->ops->streams_available != NULL)
			c->ops->streams_available(c->arg);
		moved = true;
	}
	return moved;
}

static bool
one_round(struct tp_conn *c)
{
	bool moved = false;

	if (c->server && !c->early_told && c->ops->early_data_ok != NULL) {
		c->early_told = true;
		c->ops->early_data_ok(c->arg);
	}
	if (c->handshake && !c->handshake_told) {
		c->handshake_told = true;
		if (c->ops->handshake_done != NULL)
			c->ops->handshake_done(c->arg);
		moved = true;
	}
	moved = tell_streams(c) || moved;
	for (struct tp_stream *s = c->streams, *next; s != NULL && !c->closing; s = next) {
		next = s->next;
		moved = send_some(s) || moved;
		moved = receive(s) || moved;
		moved = (!c->closing && tell_room(s)) || moved;
	}
	for (struct tp_stream *s = c->streams, *next; s != NULL && !c->closing; s = next) {
		next = s->next;
		moved = reap(s) || moved;
	}
	return moved;
}

static void
conn_destroy(struct tp_conn *c)
{
	while (c->streams != NULL)
		stream_drop(c, c->streams);
	ev_timer_free(&c->round);
	free(c);
}

static void
on_round(void *arg)
{
	struct tp_conn *c = arg;

	c->busy++;
	if (c->ops != NULL && !c->closing && one_round(c))
		wake_both(c);
	if (c->closing && !c->closed && c->ops != NULL)
		finish(c);
	if (--c->busy == 0 && c->freed)
		conn_destroy(c);
}

int
fake_pair(struct ev *ev, const struct fake_limits *client_limits,
    const struct fake_limits *server_limits, struct tp_conn **client, struct tp_conn **server)
{
	struct tp_conn *c[2];

	for (int i = 0; i < 2; i++) {
		c[i] = calloc(1, sizeof(*c[i]));
		must(c[i] != NULL);
		c[i]->ev = ev;
		c[i]->server = i == 1;
		c[i]->l = i == 0 ? *client_limits : *server_limits;
		c[i]->next_id[0] = (uint64_t)i;
		c[i]->next_id[1] = 2 + (uint64_t)i;
		must(ev_timer_new(&c[i]->round, ev, on_round, c[i]) == 0);
	}
	c[0]->peer = c[1];
	c[1]->peer = c[0];
	*client = c[0];
	*server = c[1];
	return 0;
}

void
fake_handshake(struct tp_conn *c)
{
	c->handshake = true;
	wake(c);
}

void
fake_break(struct tp_conn *c, const struct tp_close *why)
{
	if (c->closing)
		return;
	c->closing = true;
	c->why = *why;
	wake(c);
}

void
tp_conn_set_ops(struct tp_conn *c, const struct tp_conn_ops *ops, void *arg)
{
	c->ops = ops;
	c->arg = arg;
	wake(c);
}

void
tp_conn_close(struct tp_conn *c, uint64_t code, const char *reason)
{
	if (c->closing)
		return;
	c->closing = true;
	c->why = (struct tp_close){.by = TP_CLOSED_LOCAL, .code = code};
	(void)snprintf(c->why.reason, sizeof(c->why.reason), "%s", reason != NULL ? reason : "");
	wake(c);
}

void
tp_conn_free(struct tp_conn **cp)
{
	struct tp_conn *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	if (c->peer != NULL)
		c->peer->peer = NULL;
	c->peer = NULL;
	c->freed = true;
	if (c->busy == 0)
		conn_destroy(c);
}

int
tp_conn_peer_key(const struct tp_conn *c, uint8_t key[32])
{
	if (!c->handshake_told)
		return QERR_AGAIN;
	memset(key, 0x11, 32);
	return 0;
}

int
tp_conn_export(struct tp_conn *c, const char *label, uint8_t *out, size_t n)
{
	if (!c->handshake_told)
		return QERR_AGAIN;
	memset(out, 0xe0 + label[0] % 16, n);
	return 0;
}

void
tp_conn_stats(const struct tp_conn *c, struct tp_stats *st)
{
	(void)c;
	memset(st, 0, sizeof(*st));
	st->engine = "fake";
	st->cipher = "none";
}

void
tp_conn_set_keepalive(struct tp_conn *c, uint64_t ns)
{
	c->keepalive = ns;
}

void
tp_conn_set_idle(struct tp_conn *c, uint64_t ns)
{
	c->idle = ns;
}

void
tp_conn_set_window(struct tp_conn *c, uint64_t bytes)
{
	if (bytes > c->l.conn_window)
		c->l.conn_window = bytes;
	wake_both(c);
}

void
tp_conn_set_max_streams(struct tp_conn *c, uint64_t bidi, uint64_t uni)
{
	c->l.max_bidi = bidi > c->l.max_bidi ? bidi : c->l.max_bidi;
	c->l.max_uni = uni > c->l.max_uni ? uni : c->l.max_uni;
	wake_both(c);
}

int
tp_conn_datagram(struct tp_conn *c, const void *p, size_t n)
{
	(void)c;
	(void)p;
	(void)n;
	return QERR_UNSUPPORTED;
}

size_t
tp_conn_datagram_max(const struct tp_conn *c)
{
	(void)c;
	return 0;
}

/* ---- what tests look at ------------------------------------------------------------ */

uint64_t
fake_idle(const struct tp_conn *c)
{
	return c->idle;
}

uint64_t
fake_keepalive(const struct tp_conn *c)
{
	return c->keepalive;
}

uint64_t
fake_window(const struct tp_conn *c)
{
	return c->l.conn_window;
}

uint64_t
fake_max_bidi(const struct tp_conn *c)
{
	return c->l.max_bidi;
}

uint64_t
fake_max_uni(const struct tp_conn *c)
{
	return c->l.max_uni;
}

size_t
fake_streams(const struct tp_conn *c)
{
	size_t n = 0;

	for (const struct tp_stream *s = c->streams; s != NULL; s = s->next)
		n++;
	return n;
}

size_t
fake_kept(const struct tp_conn *c)
{
	size_t n = 0;

	for (const struct tp_stream *s = c->streams; s != NULL; s = s->next)
		n += buf_len(&s->rx);
	return n;
}
