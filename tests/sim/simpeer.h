/* The layer above a simulated connection, for tests: it records what happens, and collects what
 * streams bring. */
#ifndef QSH_TESTS_SIM_SIMPEER_H
#define QSH_TESTS_SIM_SIMPEER_H

#include "tests/sim/simnet.h"

#define SIMPEER_STREAMS 64

struct simpeer;

struct simstream {
	struct simpeer *p;
	struct tp_stream *s;          /* NULL once it is closed */
	uint64_t id;
	uint8_t *data;                /* taken */
	size_t n, cap;
	bool hold;                    /* take nothing */
	size_t seen;                  /* most that was offered at once */
	bool fin;
	unsigned acked, stopped, reset, closed, writable;
	uint64_t reset_code, stop_code;
	uint64_t t;                   /* when data came last */
};

struct simpeer {
	struct simnet *net;
	int side;
	unsigned done, early, closed, opened, moved, dgrams, available;
	unsigned calls;               /* callbacks so far */
	unsigned free_at;             /* frees the connection in this callback; 0: never */
	struct tp_close why;
	struct tp_path from, to;
	uint8_t dgram[2048];
	size_t dgram_n;
	struct simstream st[SIMPEER_STREAMS];
	unsigned nst;
	bool refuse;                  /* sets no ops on streams that the peer opens */
	bool hold;                    /* new streams hold */
	void *user;                   /* of whom sets the following */
	void (*on_done)(struct simpeer *p);
	void (*on_early)(struct simpeer *p);
	void (*on_stream)(struct simpeer *p, struct simstream *st);
	void (*on_data)(struct simpeer *p, struct simstream *st);
	void (*on_writable)(struct simpeer *p, struct simstream *st);
};

extern const struct tp_conn_ops simpeer_ops;

struct simpair {
	struct simnet net;
	struct simpeer cl, sv;
	struct quic_limits cll, svl;
};

/* Two ends with default limits, not connected yet: change what is to differ, then simpair_connect. */
void simpair_init(struct simpair *p, uint64_t seed);
void simpair_connect(struct simpair *p);
void simpair_free(struct simpair *p);
/* Time passes. */
void simpair_run(struct simpair *p, uint64_t ns);

struct tp_conn *simpeer_conn(struct simpeer *p);
/* Opens a stream that is collected like those of the peer. 0 or QERR_*. */
int simpeer_open(struct simpeer *p, bool uni, enum tp_prio prio, struct simstream **out);
/* The record of the stream with this ID, NULL if none. */
struct simstream *simpeer_find(struct simpeer *p, uint64_t id);

#endif
