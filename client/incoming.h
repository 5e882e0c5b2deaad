/* Streams that the server opens: its settings, and the outputs of sessions. */
#ifndef QSH_CLIENT_INCOMING_H
#define QSH_CLIENT_INCOMING_H

#include "common/net/transport.h"

struct incoming;

/* A data stream's header was read, and nothing more; fin: its FIN was seen with it. Sets the stream's
 * ops and resumes it. False: nobody wants it (the server is told). */
typedef bool incoming_data_fn(void *arg, struct tp_stream *s, uint64_t chan, uint64_t kind,
    bool fin);

/* QERR_NOMEM. */
int incoming_new(struct incoming **out, struct tp_conn *conn, incoming_data_fn *fn, void *arg);
/* For tp_conn_ops.stream_opened. */
void incoming_stream(struct incoming *in, struct tp_stream *s);
/* Before tp_conn_free, or after the connection was closed. */
void incoming_free(struct incoming **in);

#endif
