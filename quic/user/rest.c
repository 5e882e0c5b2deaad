/* Memory at rest. A busy connection keeps what it has for the next packets; one that has been quiet for a
 * while gives it back, because most connections are a shell that nobody types at. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "quic/user/conn_int.h"

#define QUIET_AFTER NS_PER_S
#define QUIET_BYTES 32768 /* less than this meanwhile is typing */

static uint64_t
traffic(const struct tp_conn *c)
{
	return c->bytes_rx + c->bytes_tx;
}

static void
release(struct tp_conn *c)
{
	chunk_pool_free(&c->pool);
	if (!c->is_held) {
		free(c->txbuf);
		c->txbuf = NULL;
	}
	if (c->host->rest != NULL)
		c->host->rest(c->host_arg);
}

void
qrest_run(struct tp_conn *c)
{
	if (c->rest_at == 0 && traffic(c) - c->rest_traffic <= QUIET_BYTES)
		return;
	if (c->rest_at != 0 && c->now < c->rest_at)
		return;
	if (c->rest_at != 0 && traffic(c) - c->rest_traffic <= QUIET_BYTES) {
		release(c);
		c->rest_at = 0;
	} else {
		c->rest_at = c->now + QUIET_AFTER;
	}
	c->rest_traffic = traffic(c);
}

uint8_t *
qrest_txbuf(struct tp_conn *c)
{
	if (c->txbuf == NULL)
		c->txbuf = malloc(QTX_BUF);
	return c->txbuf;
}
