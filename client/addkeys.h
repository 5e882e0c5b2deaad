/* AddKeysToAgent's value. */
#ifndef QSH_CLIENT_ADDKEYS_H
#define QSH_CLIENT_ADDKEYS_H

#include <stdbool.h>
#include <stdint.h>

struct addkeys {
	bool add, ask, confirm;
	uint32_t lifetime; /* seconds, 0: for ever */
};
/* "no", "yes", "ask", "confirm", a time, or "confirm" and a time; NULL is "no". QERR_FORMAT. */
int addkeys_parse(struct addkeys *k, const char *value);

#endif
