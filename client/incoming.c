#include "client/incoming.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/chan/msgstream.h"
#include "common/wire/wire.h"

#define HEADER_MAX 24 /* three varints */

/* A stream whose header is not complete yet, or the settings stream. */
struct entry {
	struct incoming *in;
	struct tp_stream *s;
	struct msgstream *settings;
	uint8_t header[HEADER_MAX];
	size_t n;
	struct entry *next;
};

struct incoming {
	struct tp_conn *conn;
	incoming_data_fn *fn;
	void *arg;
	struct entry *entries;
	bool settings_seen;
};

static void
drop(struct entry *e)
{
	for (struct entry **p = &e->in->entries; *p; p = &(*p)->next) {
		if (*p != e)
			continue;
		*p = e->next;
		if (e->settings)
			msgstream_free(&e->settings);
		free(e);
		return;
	}
}

static int
on_settings(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct wire_settings m;
	char version[128];
	int rc = wire_get_settings(body, &m);

	(void)ctx;
	if (rc < 0)
		return rc;
	log_debug("Remote software version %s", str_vis(version, sizeof(version), m.version,
	    strlen(m.version)));
	wire_free_settings(&m);
	msgstream_set_phase(ms, 2);
	return 0;
}

static const struct msg_row settings_rows[] = {
	{WIRE_SETTINGS, "SETTINGS", 1, on_settings},
};

static void
on_settings_closed(void *ctx, struct msgstream *ms)
{
	(void)ms;
	drop(ctx);
}

static const struct msgstream_ops settings_ops = {.closed = on_settings_closed};
static const struct tp_stream_ops no_ops = {0};

static void
take_settings(struct entry *e)
{
	if (e->in->settings_seen) {
		tp_conn_close(e->in->conn, TP_E_PROTOCOL, "a second settings stream");
		return;
	}
	e->in->settings_seen = true;
	if (msgstream_new(&e->settings, e->s, settings_rows, 1, WIRE_CONTROL_MAX, &settings_ops,
	    e) < 0)
		tp_conn_close(e->in->conn, TP_E_INTERNAL, "out of memory");
	else
		tp_stream_resume(e->s);
}

/* The header is complete: hands the stream to whom it belongs. What follows the header stays with the
 * transport, and is offered again to the new owner. */
static void
dispatch(struct entry *e, uint64_t kind, struct rd *r, bool fin)
{
	struct incoming *in = e->in;
	struct tp_stream *s = e->s;
	uint64_t chan = rd_varint(r), what = rd_varint(r);

	if (kind == WIRE_UNI_SETTINGS) {
		take_settings(e);
		return;
	}
	drop(e);
	tp_stream_set_ops(s, &no_ops, NULL);
	if (kind == WIRE_UNI_DATA) {
		if (!in->fn(in->arg, s, chan, what, fin))
			tp_stream_stop(s, TP_E_CANCELLED);
	} else if (kind % 2 == 0) {
		tp_conn_close(in->conn, TP_E_UNKNOWN, "unknown stream type");
	} else {
		tp_stream_stop(s, TP_E_CANCELLED);
	}
}

/* True once all of the header is there; rest: what follows the stream's type. */
static bool
header_complete(const struct entry *e, uint64_t *kind, struct rd *rest)
{
	struct rd r;

	rd_init(&r, e->header, e->n);
	*kind = rd_varint(&r);
	*rest = r;
	if (*kind == WIRE_UNI_DATA) {
		rd_varint(&r);
		rd_varint(&r);
	}
	return r.err == 0;
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct entry *e = arg;
	uint64_t kind;
	struct rd rest;

	for (size_t i = 0; i < n && e->n < HEADER_MAX; i++) {
		e->header[e->n++] = p[i];
		if (!header_complete(e, &kind, &rest))
			continue;
		dispatch(e, kind, &rest, fin && i + 1 == n);
		return i + 1;
	}
	if (fin) {
		drop(e);
		tp_stream_set_ops(s, &no_ops, NULL);
	}
	return n;
}

static void
on_gone(void *arg, struct tp_stream *s)
{
	(void)s;
	drop(arg);
}

static const struct tp_stream_ops header_ops = {.data = on_data, .closed = on_gone};

void
incoming_stream(struct incoming *in, struct tp_stream *s)
{
	struct entry *e;

	if (!tp_stream_is_uni(s))
		return; /* not set up: refused */
	e = calloc(1, sizeof(*e));
	if (!e)
		return;
	e->in = in;
	e->s = s;
	e->next = in->entries;
	in->entries = e;
	tp_stream_set_ops(s, &header_ops, e);
}

int
incoming_new(struct incoming **out, struct tp_conn *conn, incoming_data_fn *fn, void *arg)
{
	struct incoming *in = calloc(1, sizeof(*in));

	*out = in;
	if (!in)
		return QERR_NOMEM;
	*in = (struct incoming){.conn = conn, .fn = fn, .arg = arg};
	return 0;
}

void
incoming_free(struct incoming **inp)
{
	struct incoming *in = *inp;

	if (!in)
		return;
	while (in->entries)
		drop(in->entries);
	free(in);
	*inp = NULL;
}
