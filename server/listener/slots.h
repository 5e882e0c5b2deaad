/* The connections that the listener knows: by slot number, and by the flow of their first
 * datagram. */
#ifndef QSH_SERVER_LISTENER_SLOTS_H
#define QSH_SERVER_LISTENER_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/ipc/msgs.h"

#define SLOT_REMOTES 8 /* addresses that a connection may be answered on */

struct slot {
	uint32_t id;
	void *owner;	      /* of who uses the table */
	struct tp_path path;  /* of the first datagram */
	struct quic_cid dcid; /* its destination connection ID */
	bool validated;	      /* the address is the client's */
	bool authed;
	bool steered; /* has no connected socket */
	bool expired;
	bool adopted; /* of a former listener */
	bool hung_up; /* its channel has ended */
	uint64_t expires;		   /* ns; while not validated */
	struct addr remotes[SLOT_REMOTES]; /* the last ones that it was sent datagrams from */
	unsigned nremotes;
	struct slot *next_id, *next_flow, *newer, *older;
};

struct slots;

int slots_new(struct slots **out); /* QERR_NOMEM */
void slots_free(struct slots **t); /* with every slot */
/* A fresh, zeroed slot for this flow. NULL where there is no memory. */
struct slot *slots_add(
    struct slots *t, uint32_t id, const struct tp_path *path, const struct quic_cid *dcid);
void slots_remove(struct slots *t, struct slot **s);
struct slot *slots_find(const struct slots *t, uint32_t id); /* NULL: none */
struct slot *slots_find_flow(
    const struct slots *t, const struct tp_path *path, const uint8_t *dcid, size_t n);
/* Has one with a connected socket this 4-tuple? */
bool slots_has_path(const struct slots *t, const struct tp_path *path);
size_t slots_count(const struct slots *t);
struct slot *slots_oldest(const struct slots *t); /* then ->newer */

/* Notes where a datagram for it came from. */
void slot_note_remote(struct slot *s, const struct addr *remote);
/* Did a datagram for it come from there lately? */
bool slot_knows_remote(const struct slot *s, const struct addr *remote);

#endif
