/* How many may come: MaxStartups, and budgets by time. Pure. */
#ifndef QSH_SERVER_LISTENER_LIMITS_H
#define QSH_SERVER_LISTENER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/msgs.h"

/* MaxStartups begin:rate:full of sshd_config(5): is one more refused while n are not
 * authenticated yet? dice: uniform in [0, 100). */
bool startups_refuse(const struct smsg_limits *l, uint32_t n, uint32_t dice);

/* A budget that fills up by rate a second to at most burst. */
struct budget {
	uint32_t rate, burst;
	uint64_t level; /* in 1/NS_PER_S of one */
	uint64_t last;	/* ns */
};
void budget_init(struct budget *b, uint32_t rate, uint32_t burst, uint64_t now);
/* Takes one; false where there is none. */
bool budget_take(struct budget *b, uint64_t now);

#endif
