/* News of this machine's network: links, addresses and routes that change, and waking up from sleep. What
 * changed is not said: whoever asks looks for himself. */
#ifndef QSH_CLIENT_NETWATCH_H
#define QSH_CLIENT_NETWATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ev/ev.h"

struct netwatch;

/* Something changed; resumed: the machine was asleep. From the loop; often several times in a row. */
typedef void netwatch_fn(void *arg, bool resumed);

/* Where the system tells nothing of routes, sleep alone is noticed (and a debug line says so). QERR_NOMEM,
 * QERR_SYS. */
int netwatch_new(struct netwatch **out, struct ev *ev, netwatch_fn *fn, void *arg);
void netwatch_free(struct netwatch **w);

/* Has the machine slept since the last call? boot goes on in sleep and mono does not; *ahead is what the one
 * was ahead of the other, kept for the next call. Pure. */
bool netwatch_slept(uint64_t *ahead, uint64_t mono, uint64_t boot);

#endif
