/* AuthenticationMethods: lists of methods, of which one has to be worked off in its order. Pure. */
#ifndef QSH_SERVER_MONITOR_METHODS_H
#define QSH_SERVER_MONITOR_METHODS_H

#include <stdbool.h>

#include "common/conf/conf.h"

struct methods {
	bool any;             /* no lists: any one method does */
	const char *offered;  /* comma list of the methods that exist here and are switched on */
	struct strlist lists; /* what is left of each list that can be fulfilled */
};

/* configured: empty, or "any", or comma lists. Lists with a method that is not offered cannot be fulfilled and are
 * left out; QERR_DENIED where none is left (then nothing is allowed). offered must stay valid. QERR_NOMEM. */
int methods_init(struct methods *m, const struct strlist *configured, const char *offered);
void methods_free(struct methods *m);
/* May this method be tried now? */
bool methods_allowed(const struct methods *m, const char *method);
/* A method has succeeded: 1 when that is enough, 0 when more is to come; QERR_NOMEM. */
int methods_succeeded(struct methods *m, const char *method);
/* What can continue, as a comma list in dst. Returns dst. */
const char *methods_continue(const struct methods *m, char *dst, size_t n);

#endif
