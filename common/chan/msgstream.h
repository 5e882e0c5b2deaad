/* Framed messages (type, length, body) on a bidirectional stream: the control stream and
 * every channel's request stream. */
#ifndef QSH_CHAN_MSGSTREAM_H
#define QSH_CHAN_MSGSTREAM_H

#include "common/base/buf.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"

struct msgstream;

/* A negative return ends the connection with the matching TP_E_* code and a reason that
 * names the message; QERR_AGAIN: not now, the message is handed again after msgstream_resume. */
typedef int msg_handler_fn(void *ctx, struct msgstream *ms, struct rd *body);

struct msg_row {
	uint64_t type;
	const char *name;
	uint32_t phases; /* bit mask */
	msg_handler_fn *fn;
};

struct msgstream_ops {
	void (*eof)(void *ctx, struct msgstream *ms);                  /* FIN between messages */
	void (*failed)(void *ctx, struct msgstream *ms, uint64_t code); /* reset or stopped */
	void (*closed)(void *ctx, struct msgstream *ms);               /* the stream is gone; free ms */
};

/* Wraps a stream (sets its ops). rows and ops must stay valid. max: largest body. QERR_NOMEM. */
int msgstream_new(struct msgstream **out, struct tp_stream *s, const struct msg_row *rows,
    size_t nrows, size_t max, const struct msgstream_ops *ops, void *ctx);
void msgstream_free(struct msgstream **ms);
void msgstream_set_rows(struct msgstream *ms, const struct msg_row *rows, size_t nrows, void *ctx);
void msgstream_set_phase(struct msgstream *ms, uint32_t phase); /* 1 at first */
void msgstream_set_max(struct msgstream *ms, size_t max);
struct tp_stream *msgstream_stream(struct msgstream *ms);
/* Queues a message. body may be NULL. QERR_CLOSED, QERR_TOOBIG (over 1 MiB queued), QERR_NOMEM. */
int msgstream_send(struct msgstream *ms, uint64_t type, const struct buf *body);
void msgstream_fin(struct msgstream *ms);
/* Stops and restarts handling of messages (data waits, credit is held back). */
void msgstream_hold(struct msgstream *ms);
void msgstream_resume(struct msgstream *ms);
/* First bytes that somebody read from the stream before (a stream's OPEN message): handled first. */
int msgstream_feed(struct msgstream *ms, const void *p, size_t n);

#endif
