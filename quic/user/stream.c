/* The table of streams, and what concerns both directions of one. */
#include <stdlib.h>

#include "common/base/err.h"
#include "quic/user/conn_int.h"

bool
qstream_is_uni_id(int64_t id)
{
	return (id & 2) != 0;
}

static uint64_t
first_window(const struct tp_conn *c, int64_t id)
{
	return qstream_is_uni_id(id) ? c->lim.uni_window : c->lim.stream_window;
}

struct tp_stream *
qstream_find(const struct tp_conn *c, uint64_t id)
{
	struct tp_stream *s;

	for (s = c->streams; s != NULL && (uint64_t)s->id != id; s = s->next)
		;
	return s;
}

struct tp_stream *
qstream_new(struct tp_conn *c, int64_t id, bool local)
{
	struct tp_stream *s;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->conn = c;
	s->id = id;
	s->local = local;
	s->prio = TP_PRIO_INTERACTIVE;
	s->rx_limit = first_window(c, id);
	s->can_write = local || !qstream_is_uni_id(id);
	s->can_read = !local || !qstream_is_uni_id(id);
	s->next = c->streams;
	if (s->next != NULL)
		s->next->link = &s->next;
	c->streams = s;
	s->link = &c->streams;
	return s;
}

static void
unlink_stream(struct tp_stream *s)
{
	qstream_dequeue(s);
	qredun_leave(s);
	if (s->conn->cursor == s)
		s->conn->cursor = s->next;
	if (s->conn->room_turn == s)
		s->conn->room_turn = s->next;
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
}

/* One more of its kind may be opened by the peer: the number is of those that live here, so that
 * a peer cannot pile up streams whose data nobody has taken. */
static void
return_credit(struct tp_stream *s)
{
	struct tp_conn *c = s->conn;

	if (s->local || c->over || c->dead)
		return;
	if (qstream_is_uni_id(s->id))
		ngtcp2_conn_extend_max_streams_uni(c->ng, 1);
	else
		ngtcp2_conn_extend_max_streams_bidi(c->ng, 1);
	qc_wake(c);
}

void
qstream_over(struct tp_stream *s)
{
	struct tp_conn *c = s->conn;

	if (!s->ng_gone && !c->dead && !c->over)
		ngtcp2_conn_set_stream_user_data(c->ng, s->id, NULL);
	return_credit(s);
	unlink_stream(s);
	if (!c->dead && s->ops != NULL && s->ops->closed != NULL)
		s->ops->closed(s->arg, s);
	qstream_drop_tx(s);
	chunkq_free(&s->rx, &c->pool);
	free(s);
}

void
qstream_all_over(struct tp_conn *c)
{
	while (c->streams != NULL)
		qstream_over(c->streams);
}

void
qstream_reap(struct tp_conn *c)
{
	struct tp_stream *s, *next;

	c->any_closing = false;
	for (s = c->streams; s != NULL && !c->dead; s = next) {
		next = s->next;
		if (s->ng_gone && (!s->can_read || s->rx_done))
			qstream_over(s);
	}
}

int
tp_stream_open(struct tp_conn *c, bool uni, const struct tp_stream_ops *ops, void *arg,
    enum tp_prio prio, struct tp_stream **out)
{
	struct tp_stream *s;
	int64_t id;
	int r;

	if (c->over || c->close_asked)
		return QERR_CLOSED;
	r = uni ? ngtcp2_conn_open_uni_stream(c->ng, &id, NULL)
		: ngtcp2_conn_open_bidi_stream(c->ng, &id, NULL);
	if (r == NGTCP2_ERR_STREAM_ID_BLOCKED) {
		c->want_streams = true;
		return QERR_AGAIN;
	}
	if (r != 0)
		return QERR_NOMEM;
	s = qstream_new(c, id, true);
	if (s == NULL) {
		ngtcp2_conn_shutdown_stream(c->ng, 0, id, TP_E_INTERNAL);
		return QERR_NOMEM;
	}
	ngtcp2_conn_set_stream_user_data(c->ng, id, s);
	s->ops = ops;
	s->arg = arg;
	s->prio = prio;
	*out = s;
	return 0;
}

void
tp_stream_set_ops(struct tp_stream *s, const struct tp_stream_ops *ops, void *arg)
{
	s->ops = ops;
	s->arg = arg;
}

void *
tp_stream_arg(const struct tp_stream *s)
{
	return s->arg;
}

struct tp_conn *
tp_stream_conn(const struct tp_stream *s)
{
	return s->conn;
}

uint64_t
tp_stream_id(const struct tp_stream *s)
{
	return (uint64_t)s->id;
}

bool
tp_stream_is_uni(const struct tp_stream *s)
{
	return qstream_is_uni_id(s->id);
}
