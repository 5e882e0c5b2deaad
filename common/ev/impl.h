/* What the files of the event loop share. */
#ifndef QSH_EV_IMPL_H
#define QSH_EV_IMPL_H

#include <stddef.h>

#include "common/ev/ev.h"

struct ev_os; /* descriptors and signals, and waiting for them */

struct ev {
	struct ev_os *os;       /* NULL: virtual */
	struct ev_timer **heap; /* armed timers, the next one first */
	size_t armed, slots;    /* entries used, and allocated */
	size_t timers;          /* that exist: there is a slot for each */
	uint64_t seq;           /* of arming: breaks ties in that order */
	uint64_t virtual_now;
	uint64_t round;         /* timers are being run for this time */
	bool in_round, stop;
};

/* Time of the next timer, UINT64_MAX if none is armed. */
uint64_t timers_next(const struct ev *ev);
/* Runs the timer that comes first, if it is due at now. */
bool timers_run_one(struct ev *ev, uint64_t now);

int os_new(struct ev_os **out);
void os_free(struct ev_os **os);
/* Waits until ns (ev_now's clock; UINT64_MAX: for ever; the past: not at all) for something to happen, and makes
 * the callbacks. 1: nothing is registered; 0, or QERR_SYS. */
int os_round(struct ev_os *os, uint64_t ns);
/* Ends os_round before its next callback. */
void os_break(struct ev_os *os);

#endif
