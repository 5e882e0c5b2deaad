/* Running an event loop until a condition holds. */
#ifndef QSH_TESTS_LOOP_H
#define QSH_TESTS_LOOP_H

#include <stdbool.h>

#include "common/ev/ev.h"

typedef bool loop_cond_fn(void *arg);

/* Runs rounds until cond(arg); false where it does not hold after 20 s, or nothing is left
 * that could change it. */
bool loop_until(struct ev *ev, loop_cond_fn *cond, void *arg);
/* Runs until nothing has been due but descriptors for some rounds: everything in memory
 * that can happen has happened. */
void loop_settle(struct ev *ev);

#endif
