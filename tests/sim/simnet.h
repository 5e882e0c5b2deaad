/* A network of two ends over a virtual clock: delay, jitter, loss, duplication, reordering, rate and
 * queue, an address translator that may forget its binding, and a link that may be down. All
 * randomness comes from the seed. */
#ifndef QSH_TESTS_SIM_SIMNET_H
#define QSH_TESTS_SIM_SIMNET_H

#include <ngtcp2/ngtcp2.h>

#include "common/ev/ev.h"
#include "quic/trace.h"
#include "quic/user/drive.h"

struct simlink { /* one direction */
	uint64_t delay, jitter;      /* ns */
	unsigned loss, dup, reorder; /* parts in a million */
	uint64_t rate;               /* bytes a second; 0: no limit */
	uint64_t queue;              /* ns of waiting before the tail is dropped */
	bool down;
	size_t mtu;                  /* UDP payload; 0: no limit */
	uint64_t busy_until;
};

enum { SIM_CLIENT, SIM_SERVER };

struct simnet;

struct simend {
	struct simnet *net;
	int side;
	struct qdrive d;             /* d.c: the connection, NULL after it was freed */
	struct addr addr;            /* its own */
	bool full;                   /* the carrier takes nothing */
	unsigned full_ppm;           /* how often it is full by itself */
	uint64_t sent, received;     /* datagrams */
	uint64_t sent_bytes;
	unsigned trips;              /* one-way trips behind what it has received: two a round trip */
	unsigned cids_asked;
	unsigned paths_validated;
	struct tp_path last_path;
	struct quic_trace *trace;    /* what its connection is recorded in; freed with it */
};

/* May look at a datagram on its way, change it, or say that it is lost. */
typedef bool simnet_tap_fn(void *arg, int from, uint8_t *p, size_t *n);

/* A client with several addresses and a path manager: its datagrams go out and come in through these. */
struct simclient {
	void (*send)(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n);
	void (*arrive)(void *arg, const struct addr *from, const struct addr *to, unsigned ecn,
	    const uint8_t *p, size_t n);
	void (*result)(void *arg, bool validated);
	void (*real)(void *arg, const struct tp_path *name, struct tp_path *real);
	void *arg;
};

struct simserver { /* what the server's connection is made with, at the first datagram */
	struct quic_limits limits;
	const struct tp_conn_ops *ops;
	void *arg;
	struct quic_cid cid;
	ngtcp2_cid odcid, retry_scid; /* after a Retry */
	bool wanted, made;
};

struct simnet {
	struct ev *ev;
	struct ev_timer *timer;
	uint64_t rng;
	struct simlink link[2];      /* by sender */
	struct simend end[2];
	struct addr nat;             /* the client's address as the server sees it */
	struct simclient client;     /* send NULL: the one address above */
	struct addr server2;         /* another address of the server's; len 0: none */
	struct simpkt *heap;
	size_t nheap, capheap;
	uint64_t seq;
	simnet_tap_fn *tap;
	void *tap_arg;
	struct simserver server;
	uint8_t pk[32], sk[64];
	bool no_cids;                /* nobody mints connection IDs */
	bool retry;                  /* the server's address validation: one Retry first */
	unsigned retries;
	unsigned signs;
};

#define SIM_START UINT64_C(1000000000000)

/* A network with 10 ms each way and no faults. */
void simnet_init(struct simnet *n, uint64_t seed);
void simnet_free(struct simnet *n);
uint64_t simnet_random(struct simnet *n);              /* 64 bits */
uint64_t simnet_below(struct simnet *n, uint64_t max); /* 0 to max - 1 */
/* Makes the client's connection. The server's is made by the first datagram that reaches it. */
void simnet_connect(struct simnet *n, const struct quic_limits *cl, const struct tp_conn_ops *cops,
    void *carg, const struct quic_limits *sl, const struct tp_conn_ops *sops, void *sarg);
/* The address translator forgets: the client now comes from another port (and host). */
void simnet_rebind(struct simnet *n, bool host_too);
struct tp_conn *simnet_conn(struct simnet *n, int side);
/* tp_conn_free for the end. */
void simnet_drop(struct simnet *n, int side);
void simnet_set_full(struct simnet *n, int side, bool full);
/* Lets time pass until done(arg) or the limit; true if done. */
bool simnet_run(struct simnet *n, uint64_t limit_ns, bool (*done)(void *arg), void *arg);
uint64_t simnet_now(struct simnet *n);
/* A datagram leaves an end, between these addresses. */
void simnet_send(struct simnet *n, int from, const struct addr *src, const struct addr *dst, unsigned ecn,
    const uint8_t *p, size_t len);
/* Gives a datagram to an end as if it had just come from the other. */
void simnet_inject(struct simnet *n, int to, const uint8_t *p, size_t len);

#endif
