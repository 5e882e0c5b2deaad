/* Ctrl-C during a call that blocks outside the event loop (an agent that asks its user). */
#ifndef QSH_CLIENT_QUITSIG_H
#define QSH_CLIENT_QUITSIG_H

#include <signal.h>

#define QUITSIG_COUNT 4

struct quitsig {
	struct sigaction old[QUITSIG_COUNT];
};

/* INT, TERM, HUP and QUIT do what they do by default, unless they are ignored. The terminal has to be in
 * its ordinary mode. */
void quitsig_default(struct quitsig *q);
/* As they were. */
void quitsig_back(const struct quitsig *q);

#endif
