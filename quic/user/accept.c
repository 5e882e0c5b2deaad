/* A server's end of a byte stream until the first datagram has come: only then there is a connection. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ngtcp2/ngtcp2.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "quic/trace.h"
#include "quic/user/strio.h"

struct quic_accept {
	struct ev *ev;
	struct quic_carrier via;
	struct ev_io *io;
	struct qframe_rx *rx;
	struct quic_server_cfg cfg;
	struct quic_server_host host;
	const struct tp_conn_ops *ops;
	quic_accept_fn *done;
	void *arg;
};

static void
failed(struct quic_accept *a, const char *why)
{
	ev_io_free(&a->io);
	a->done(a->arg, NULL, why);
}

static void
answer_stranger(struct quic_accept *a)
{
	static const char text[] = QUIC_STREAM_NAME " this is qshd: it speaks qsh, and nothing else\r\n";
	char words[224], why[256];
	const char *what = qframe_rx_stranger(a->rx, false, words, sizeof(words));

	/* Best effort: it is told, or not. */
	if (write(a->via.out, text, sizeof(text) - 1) < 0)
		errno = 0;
	snprintf(why, sizeof(why), "what has connected %s", what != NULL ? what : "is silent");
	failed(a, why);
}

static void
set_cid(struct quic_cid *dst, const ngtcp2_cid *src)
{
	memset(dst, 0, sizeof(*dst));
	dst->len = (uint8_t)src->datalen;
	memcpy(dst->id, src->data, src->datalen);
}

/* done may free a. */
static void
first_datagram(struct quic_accept *a, const uint8_t *p, size_t n)
{
	struct tp_conn *c;
	ngtcp2_pkt_hd hd;
	int r;

	if (ngtcp2_accept(&hd, p, n) != 0) {
		failed(a, "its first packet is none that begins a connection");
		return;
	}
	set_cid(&a->cfg.odcid, &hd.dcid);
	set_cid(&a->cfg.client_scid, &hd.scid);
	a->cfg.version = hd.version;
	ev_io_free(&a->io);
	/* It has what was ours now. */
	r = strio_server(&c, a->ev, &a->cfg, &a->via, &a->rx, p, n, &a->host, a->ops, a->arg);
	a->cfg.trace = NULL;
	if (r != 0)
		a->done(a->arg, NULL, qerr_str(r));
	else
		a->done(a->arg, c, NULL);
}

static void
on_readable(void *arg, int fd, unsigned what)
{
	struct quic_accept *a = arg;
	const uint8_t *p;
	uint8_t *to;
	size_t n;
	ssize_t k;
	int r;

	(void)what;
	to = qframe_rx_room(a->rx, &n);
	k = read(fd, to, n);
	if (k < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (k <= 0) {
		failed(a, k == 0 ? "it was closed before anything came" : strerror(errno));
		return;
	}
	qframe_rx_filled(a->rx, (size_t)k);
	r = qframe_rx_next(a->rx, &p, &n);
	if (r == 1)
		first_datagram(a, p, n);
	else if (r == QERR_PROTO)
		answer_stranger(a);
	else if (r < 0)
		failed(a, "it sent a frame without content");
}

int
quic_accept_new(struct quic_accept **out, struct ev *ev, const struct quic_server_cfg *cfg,
    struct quic_carrier *via, const struct quic_server_host *host, const struct tp_conn_ops *ops,
    quic_accept_fn *done, void *arg)
{
	struct quic_accept *a = calloc(1, sizeof(*a));
	struct quic_trace *trace = cfg->trace;
	int r;

	*out = NULL;
	if (a == NULL) {
		strio_close(via);
		quic_trace_free(&trace);
		return QERR_NOMEM;
	}
	*a = (struct quic_accept){.ev = ev, .via = *via, .cfg = *cfg, .host = *host, .ops = ops,
	    .done = done, .arg = arg};
	via->in = via->out = -1;
	r = fd_nonblock(a->via.in);
	if (r == 0)
		r = qframe_rx_new(&a->rx);
	if (r == 0)
		r = ev_io_new(&a->io, ev, a->via.in, EV_RD, on_readable, a);
	if (r != 0) {
		quic_accept_free(&a);
		return r;
	}
	*out = a;
	return 0;
}

void
quic_accept_free(struct quic_accept **ap)
{
	struct quic_accept *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	ev_io_free(&a->io);
	qframe_rx_free(&a->rx);
	strio_close(&a->via);
	quic_trace_free(&a->cfg.trace);
	free(a);
}
