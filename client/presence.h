/* Is somebody at the terminal? While there is, the connection asks for a sign of life more often: behind an address
 * translator that has changed, what the server sends is lost until this side sends something, and whoever waits for it
 * at the screen does not type. Left alone, it asks seldom, which spares batteries and radio. */
#ifndef QSH_CLIENT_PRESENCE_H
#define QSH_CLIENT_PRESENCE_H

#include "common/ev/ev.h"
#include "common/net/transport.h"

#define PRESENCE_OFTEN (5 * NS_PER_S)  /* between two PINGs */
#define PRESENCE_LASTS (60 * NS_PER_S) /* after a key */

struct presence;

/* seldom: the keepalive of conn while nobody types (ns), which it has now. conn must outlive it. QERR_NOMEM. */
int presence_new(struct presence **out, struct ev *ev, struct tp_conn *conn, uint64_t seldom);
/* A key came. */
void presence_typed(struct presence *p);
void presence_free(struct presence **p);

#endif
