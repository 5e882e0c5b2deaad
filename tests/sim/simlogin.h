/* A login over the simulated network: keys on one stream, their echo on another, as with a terminal. */
#ifndef QSH_TESTS_SIM_SIMLOGIN_H
#define QSH_TESTS_SIM_SIMLOGIN_H

#include "tests/sim/simpeer.h"

#define SIMLOGIN_KEYS 4000

struct simlogin {
	struct simpair p;
	struct simstream *in, *out;      /* the client's input; the server's output */
	uint64_t pressed[SIMLOGIN_KEYS];
	uint64_t took[SIMLOGIN_KEYS];    /* ns from key to echo */
	size_t keys, echoed, shown;
};

/* Connected, with this delay each way and no faults; both streams known to both ends. One at a time. */
struct simlogin *simlogin_new(uint64_t seed, uint64_t one_way, enum tp_cc cc);
void simlogin_free(struct simlogin *l);
void simlogin_press(struct simlogin *l);
/* Presses so many keys, with this pause after each. */
void simlogin_type(struct simlogin *l, size_t keys, uint64_t every);
/* Time passes until all keys must have been echoed; they were, in order and once. Sorts the times. */
void simlogin_finish(struct simlogin *l);
/* After that: the time that p of 100 keys took at most. */
uint64_t simlogin_took(const struct simlogin *l, unsigned p);

#endif
