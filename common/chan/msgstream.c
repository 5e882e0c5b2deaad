#include "common/chan/msgstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/chan/detach.h"

/* Memory that an idle stream may keep for the next message in pieces. */
#define RX_KEEP 1024

struct msgstream {
	struct tp_stream *s;
	const struct msg_row *rows;
	size_t nrows;
	const struct msgstream_ops *ops;
	void *ctx;
	uint32_t phase;
	size_t max;       /* largest body */
	struct buf rx;    /* the beginning of a message whose end has not come */
	struct buf fed;   /* given by msgstream_feed and not handled yet */
	struct buf tx;    /* waiting for room in the stream */
	uint64_t skip;    /* bytes left of an optional message that nobody knows */
	unsigned busy;    /* depth of callbacks: freeing waits for the outermost */
	bool held, freed;
	bool over;        /* the peer broke the protocol: the connection ends */
	bool rx_fin, eof_due, tx_fin_due, tx_over, failed;
};

/* What the peer is told for an error of ours. */
static const struct {
	int err;
	uint64_t code;
} err_codes[] = {
	{QERR_TRUNC, TP_E_PROTOCOL},
	{QERR_FORMAT, TP_E_PROTOCOL},
	{QERR_PHASE, TP_E_PROTOCOL},
	{QERR_PROTO, TP_E_PROTOCOL},
	{QERR_INVAL, TP_E_PROTOCOL},
	{QERR_EXISTS, TP_E_PROTOCOL},
	{QERR_NOTFOUND, TP_E_PROTOCOL},
	{QERR_UNKNOWN, TP_E_UNKNOWN},
	{QERR_TOOBIG, TP_E_LIMIT},
	{QERR_DENIED, TP_E_DENIED},
	{QERR_TIMEOUT, TP_E_TIMEOUT},
};

static uint64_t
code_of(int err)
{
	for (size_t i = 0; i < sizeof(err_codes) / sizeof(err_codes[0]); i++)
		if (err_codes[i].err == err)
			return err_codes[i].code;
	return TP_E_INTERNAL;
}

/* ---- receiving ---------------------------------------------------------------- */

struct header {
	uint64_t type, len;
	size_t hdrlen;
};

static void
fail(struct msgstream *ms, uint64_t code, const char *reason)
{
	ms->over = true;
	if (ms->s != NULL)
		tp_conn_close(tp_stream_conn(ms->s), code, reason);
}

static void
fail_msg(struct msgstream *ms, const struct msg_row *row, int err)
{
	char reason[160];

	(void)snprintf(reason, sizeof(reason), "%s message: %s", row->name, qerr_str(err));
	fail(ms, code_of(err), reason);
}

static const struct msg_row *
find_row(const struct msgstream *ms, uint64_t type)
{
	for (size_t i = 0; i < ms->nrows; i++)
		if (ms->rows[i].type == type)
			return &ms->rows[i];
	return NULL;
}

/* The header of the message that begins in rx and goes on in p. False: not all there yet. */
static bool
read_header(const struct msgstream *ms, const uint8_t *p, size_t n, struct header *h)
{
	uint8_t hdr[WIRE_HDR_MAX];
	size_t have = buf_len(&ms->rx);
	struct rd r;

	if (have == 0) {
		rd_init(&r, p, n);
	} else {
		size_t old = have < sizeof(hdr) ? have : sizeof(hdr);
		size_t add = n < sizeof(hdr) - old ? n : sizeof(hdr) - old;

		memcpy(hdr, buf_data(&ms->rx), old);
		memcpy(hdr + old, p, add);
		n = old + add;
		rd_init(&r, hdr, n);
	}
	h->type = rd_varint(&r);
	h->len = rd_varint(&r);
	h->hdrlen = n - r.n;
	return r.err == 0;
}

/* Keeps all of p for later. */
static size_t
keep(struct msgstream *ms, const uint8_t *p, size_t n)
{
	int r = buf_put(&ms->rx, p, n);

	if (r < 0)
		fail(ms, code_of(r), "no memory for a message");
	return n;
}

/* A message of a type that is in no row. Returns how much of p belongs to its header. */
static size_t
unknown_message(struct msgstream *ms, const struct header *h)
{
	size_t used = h->hdrlen - buf_len(&ms->rx);
	char reason[96];

	buf_reset(&ms->rx);
	if (h->type % 2 == 0) {
		(void)snprintf(reason, sizeof(reason), "unknown message type %llu",
		    (unsigned long long)h->type);
		fail(ms, TP_E_UNKNOWN, reason);
	} else if (h->len > ms->max) {
		(void)snprintf(reason, sizeof(reason),
		    "message of unknown type %llu: %s", (unsigned long long)h->type,
		    qerr_str(QERR_TOOBIG));
		fail(ms, TP_E_LIMIT, reason);
	} else {
		log_debug3("skipping a message of unknown type %llu", (unsigned long long)h->type);
		ms->skip = h->len;
	}
	return used;
}

/* Hands a complete message on. False: the handler wants it later. */
static bool
dispatch(struct msgstream *ms, const struct msg_row *row, const uint8_t *body, size_t len)
{
	struct rd r;
	int err;

	if ((row->phases & ms->phase) == 0) {
		fail_msg(ms, row, QERR_PHASE);
		return true;
	}
	rd_init(&r, body, len);
	err = row->fn(ms->ctx, ms, &r);
	if (ms->freed)
		return true;
	if (err == QERR_AGAIN) {
		ms->held = true;
		return false;
	}
	if (err < 0)
		fail_msg(ms, row, err);
	return true;
}

/* The last piece of a message: always at least one byte of it is in p, so that a message refused
 * for now can be left to the transport, which offers it again. */
static size_t
complete(struct msgstream *ms, const struct msg_row *row, const struct header *h,
    const uint8_t *p)
{
	size_t old = buf_len(&ms->rx), len = (size_t)h->len, take = h->hdrlen + len - old;

	if (old == 0)
		return dispatch(ms, row, p + h->hdrlen, len) ? take : 0;
	if (buf_put(&ms->rx, p, take) < 0) {
		fail(ms, TP_E_INTERNAL, "no memory for a message");
		return take;
	}
	if (!dispatch(ms, row, buf_data(&ms->rx) + h->hdrlen, len)) {
		ms->rx.len -= take;
		return 0;
	}
	if (ms->rx.cap > RX_KEEP)
		buf_free(&ms->rx);
	else
		buf_reset(&ms->rx);
	return take;
}

/* One step: a message, or what there is of it. Returns bytes of p used; 0 only where held. */
static size_t
step(struct msgstream *ms, const uint8_t *p, size_t n)
{
	const struct msg_row *row;
	struct header h;

	if (ms->skip > 0) {
		size_t take = ms->skip < n ? (size_t)ms->skip : n;

		ms->skip -= take;
		return take;
	}
	if (!read_header(ms, p, n, &h))
		return keep(ms, p, n);
	row = find_row(ms, h.type);
	if (row == NULL)
		return unknown_message(ms, &h);
	if (h.len > ms->max) {
		fail_msg(ms, row, QERR_TOOBIG);
		return n;
	}
	if (buf_len(&ms->rx) + n < h.hdrlen + h.len)
		return keep(ms, p, n);
	return complete(ms, row, &h, p);
}

static size_t
input(struct msgstream *ms, const uint8_t *p, size_t n)
{
	size_t used = 0;

	while (used < n && !ms->held && !ms->over && !ms->freed)
		used += step(ms, p + used, n - used);
	return ms->over || ms->freed ? n : used;
}

static void
input_fed(struct msgstream *ms)
{
	size_t used;

	if (buf_len(&ms->fed) == 0)
		return;
	used = input(ms, buf_data(&ms->fed), buf_len(&ms->fed));
	if (used < buf_len(&ms->fed))
		buf_consume(&ms->fed, used);
	else
		buf_free(&ms->fed);
}

static void
input_eof(struct msgstream *ms)
{
	ms->eof_due = false;
	if (ms->over || ms->freed)
		return;
	if (buf_len(&ms->rx) > 0 || ms->skip > 0)
		fail(ms, TP_E_PROTOCOL, "a stream ends within a message");
	else if (ms->ops->eof != NULL)
		ms->ops->eof(ms->ctx, ms);
}

static void
enter(struct msgstream *ms)
{
	ms->busy++;
}

static void
leave(struct msgstream *ms)
{
	if (--ms->busy > 0 || !ms->freed)
		return;
	buf_free(&ms->rx);
	buf_free(&ms->fed);
	buf_free(&ms->tx);
	free(ms);
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct msgstream *ms = arg;
	size_t used = 0;

	(void)s;
	enter(ms);
	input_fed(ms);
	if (buf_len(&ms->fed) == 0)
		used = input(ms, p, n);
	if (fin && used == n) {
		ms->rx_fin = true;
		if (ms->held || buf_len(&ms->fed) > 0)
			ms->eof_due = true;
		else
			input_eof(ms);
	}
	leave(ms);
	return used;
}

void
msgstream_hold(struct msgstream *ms)
{
	ms->held = true;
}

void
msgstream_resume(struct msgstream *ms)
{
	ms->held = false;
	if (ms->s != NULL)
		tp_stream_resume(ms->s);
	if (ms->busy > 0)
		return;
	enter(ms);
	input_fed(ms);
	if (ms->eof_due && !ms->held && buf_len(&ms->fed) == 0)
		input_eof(ms);
	leave(ms);
}

int
msgstream_feed(struct msgstream *ms, const void *p, size_t n)
{
	int r = buf_put(&ms->fed, p, n);

	if (r < 0)
		return r;
	if (ms->held || ms->busy > 0)
		return 0;
	enter(ms);
	input_fed(ms);
	leave(ms);
	return 0;
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
		fail(ms, TP_E_INTERNAL, "no memory for a message");
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
	enter(ms);
	if (ms->ops->failed != NULL)
		ms->ops->failed(ms->ctx, ms, code);
	leave(ms);
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
	enter(ms);
	if (ms->ops->closed != NULL)
		ms->ops->closed(ms->ctx, ms);
	leave(ms);
}

static const struct tp_stream_ops stream_ops = {
	.data = on_data,
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
	enter(ms);
	leave(ms);
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
