/* What the listener does with a datagram. Knows no socket, process or clock: these are the
 * caller's operations, and the time is an argument. */
#ifndef QSH_SERVER_LISTENER_FRONT_H
#define QSH_SERVER_LISTENER_FRONT_H

#include <sys/types.h>

#include "server/listener/slots.h"

/* Connection IDs that come with an admission. */
#define FRONT_CIDS 24
/* Past so many connected sockets the kernel's look-up among them gets slow: steer. */
#define FRONT_CONNECTED 1000

struct front;

struct front_ops {
	/* Sends one datagram, best effort. */
	void (*send)(
	    void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n);
	/* Starts a connection's process. s->owner is for the callee to set. 0, or a QERR_*: not
	 * started, the slot goes again. */
	int (*admit)(void *arg, struct slot *s, const struct smsg_admit *m);
	/* Passes a datagram to a connection's process, best effort. */
	void (*deliver)(void *arg, struct slot *s, const struct smsg_dgram *d);
	/* The address was not validated in time: end the process. front_gone follows. */
	void (*expire)(void *arg, struct slot *s);
	/* s is about to be freed: let go of s->owner. */
	void (*release)(void *arg, struct slot *s);
};

/* QERR_NOMEM, QERR_CRYPTO. ops must stay valid. */
int front_new(struct front **out, const struct smsg_linit *init, uint64_t now,
    const struct front_ops *ops, void *arg);
void front_free(struct front **f);
void front_set_limits(struct front *f, const struct smsg_limits *l);
void front_set_reset_key(struct front *f, const uint8_t key[32]);

/* A datagram came. */
void front_input(struct front *f, const struct smsg_dgram *d, uint64_t now);
/* A connection says that this one came to it and is not its own; its addresses are claims. */
void front_foreign(
    struct front *f, struct slot *from, const struct smsg_dgram *d, uint64_t now);
/* A connection came over TCP, so that its address is its own. Its slot, which has no owner, or NULL: MaxStartups
 * refuses it, or there is no memory (logged). */
struct slot *front_tcp(struct front *f, const struct tp_path *path, uint64_t now);
/* The handshake of a slot is complete. */
void front_validated(struct front *f, struct slot *s);
/* The user is known; the process has ended. Unknown numbers are passed over. */
void front_authed(struct front *f, uint32_t id);
void front_gone(struct front *f, uint32_t id);
/* A connection of a former listener. *out is its slot, whose owner is for the caller to set; one that
 * is there already, and has hung up, is given again. QERR_EXISTS: the number is a live connection's;
 * QERR_INVAL: 0 is nobody's; QERR_NOMEM. */
int front_adopt(struct front *f, const struct smsg_adopt *m, uint64_t now, struct slot **out);
/* The channel of a slot has ended. One that a former listener admitted is gone with it: nobody else
 * says so once its user is known. */
void front_hung_up(struct front *f, struct slot *s);
/* Fresh connection IDs for a slot; *out is to be freed with smsg_free_cids. QERR_NOMEM,
 * QERR_CRYPTO. */
int front_cids(struct front *f, const struct slot *s, uint32_t count, struct smsg_cids *out);
/* A token for the next connection of a slot's client, from where it first came; dst has REPLY_KNOWN_MAX bytes.
 * Its length, or QERR_CRYPTO. */
ssize_t front_token(const struct front *f, const struct slot *s, uint64_t now, uint8_t *dst);
/* Expires what is due; the time of the next one, UINT64_MAX: none. */
uint64_t front_tick(struct front *f, uint64_t now);

struct front_stats {
	uint32_t slots, unvalidated, starting, connected;
};
void front_stats(const struct front *f, struct front_stats *st);

#endif
