/* Framed messages (type, length, body) on a bidirectional stream: the control stream and
 * every channel's request stream. */
#ifndef QSH_CHAN_MSGSTREAM_H
#define QSH_CHAN_MSGSTREAM_H

#include "common/base/buf.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"

/* Bytes that may wait to be sent. */
#define MSGSTREAM_QUEUE_MAX (1024 * 1024)

struct msgstream;

/* Messages of unknown types are skipped (odd) or end the connection (even). Those of the
 * protocol that no row has, or that their row does not permit in this phase, end it.
 *
 * A negative return ends the connection with the matching TP_E_* code and a reason that
 * names the message; QERR_AGAIN: not now, the message is handed again after
 * msgstream_resume. body is valid during the call. The handler may call any function of
 * this header. */
typedef int msg_handler_fn(void *ctx, struct msgstream *ms, struct rd *body);

struct msg_row {
	uint64_t type;
	const char *name;
	uint32_t phases; /* bit mask */
	msg_handler_fn *fn;
};

/* Any may be NULL. Each may free ms. */
struct msgstream_ops {
	void (*eof)(void *ctx, struct msgstream *ms); /* FIN between messages */
	/* The peer reset its side or stopped ours; once. */
	void (*failed)(void *ctx, struct msgstream *ms, uint64_t code);
	void (*closed)(void *ctx, struct msgstream *ms); /* the stream is gone; free ms */
};

/* Wraps a stream (sets its ops). rows and ops must stay valid. max: largest body.
 * QERR_NOMEM. */
int msgstream_new(struct msgstream **out, struct tp_stream *s, const struct msg_row *rows,
    size_t nrows, size_t max, const struct msgstream_ops *ops, void *ctx);
/* Clears the caller's pointer; NULL is fine. A side of the stream that has not ended is
 * abandoned (TP_E_CANCELLED), and what is still queued for sending with it. */
void msgstream_free(struct msgstream **ms);
void msgstream_set_rows(struct msgstream *ms, const struct msg_row *rows, size_t nrows, void *ctx);
void msgstream_set_phase(struct msgstream *ms, uint32_t phase); /* 1 at first */
void msgstream_set_max(struct msgstream *ms, size_t max);
/* NULL once the stream is gone. */
struct tp_stream *msgstream_stream(struct msgstream *ms);
/* Queues a message. body may be NULL. QERR_CLOSED, QERR_TOOBIG (over 1 MiB queued),
 * QERR_NOMEM. */
int msgstream_send(struct msgstream *ms, uint64_t type, const struct buf *body);
/* FIN after what is queued. */
void msgstream_fin(struct msgstream *ms);
/* Stops and restarts handling of messages (data waits, credit is held back). What the stream
 * keeps is offered from the loop; bytes given by msgstream_feed are handled before
 * msgstream_resume returns, and so is a FIN that came meanwhile. */
void msgstream_hold(struct msgstream *ms);
void msgstream_resume(struct msgstream *ms);
/* First bytes that somebody read from the stream before (a stream's OPEN message): handled
 * first, before the call returns unless held. QERR_NOMEM, QERR_TOOBIG. */
int msgstream_feed(struct msgstream *ms, const void *p, size_t n);

#endif
