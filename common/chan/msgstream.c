/* A message stream's life, and its sending side. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/chan/detach.h"
#include "common/chan/msgstream_impl.h"

void
ms_enter(struct msgstream *ms)
{
	ms->busy++;
}

void
ms_leave(struct msgstream *ms)
{
	if (--ms->busy > 0 || !ms->freed)
		return;
	buf_free(&ms->rx);
	buf_free(&ms->fed);
	buf_free(&ms->tx);
	free(ms);
}

/* ---- sending -------------------------------------------------------------------- */

static int
flush(struct msgstream *ms)
{
	while (buf_len(&ms->tx) > 0) {
		ssize_t r = tp_stream_write(ms->s, buf_data(&ms->tx), buf_len(&ms->tx));

		if (r < 0) {
			ms->tx_over = true;
			buf_free(&ms->tx);
			return QERR_CLOSED;
		}
		if (r == 0)
			return 0;
		buf_consume(&ms->tx, (size_t)r);
	}
	buf_free(&ms->tx);
	if (ms->tx_fin_due) {
		ms->tx_fin_due = false;
		ms->tx_over = true;
		tp_stream_fin(ms->s);
	}
	return 0;
}

int
msgstream_send(struct msgstream *ms, uint64_t type, const struct buf *body)
{
	size_t len = body != NULL ? buf_len(body) : 0;
	int r;

	if (ms->s == NULL || ms->tx_over || ms->tx_fin_due)
		return QERR_CLOSED;
	if (buf_len(&ms->tx) + WIRE_HDR_MAX + len > MSGSTREAM_QUEUE_MAX)
		return QERR_TOOBIG;
	r = wire_put_msg(&ms->tx, type, body);
	if (r < 0) {
		/* A part of a message must not reach the peer. */
		ms_fail(ms, TP_E_INTERNAL, "no memory for a message");
		return r;
	}
	return flush(ms);
}

void
msgstream_fin(struct msgstream *ms)
{
	if (ms->s == NULL || ms->tx_over)
		return;
	ms->tx_fin_due = true;
	(void)flush(ms);
}

static void
on_writable(void *arg, struct tp_stream *s)
{
	struct msgstream *ms = arg;

	(void)s;
	if (!ms->tx_over)
		(void)flush(ms);
}

/* ---- the stream's end ------------------------------------------------------------ */

static void
stream_failed(struct msgstream *ms, uint64_t code)
{
	if (ms->failed)
		return;
	ms->failed = true;
	ms_enter(ms);
	if (ms->ops->failed != NULL)
		ms->ops->failed(ms->ctx, ms, code);
	ms_leave(ms);
}

static void
on_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	struct msgstream *ms = arg;

	(void)s;
	ms->rx_fin = true;
	stream_failed(ms, code);
}

static void
on_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	struct msgstream *ms = arg;

	(void)s;
	ms->tx_over = true;
	buf_free(&ms->tx);
	stream_failed(ms, code);
}

static void
on_closed(void *arg, struct tp_stream *s)
{
	struct msgstream *ms = arg;

	(void)s;
	ms->s = NULL;
	ms->tx_over = true;
	ms_enter(ms);
	if (ms->ops->closed != NULL)
		ms->ops->closed(ms->ctx, ms);
	ms_leave(ms);
}

static const struct tp_stream_ops stream_ops = {
	.data = ms_on_data,
	.writable = on_writable,
	.reset = on_reset,
	.stopped = on_stopped,
	.closed = on_closed,
};

/* ---- life ------------------------------------------------------------------------ */

int
msgstream_new(struct msgstream **out, struct tp_stream *s, const struct msg_row *rows,
    size_t nrows, size_t max, const struct msgstream_ops *ops, void *ctx)
{
	struct msgstream *ms = calloc(1, sizeof(*ms));

	*out = NULL;
	if (ms == NULL)
		return QERR_NOMEM;
	ms->s = s;
	ms->ops = ops;
	ms->phase = 1;
	msgstream_set_rows(ms, rows, nrows, ctx);
	buf_init(&ms->rx, 0);
	msgstream_set_max(ms, max);
	buf_init(&ms->fed, WIRE_HDR_MAX + max);
	buf_init(&ms->tx, MSGSTREAM_QUEUE_MAX);
	tp_stream_set_ops(s, &stream_ops, ms);
	*out = ms;
	return 0;
}

void
msgstream_free(struct msgstream **msp)
{
	struct msgstream *ms = *msp;

	*msp = NULL;
	if (ms == NULL || ms->freed)
		return;
	if (ms->s != NULL) {
		if (!ms->tx_over)
			tp_stream_reset(ms->s, TP_E_CANCELLED);
		if (!ms->rx_fin)
			tp_stream_stop(ms->s, TP_E_CANCELLED);
		chan_detach(ms->s);
		ms->s = NULL;
	}
	ms->freed = true;
	ms_enter(ms);
	ms_leave(ms);
}

void
msgstream_set_rows(struct msgstream *ms, const struct msg_row *rows, size_t nrows, void *ctx)
{
	ms->rows = rows;
	ms->nrows = nrows;
	ms->ctx = ctx;
}

void
msgstream_set_phase(struct msgstream *ms, uint32_t phase)
{
	ms->phase = phase;
}

void
msgstream_set_max(struct msgstream *ms, size_t max)
{
	ms->max = max;
	ms->rx.max = WIRE_HDR_MAX + max;
}

struct tp_stream *
msgstream_stream(struct msgstream *ms)
{
	return ms->s;
}
