/* Which of this machine's interfaces a path goes through. */
#ifndef QSH_QUIC_USER_IFACE_H
#define QSH_QUIC_USER_IFACE_H

#include <net/if.h>
#include <stdbool.h>

#include "common/net/addr.h"

/* May what leaves through the interface bear this address? Its own ones, those of the interfaces whose master it is (VRF,
 * bridge), and those of the loopback interface, which interfaces without one of their own borrow; not one that stands for
 * another network. True also where the system does not tell. */
bool iface_may_use(const char *name, const struct addr *a);
/* The interface that what is sent from one address to the other leaves through now (asks the routing table). 0;
 * QERR_NOTFOUND: there is none, or the system does not tell. */
int iface_route(char name[IF_NAMESIZE], const struct addr *from, const struct addr *to);

#endif
