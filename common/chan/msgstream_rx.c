/* From bytes in any pieces to messages. */
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/chan/msgstream_impl.h"

/* Memory that an idle stream may keep for the next message in pieces. */
#define RX_KEEP 1024

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

struct header {
	uint64_t type, len;
	size_t hdrlen;
};

void
ms_fail(struct msgstream *ms, uint64_t code, const char *reason)
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
	ms_fail(ms, code_of(err), reason);
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
		ms_fail(ms, code_of(r), "no memory for a message");
	return n;
}

/* A message of the protocol, but none for this stream or this side. */
static bool
is_misplaced(uint64_t type)
{
	return strcmp(wire_type_name(type), "unknown") != 0;
}

/* A message of a type that is in no row. Returns how much of p belongs to its header. */
static size_t
unknown_message(struct msgstream *ms, const struct header *h)
{
	size_t used = h->hdrlen - buf_len(&ms->rx);
	char reason[96];

	buf_reset(&ms->rx);
	if (is_misplaced(h->type)) {
		(void)snprintf(reason, sizeof(reason), "%s message: not permitted here",
		    wire_type_name(h->type));
		ms_fail(ms, TP_E_PROTOCOL, reason);
	} else if (h->type % 2 == 0) {
		(void)snprintf(reason, sizeof(reason), "unknown message type %llu",
		    (unsigned long long)h->type);
		ms_fail(ms, TP_E_UNKNOWN, reason);
	} else if (h->len > ms->max) {
		(void)snprintf(reason, sizeof(reason),
		    "message of unknown type %llu: %s", (unsigned long long)h->type,
		    qerr_str(QERR_TOOBIG));
		ms_fail(ms, TP_E_LIMIT, reason);
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

/* The last piece of a message: always at least one byte of it is in p, so that a message
 * refused for now can be left to the transport, which offers it again. */
static size_t
complete(struct msgstream *ms, const struct msg_row *row, const struct header *h,
    const uint8_t *p)
{
	size_t old = buf_len(&ms->rx), len = (size_t)h->len, take = h->hdrlen + len - old;

	if (old == 0)
		return dispatch(ms, row, p + h->hdrlen, len) ? take : 0;
	if (buf_put(&ms->rx, p, take) < 0) {
		ms_fail(ms, TP_E_INTERNAL, "no memory for a message");
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
		ms_fail(ms, TP_E_PROTOCOL, "a stream ends within a message");
	else if (ms->ops->eof != NULL)
		ms->ops->eof(ms->ctx, ms);
}

size_t
ms_on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct msgstream *ms = arg;
	size_t used = 0;

	(void)s;
	ms_enter(ms);
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
	ms_leave(ms);
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
	ms_enter(ms);
	input_fed(ms);
	if (ms->eof_due && !ms->held && buf_len(&ms->fed) == 0)
		input_eof(ms);
	ms_leave(ms);
}

int
msgstream_feed(struct msgstream *ms, const void *p, size_t n)
{
	int r = buf_put(&ms->fed, p, n);

	if (r < 0)
		return r;
	if (ms->held || ms->busy > 0)
		return 0;
	ms_enter(ms);
	input_fed(ms);
	ms_leave(ms);
	return 0;
}
