/* What is said about a connection: how it is, and why it ended. Pure. */
#ifndef QSH_CLIENT_WORDS_H
#define QSH_CLIENT_WORDS_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/net/transport.h"

/* The end of a connection that we did not want, lines ended by newlines. host: as the user named it; remote:
 * its address; running: a session was under way. */
int words_end(struct buf *b, const struct tp_close *why, const char *host,
    const struct addr *remote, bool running);
/* ~s: round trip, loss, path, bytes, age, engine. now: of the clock of st->last_rx_ns. */
int words_state(struct buf *b, const struct tp_stats *st, const char *host, uint64_t now);

#endif
