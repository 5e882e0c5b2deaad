/* The client's path manager: decides over which sockets a connection goes, and when it moves. It does no
 * I/O and reads no clock: news and the time come in as arguments, sockets are opened and closed through
 * struct roam_ops. So it runs the same over sockets and in simulation.
 *
 * ngtcp2 knows a path by its addresses alone. Here they are names: sockets ("links") stand behind a name,
 * and may change beneath it. States:
 *
 *   STEADY   One link, which answers.
 *   PROBE    The route goes elsewhere now, and the link still answers: the new one is validated, and used
 *            once it has answered (RFC 9000 section 8.2). The old one stays open for a while.
 *   SEEK     The link is gone, or does not answer. One move with a connection ID of its own, at once; then
 *            all links that there may be, one an address of the server's and route to it, are tried in turn
 *            until one answers. That only changes the link beneath the name: a move that is never answered
 *            costs a connection ID that never comes back (there are seven). A few more moves are made in a
 *            long silence, for a fresh probe timer. (To send everything by all links at once would be faster,
 *            but ngtcp2 1.11 in a server that gets a path's challenges after it has turned to another path
 *            binds connection IDs to the former for ever, until the limit ends the connection.)
 *   CONFIRM  One has answered: the others are closed after a moment. It is moved to once more, and validated:
 *            round-trip times that were measured while probes went ahead of their time mean nothing.
 *
 * In SEEK something leaves after a second at first, then after an eighth of the silence so far (the probe
 * interval). Whenever the system tells that routes or addresses have changed, all links are tried at once,
 * a quarter of a second apart. */
#ifndef QSH_QUIC_USER_ROAM_H
#define QSH_QUIC_USER_ROAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/transport.h"

#define ROAM_LINKS   6
#define ROAM_REMOTES 16

struct roam_ops {
	/* Opens a socket to remote; its own address, as the route has it, goes to *local. What stands in
	 * link (0 to ROAM_LINKS - 1) is for the caller to know it by. False: there is no way there. */
	bool (*open)(void *arg, unsigned link, const struct addr *remote, struct addr *local);
	void (*close)(void *arg, unsigned link);
	/* Does this machine have that address (now)? */
	bool (*here)(void *arg, const struct addr *local);
	void *arg;
};

struct roam;

/* path: of link 0, which is open and in use. stay: no other local address than that one may be used, nor
 * another of the server's. c must outlive it. QERR_NOMEM. */
int roam_new(struct roam **out, struct tp_conn *c, const struct tp_path *path, bool stay,
    const struct roam_ops *ops);
/* Closes nothing. */
void roam_free(struct roam **r);
/* More addresses of the server's, best first; replaces those given before. The one in use stays known. */
void roam_set_remotes(struct roam *r, const struct addr *v, size_t n);

/* News of routes or addresses; resumed: the machine was asleep. Judged in the next roam_run that is due. */
void roam_changed(struct roam *r, bool resumed, uint64_t now);
/* A packet that counted came by this link. */
void roam_heard(struct roam *r, unsigned link, uint64_t now);
/* For struct qconn_host. */
void roam_result(struct roam *r, bool validated, uint64_t now);
/* Does what is due. 0, or QERR_CLOSED: the connection is over. */
int roam_run(struct roam *r, uint64_t now);
/* When roam_run is due next; UINT64_MAX: when there is news. */
uint64_t roam_due(const struct roam *r);

/* The link that a datagram for this name leaves by. False: there is none now. */
bool roam_link(const struct roam *r, const struct tp_path *name, unsigned *link);
/* The name that a datagram from this link comes in under. */
void roam_name(const struct roam *r, unsigned link, struct tp_path *name);
/* For struct qconn_host. */
void roam_real(const struct roam *r, const struct tp_path *name, struct tp_path *real);
/* Is a path sought (SEEK)? For how long now; 0: no. */
uint64_t roam_seeking(const struct roam *r, uint64_t now);

#endif
