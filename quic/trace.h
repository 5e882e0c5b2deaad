/* What connections are recorded in, where somebody asked for it: a key log (NSS key log format, which
 * Wireshark reads) and a qlog (JSON-SEQ). Writing never holds a connection up for long nor ends it: what
 * cannot be written is told once, and the record ends there. */
#ifndef QSH_QUIC_TRACE_H
#define QSH_QUIC_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIC_TRACE_MAX (UINT64_C(64) * 1024 * 1024) /* bytes of one qlog, which ends there */

struct quic_trace;

/* keys, qlog: descriptors, taken over (also on failure), or -1. qlog_dir: where a file is made once the
 * connection has its name, if qlog is -1; NULL: none. *out NULL where there is nothing to record.
 * QERR_NOMEM. */
int quic_trace_new(struct quic_trace **out, int keys, int qlog, const char *qlog_dir);
/* Writes what is left. *t may be NULL. */
void quic_trace_free(struct quic_trace **t);

/* The rest is for the engine; t may be NULL. */

/* The connection's original destination connection ID is known. Is there a qlog? */
bool quic_trace_begin(struct quic_trace *t, const uint8_t *cid, size_t n, bool server);
/* One record, or a part of one. It is in the file a second later at the latest, if more follow. */
void quic_trace_qlog(struct quic_trace *t, const uint8_t *p, size_t n, uint64_t now);
/* A secret of TLS, by the names of the format. */
void quic_trace_key(struct quic_trace *t, const char *label, const uint8_t random[32],
    const uint8_t *secret, size_t n);

#endif
