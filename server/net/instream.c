/* Unidirectional streams of the client: the header is read here, then the stream goes to
 * its session. Nothing is read before the user is known; a stream whose channel is still to
 * come is held. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/chan/detach.h"
#include "server/net/net.h"
#include "server/net/session.h"

#define HDR_MAX 24 /* three varints */

struct instream {
	struct instream *next;
	struct net *net;
	struct tp_stream *s;
	uint8_t hdr[HDR_MAX];
	size_t nhdr;
	/* The header is known, its last byte left to the transport: what was taken whole
	 * would be over, where FIN came with it, before anybody wants it. */
	bool waiting;
	uint64_t chan;
	struct session *session; /* that waits for it, or it for that; NULL: not opened yet */
};

static void
forget(struct instream *is)
{
	struct instream **at = &is->net->instreams;

	while (*at != is)
		at = &(*at)->next;
	*at = is->next;
	if (is->session != NULL)
		session_input_gone(is->session);
	free(is);
}

void
instream_refuse(struct instream **isp)
{
	struct instream *is = *isp;

	*isp = NULL;
	is->session = NULL;
	tp_stream_stop(is->s, TP_E_CANCELLED);
	chan_detach(is->s);
	forget(is);
}

void
instream_ready(struct instream *is)
{
	is->waiting = false;
	tp_stream_resume(is->s);
}

/* ---- the header ------------------------------------------------------------------ */

enum outcome {
	MORE, /* bytes are missing */
	WAIT, /* nobody wants the stream yet */
	DONE, /* it is in other hands; is has been freed */
};

static enum outcome
other_type(struct instream *is, uint64_t type)
{
	if (type == WIRE_UNI_SETTINGS)
		net_close(is->net, TP_E_PROTOCOL, "a settings stream from a client");
	else if (type % 2 == 0)
		net_close(is->net, TP_E_UNKNOWN, "unknown stream type %llu",
		    (unsigned long long)type);
	instream_refuse(&is);
	return DONE;
}

static enum outcome
wrong(struct instream *is, const char *what)
{
	net_close(is->net, TP_E_PROTOCOL, "data stream %llu %s",
	    (unsigned long long)tp_stream_id(is->s), what);
	instream_refuse(&is);
	return DONE;
}

static enum outcome
attach(struct instream *is, bool fin)
{
	struct session *sess = session_find(is->net, is->chan);
	struct tp_stream *s = is->s;

	if (sess == NULL && !chanids_has(&is->net->seen, is->chan))
		return WAIT;
	switch (sess != NULL ? session_claim_input(sess, is) : QERR_CLOSED) {
	case 0:
		is->session = NULL;
		forget(is);
		session_input_start(sess, s, fin);
		return DONE;
	case QERR_AGAIN:
		is->session = sess;
		return WAIT;
	case QERR_EXISTS:
		return wrong(is, "is a second input of its channel");
	default:
		instream_refuse(&is);
		return DONE;
	}
}

/* fin: nothing follows the header as it is now. */
static enum outcome
header(struct instream *is, bool fin)
{
	uint64_t type, kind;
	struct rd r;

	rd_init(&r, is->hdr, is->nhdr);
	type = rd_varint(&r);
	if (r.err < 0)
		return MORE;
	if (type != WIRE_UNI_DATA)
		return other_type(is, type);
	is->chan = rd_varint(&r);
	kind = rd_varint(&r);
	if (r.err < 0)
		return MORE;
	if (!chanids_valid(is->chan) || is->chan == 0)
		return wrong(is, "names no channel");
	if (kind != WIRE_DATA_IN)
		return wrong(is, "is of a kind that only the server sends");
	return attach(is, fin);
}

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct instream *is = arg;
	size_t used = 0;

	(void)s;
	if (!is->net->authed || is->waiting)
		return 0;
	while (used < n) {
		is->hdr[is->nhdr++] = p[used++];
		switch (header(is, fin && used == n)) {
		case MORE:
			break;
		case WAIT:
			is->waiting = true;
			is->nhdr--;
			return used - 1;
		case DONE:
			return used;
		}
	}
	if (fin)
		(void)wrong(is, "ends within its header");
	return used;
}

static void
on_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)code;
	chan_detach(s);
	forget(arg);
}

static void
on_closed(void *arg, struct tp_stream *s)
{
	(void)s;
	forget(arg);
}

static const struct tp_stream_ops instream_ops = {
	.data = on_data,
	.reset = on_reset,
	.closed = on_closed,
};

/* ---- life ------------------------------------------------------------------------ */

void
instream_opened(struct net *net, struct tp_stream *s)
{
	struct instream *is = calloc(1, sizeof(*is));

	if (is == NULL) {
		chan_detach(s);
		net_close(net, TP_E_INTERNAL, "no memory for a stream");
		return;
	}
	is->net = net;
	is->s = s;
	is->next = net->instreams;
	net->instreams = is;
	tp_stream_set_ops(s, &instream_ops, is);
}

void
instreams_resume(struct net *net)
{
	for (struct instream *is = net->instreams; is != NULL; is = is->next)
		tp_stream_resume(is->s);
}

void
instreams_claim(struct net *net, uint64_t chan)
{
	for (struct instream *is = net->instreams; is != NULL; is = is->next)
		if (is->waiting && is->session == NULL && is->chan == chan)
			instream_ready(is);
}

void
instreams_free(struct net *net)
{
	while (net->instreams != NULL) {
		struct instream *is = net->instreams;

		instream_refuse(&is);
	}
}
