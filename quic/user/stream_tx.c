/* The sending side of streams: buffers, back-pressure, and the queue of each class. */
#include "common/base/err.h"
#include "quic/user/conn_int.h"

/* Bytes that may wait unsent. A stream that somebody watches gets little, so that what it shows
 * is not old. The writer of bulk is asked for more when one batch is left, and then for much at a time
 * (each read of a full pipe wakes a process); still more would only be cold in the cache when its turn
 * comes. */
#define UNSENT_SMALL ((size_t)64 * 1024)
#define UNSENT_BULK  ((size_t)5 * QTX_BUF)
#define ENOUGH_BULK  ((size_t)4 * QTX_BUF)

bool
qstream_wants(const struct tp_stream *s)
{
	if (!s->can_write || s->write_reset || s->blocked)
		return false;
	return sendbuf_unsent(&s->tx) > 0 || (s->fin && !s->fin_sent);
}

void
qstream_enqueue(struct tp_stream *s)
{
	struct tp_stream **ring = &s->conn->ring[s->prio];

	if (s->queued || !qstream_wants(s))
		return;
	s->queued = true;
	if (*ring == NULL) {
		*ring = s->qnext = s->qprev = s;
		return;
	}
	/* Last in turn. */
	s->qnext = *ring;
	s->qprev = (*ring)->qprev;
	s->qprev->qnext = s;
	(*ring)->qprev = s;
}

void
qstream_dequeue(struct tp_stream *s)
{
	struct tp_stream **ring = &s->conn->ring[s->prio];

	if (!s->queued)
		return;
	s->queued = false;
	if (s->qnext == s) {
		*ring = NULL;
	} else {
		s->qnext->qprev = s->qprev;
		s->qprev->qnext = s->qnext;
		if (*ring == s)
			*ring = s->qnext;
	}
	s->qnext = s->qprev = NULL;
}

static size_t
unsent_limit(const struct tp_stream *s)
{
	size_t n = s->prio == TP_PRIO_BULK ? UNSENT_BULK : UNSENT_SMALL;

	return n < s->conn->lim.send_buffer ? n : s->conn->lim.send_buffer;
}

static bool
may_write(const struct tp_stream *s)
{
	return s->can_write && !s->write_reset && !s->fin && !s->conn->over &&
	    !s->conn->close_asked;
}

/* What all streams of the connection leave this one. Control messages are few and small, and what
 * they say may be what frees room. Bulk leaves an eighth to what people wait for. */
static uint64_t
room_of_conn(const struct tp_stream *s)
{
	uint64_t max = s->conn->lim.send_total;

	if (s->prio == TP_PRIO_CONTROL)
		return UINT64_MAX;
	if (s->prio == TP_PRIO_BULK)
		max -= max / 8;
	return s->conn->tx_held < max ? max - s->conn->tx_held : 0;
}

static size_t
room_below(const struct tp_stream *s, size_t limit)
{
	uint64_t unsent = sendbuf_unsent(&s->tx), held = sendbuf_held(&s->tx), c = room_of_conn(s);
	size_t max = s->conn->lim.send_buffer;
	uint64_t a = unsent < limit ? limit - unsent : 0, b = held < max ? max - held : 0;

	if (b < a)
		a = b;
	return (size_t)(c < a ? c : a);
}

/* After whatever changes how much the stream holds, or its class. */
static void
count(struct tp_stream *s)
{
	uint64_t n = s->prio == TP_PRIO_CONTROL ? 0 : sendbuf_held(&s->tx);

	s->conn->tx_held += n - s->counted;
	s->counted = n;
}

size_t
tp_stream_room(const struct tp_stream *s)
{
	return may_write(s) ? room_below(s, unsent_limit(s)) : 0;
}

static void
owe_room(struct tp_stream *s)
{
	s->want_room = true;
	s->conn->any_room = true;
}

static void
wrote(struct tp_stream *s)
{
	count(s);
	qstream_enqueue(s);
	qc_wake(s->conn);
}

ssize_t
tp_stream_write(struct tp_stream *s, const void *p, size_t n)
{
	size_t room, done;

	if (!may_write(s))
		return QERR_CLOSED;
	room = room_below(s, unsent_limit(s));
	done = sendbuf_append(&s->tx, &s->conn->pool, p, n < room ? n : room);
	if (done < n)
		owe_room(s);
	if (done > 0)
		wrote(s);
	return (ssize_t)done;
}

size_t
tp_stream_reservev(struct tp_stream *s, struct iovec *v, size_t nv, size_t want)
{
	size_t room = tp_stream_room(s), n = 0, k = 0, i;

	if (room > 0 && want > 0)
		k = sendbuf_reserve(&s->tx, &s->conn->pool, want < room ? want : room, v, nv);
	for (i = 0; i < k; i++)
		n += v[i].iov_len;
	if (n < want && may_write(s))
		owe_room(s);
	return k;
}

uint8_t *
tp_stream_reserve(struct tp_stream *s, size_t *n)
{
	struct iovec v = {.iov_base = NULL};

	if (tp_stream_reservev(s, &v, 1, *n) == 0)
		v.iov_len = 0;
	*n = v.iov_len;
	return v.iov_base;
}

void
tp_stream_commit(struct tp_stream *s, size_t n)
{
	if (!may_write(s))
		return;
	sendbuf_commit(&s->tx, &s->conn->pool, n);
	if (n > 0)
		wrote(s);
}

void
tp_stream_fin(struct tp_stream *s)
{
	if (!may_write(s))
		return;
	s->fin = true;
	s->want_room = false;
	wrote(s);
}

void
tp_stream_reset(struct tp_stream *s, uint64_t code)
{
	if (!s->can_write || s->write_reset || s->acked_told)
		return;
	/* The buffer stays until ngtcp2 forgets the stream: packets in flight point into it. */
	s->write_reset = true;
	s->want_room = false;
	qstream_dequeue(s);
	if (!s->ng_gone && !s->conn->over)
		ngtcp2_conn_shutdown_stream_write(s->conn->ng, 0, s->id, code);
	qc_wake(s->conn);
}

void
tp_stream_set_prio(struct tp_stream *s, enum tp_prio prio)
{
	qstream_dequeue(s);
	s->prio = prio;
	count(s);
	qstream_enqueue(s);
}

void
qstream_sent(struct tp_stream *s, size_t n, bool fin)
{
	sendbuf_sent(&s->tx, n);
	if (n > 0)
		qredun_sent(s);
	if (fin) {
		s->fin_sent = true;
		s->fin_alone = n == 0;
	}
	if (!qstream_wants(s))
		qstream_dequeue(s);
	else if (s->conn->ring[s->prio] == s)
		s->conn->ring[s->prio] = s->qnext; /* the next one's turn */
}

static void
tell_acked(struct tp_stream *s)
{
	s->acked_told = true;
	s->can_write = false;
	if (s->ops != NULL && s->ops->acked != NULL && !s->conn->dead)
		s->ops->acked(s->arg, s);
}

static bool
all_acked(const struct tp_stream *s)
{
	return s->fin_sent && s->tx.acked == s->tx.end;
}

/* fin_frame: this acknowledges a frame without data, which only FIN makes. ngtcp2 joins frames
 * when it repeats them, so a FIN that left alone may come back together with data; then the
 * stream's close tells. */
void
qstream_acked(struct tp_stream *s, uint64_t offset, bool fin_frame)
{
	s->conn->jolt = false; /* the loss timer starts anew */
	sendbuf_ack(&s->tx, &s->conn->pool, offset);
	count(s);
	qredun_acked(s);
	if (fin_frame)
		s->fin_acked = true;
	if (all_acked(s) && (s->fin_acked || !s->fin_alone) && s->can_write && !s->write_reset)
		tell_acked(s);
}

void
qstream_write_over(struct tp_stream *s)
{
	qstream_dequeue(s);
	if (s->can_write && !s->write_reset && s->fin_sent) {
		sendbuf_ack(&s->tx, &s->conn->pool, s->tx.end);
		count(s);
		tell_acked(s);
	}
	s->can_write = false;
}

void
qstream_drop_tx(struct tp_stream *s)
{
	qredun_leave(s);
	sendbuf_free(&s->tx, &s->conn->pool);
	count(s);
}

void
qstream_credit(struct tp_stream *s)
{
	s->blocked = false;
	qstream_enqueue(s);
}

/* The sending side ended by the peer's STOP_SENDING: ngtcp2 has answered with RESET_STREAM. */
void
qstream_stopped(struct tp_stream *s, uint64_t code)
{
	bool was = s->can_write && !s->write_reset && !all_acked(s);

	qstream_dequeue(s);
	if (!was) {
		qstream_write_over(s);
		return;
	}
	s->can_write = false;
	if (s->ops != NULL && s->ops->stopped != NULL && !s->conn->dead)
		s->ops->stopped(s->arg, s, code);
}

/* Calls writable() where enough room has come to be worth a wake-up. */
static void
tell_room(struct tp_stream *s)
{
	struct tp_conn *c = s->conn;
	size_t limit = may_write(s) ? unsent_limit(s) : 0, enough;

	if (limit == 0)
		return;
	enough = limit == UNSENT_BULK ? ENOUGH_BULK : (limit + 3) / 4;
	if (room_below(s, limit) < enough) {
		c->any_room = true;
		if (c->room_turn == NULL && room_of_conn(s) < enough)
			c->room_turn = s;
		return;
	}
	s->want_room = false;
	if (s->ops != NULL && s->ops->writable != NULL)
		s->ops->writable(s->arg, s);
}

/* From the first that got nothing the last time on, and around: else those at the head of the list
 * would share what the connection has among themselves. */
void
qstream_tell_room(struct tp_conn *c)
{
	struct tp_stream *s, *next, *first = c->room_turn != NULL ? c->room_turn : c->streams;
	int lap;

	if (!c->any_room)
		return;
	c->any_room = false;
	c->room_turn = NULL;
	for (lap = 0; lap < 2 && !c->dead; lap++) {
		for (s = lap == 0 ? first : c->streams; s != NULL && !c->dead; s = next) {
			if (lap == 1 && s == first)
				break;
			next = s->next;
			if (s->want_room)
				tell_room(s);
		}
	}
}
