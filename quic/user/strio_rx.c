/* Datagrams out of the byte stream, and how a stream ends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "quic/user/strio_int.h"

#define ROUNDS 8 /* reads in one wake-up */

static const char *const subjects[] = {
	[QUIC_CARRIER_TCP] = "the TCP connection",
	[QUIC_CARRIER_COMMAND] = "the ProxyCommand",
	[QUIC_CARRIER_STDIO] = "standard input",
};

/* ---- the end ---- */

static void
lost(struct strio *io, enum tp_close_by by, bool remote, const char *text)
{
	io->deaf = true;
	ev_io_free(&io->in);
	ev_io_free(&io->out);
	qconn_carrier_lost(io->d.c, by, remote, text);
}

void
strio_failed(struct strio *io, int e)
{
	enum tp_close_by by = TP_CLOSED_CARRIER;
	char text[256];

	if (io->connecting && e == ECONNREFUSED)
		by = TP_CLOSED_REFUSED;
	else if (io->connecting && e == ETIMEDOUT)
		by = TP_CLOSED_HANDSHAKE_TIMEOUT;
	snprintf(text, sizeof(text), "%s%s: %s", subjects[io->via.kind],
	    io->connecting ? " cannot be made" : " broke", strerror(e));
	lost(io, by, false, text);
}

/* The peer speaks something else, or nothing. */
static void
lost_to_stranger(struct strio *io)
{
	char text[256], words[224];
	const char *what;

	if (qframe_rx_refused(io->rx, text, sizeof(text))) {
		lost(io, TP_CLOSED_REFUSED, true, text);
		return;
	}
	what = qframe_rx_stranger(io->rx, true, words, sizeof(words));
	if (what != NULL)
		snprintf(text, sizeof(text), "what answers there %s", what);
	else if (io->via.kind == QUIC_CARRIER_COMMAND)
		snprintf(text, sizeof(text), "the ProxyCommand ended before anything came from it");
	else
		snprintf(text, sizeof(text), "%s was closed before anything came",
		    subjects[io->via.kind]);
	lost(io, TP_CLOSED_CARRIER, true, text);
}

static void
lost_by_end(struct strio *io)
{
	char text[256];

	if (!qframe_rx_greeted(io->rx)) {
		lost_to_stranger(io);
		return;
	}
	snprintf(text, sizeof(text), "%s %s", subjects[io->via.kind],
	    io->via.kind == QUIC_CARRIER_TCP ? "was closed by the other side" : "ended");
	lost(io, TP_CLOSED_CARRIER, true, text);
}

/* ---- in ---- */

/* 0, or QERR_CLOSED: the connection and io are gone. */
static int
input(struct strio *io, const uint8_t *p, size_t n)
{
	return qconn_input(io->d.c, &io->path, 0, p, n, ev_now(io->d.ev));
}

static int
take_frames(struct strio *io)
{
	const uint8_t *p = io->first;
	size_t n = io->nfirst;
	int r;

	io->first = NULL;
	io->nfirst = 0;
	if (p != NULL && input(io, p, n) != 0)
		return QERR_CLOSED;
	while ((r = qframe_rx_next(io->rx, &p, &n)) == 1) {
		if (input(io, p, n) != 0)
			return QERR_CLOSED;
	}
	if (r == QERR_PROTO)
		lost_to_stranger(io);
	else if (r == QERR_FORMAT)
		lost(io, TP_CLOSED_CARRIER, true, "the other side sent a frame without content");
	return 0;
}

int
strio_read(struct strio *io)
{
	size_t room;
	uint8_t *p;
	ssize_t k;
	int round;

	if (take_frames(io) != 0)
		return QERR_CLOSED;
	for (round = 0; round < ROUNDS && !io->deaf; round++) {
		p = qframe_rx_room(io->rx, &room);
		k = read(io->via.in, p, room);
		if (k < 0 && strio_would_block(errno))
			return 0;
		if (k < 0)
			strio_failed(io, errno);
		else if (k == 0)
			lost_by_end(io);
		if (k <= 0)
			return 0;
		qframe_rx_filled(io->rx, (size_t)k);
		if (take_frames(io) != 0)
			return QERR_CLOSED;
		if ((size_t)k < room)
			break;
	}
	return 0;
}
