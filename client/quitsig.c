#include "client/quitsig.h"

#include <stddef.h>

static const int signals[QUITSIG_COUNT] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

void
quitsig_default(struct quitsig *q)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};

	for (size_t i = 0; i < QUITSIG_COUNT; i++) {
		sigaction(signals[i], NULL, &q->old[i]);
		if (q->old[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &dfl, NULL);
	}
}

void
quitsig_back(const struct quitsig *q)
{
	for (size_t i = 0; i < QUITSIG_COUNT; i++)
		sigaction(signals[i], &q->old[i], NULL);
}
