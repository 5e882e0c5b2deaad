/* A transport in memory: two connected ends, driven by the event loop, with windows,
 * buffers and stream limits as small as a test wants them. It keeps the promises of
 * common/net/transport.h and makes the most of its freedoms: data comes in small pieces,
 * callbacks only from the loop. */
#ifndef QSH_TESTS_FAKE_TRANSPORT_H
#define QSH_TESTS_FAKE_TRANSPORT_H

#include "common/ev/ev.h"
#include "common/net/transport.h"

/* What one end permits the other, and how it sends. */
struct fake_limits {
	uint64_t conn_window, stream_window; /* bytes that the peer may have in flight to us */
	uint64_t max_bidi, max_uni;          /* streams the peer may have open at a time */
	size_t send_buffer;                  /* per stream */
	size_t segment;                      /* bytes offered to the peer at a time; 1: byte by byte */
};
static inline void
fake_limits_default(struct fake_limits *l)
{
	*l = (struct fake_limits){
		.conn_window = 64 * 1024,
		.stream_window = 32 * 1024,
		.max_bidi = 16,
		.max_uni = 16,
		.send_buffer = 16 * 1024,
		.segment = 1000,
	};
}

/* Both are the caller's (tp_conn_free). 0 or QERR_NOMEM. */
int fake_pair(struct ev *ev, const struct fake_limits *client_limits,
    const struct fake_limits *server_limits, struct tp_conn **client, struct tp_conn **server);
/* The handshake is complete at this end: it says so, and exporter and key can be had. */
void fake_handshake(struct tp_conn *c);
/* The end closes as by this event of the network; its peer learns nothing. */
void fake_break(struct tp_conn *c, const struct tp_close *why);
/* What the layer above has set. */
uint64_t fake_idle(const struct tp_conn *c);
uint64_t fake_keepalive(const struct tp_conn *c);
uint64_t fake_window(const struct tp_conn *c);
uint64_t fake_max_bidi(const struct tp_conn *c);
uint64_t fake_max_uni(const struct tp_conn *c);
/* Streams that are alive at this end. */
size_t fake_streams(const struct tp_conn *c);
/* Bytes received and not taken by the layer above. */
size_t fake_kept(const struct tp_conn *c);
enum tp_prio fake_prio(const struct tp_stream *s);
struct tp_stream *fake_stream(struct tp_conn *c, uint64_t id); /* NULL: none */

#endif
