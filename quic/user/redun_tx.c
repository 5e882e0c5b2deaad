/* Redundant datagrams that leave: of which streams, when, and how far they have come. */
#include "quic/user/conn_int.h"

/* More than this unacknowledged is a listing or a file: packets that follow show a loss soon enough,
 * and the budget is for what does not have them. */
#define RANGE_MAX ((uint64_t)8192)

static uint64_t
range_begin(const struct tp_stream *s)
{
	return s->tx.acked > s->out.acked ? s->tx.acked : s->out.acked;
}

static void
join(struct tp_stream *s)
{
	struct tp_conn *c = s->conn;

	if (s->rlink != NULL)
		return;
	s->rnext = c->redun;
	if (s->rnext != NULL)
		s->rnext->rlink = &s->rnext;
	c->redun = s;
	s->rlink = &c->redun;
}

void
qredun_leave(struct tp_stream *s)
{
	if (s->rlink == NULL)
		return;
	*s->rlink = s->rnext;
	if (s->rnext != NULL)
		s->rnext->rlink = s->rlink;
	s->rlink = NULL;
	s->rnext = NULL;
	s->redun_due = false;
}

void
qredun_sent(struct tp_stream *s)
{
	if (s->prio == TP_PRIO_BULK || !s->conn->done_told)
		return;
	if (s->prio == TP_PRIO_INTERACTIVE && s->tx.acked > 0) /* not only what opens a stream */
		qyield_typed(s->conn);
	if (s->conn->host->packet != 0)
		return; /* a byte stream loses nothing */
	redun_tx_sent(&s->out, s->conn->now);
	s->redun_due = false;
	join(s);
}

void
qredun_acked(struct tp_stream *s)
{
	if (range_begin(s) >= s->tx.sent)
		qredun_leave(s);
}

void
qredun_dgram_acked(struct tp_conn *c, uint64_t id)
{
	const struct qredun_rec *rec = &c->redun_recs[id % QREDUN_RECS];
	struct tp_stream *s;

	if (id == 0 || rec->id != id || (s = qstream_find(c, rec->stream)) == NULL)
		return;
	if (rec->end > s->out.acked)
		s->out.acked = rec->end;
	qredun_acked(s);
}

static bool
worth_it(const struct tp_stream *s)
{
	/* The peer knows a stream that it opened, or of which it has acknowledged something. */
	return (!s->local || s->tx.acked > 0) && s->tx.sent - range_begin(s) <= RANGE_MAX;
}

void
qredun_expired(struct tp_conn *c)
{
	struct tp_stream *s, *next;

	for (s = c->redun; s != NULL; s = next) {
		next = s->rnext;
		if (s->out.at > c->now || s->redun_due)
			continue;
		if (s->prio == TP_PRIO_BULK || !s->can_write || s->write_reset || s->ng_gone)
			qredun_leave(s);
		else if (worth_it(s))
			s->redun_due = true;
		else
			redun_tx_repeated(&s->out, c->now);
		if (s->out.at == REDUN_NEVER)
			qredun_leave(s);
	}
}

uint64_t
qredun_expiry(const struct tp_conn *c)
{
	const struct tp_stream *s;
	uint64_t t = REDUN_NEVER;

	for (s = c->redun; s != NULL; s = s->rnext) {
		if (!s->redun_due && s->out.at < t) /* what is due waits for the window, not for us */
			t = s->out.at;
	}
	return t;
}

/* The pieces of a datagram with all that is unacknowledged, from the oldest on. False: not now. */
static bool
build(struct tp_conn *c, struct tp_stream *s, struct qredun_out *o)
{
	size_t max = tp_conn_datagram_max(c), hdr;
	uint64_t begin = range_begin(s), wait;

	hdr = redun_header(o->hdr, (uint64_t)s->id, begin);
	if (max <= hdr || begin >= s->tx.sent)
		return false;
	o->n = max - hdr;
	if (o->n > s->tx.sent - begin)
		o->n = (size_t)(s->tx.sent - begin);
	wait = redun_budget_wait(&c->redun_budget, hdr + o->n, c->now);
	if (wait > 0) {
		s->redun_due = false;
		s->out.at = c->now + wait;
		return false;
	}
	o->v[0].base = o->hdr;
	o->v[0].len = hdr;
	o->nv = 1 + sendbuf_range(&s->tx, begin, o->v + 1, QREDUN_PIECES - 1, &o->n);
	o->end = begin + o->n;
	o->s = s;
	o->id = c->redun_seq + 1;
	o->n += hdr;
	return true;
}

bool
qredun_next(struct tp_conn *c, struct qredun_out *o)
{
	struct tp_stream *s, *next;

	for (s = c->redun; s != NULL; s = next) {
		next = s->rnext;
		if (!s->redun_due)
			continue;
		if (build(c, s, o))
			return true;
		if (s->redun_due)
			qredun_leave(s);
	}
	return false;
}

void
qredun_left(struct tp_conn *c, const struct qredun_out *o)
{
	struct qredun_rec *rec = &c->redun_recs[o->id % QREDUN_RECS];

	rec->id = c->redun_seq = o->id;
	rec->stream = (uint64_t)o->s->id;
	rec->end = o->end;
	redun_budget_spend(&c->redun_budget, o->n);
	c->redun_sent++;
	qredun_skip(c, o);
}

void
qredun_skip(struct tp_conn *c, const struct qredun_out *o)
{
	o->s->redun_due = false;
	redun_tx_repeated(&o->s->out, c->now);
	if (o->s->out.at == REDUN_NEVER)
		qredun_leave(o->s);
}
