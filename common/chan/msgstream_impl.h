/* What the files of a message stream share. */
#ifndef QSH_CHAN_MSGSTREAM_IMPL_H
#define QSH_CHAN_MSGSTREAM_IMPL_H

#include "common/chan/msgstream.h"

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

/* ---- msgstream.c: around everything that may call the owner, who may free ms */
void ms_enter(struct msgstream *ms);
void ms_leave(struct msgstream *ms);

/* ---- msgstream_rx.c */
/* The connection ends: the peer broke the protocol, or we cannot go on. */
void ms_fail(struct msgstream *ms, uint64_t code, const char *reason);
/* The stream's data(). */
size_t ms_on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin);

#endif
