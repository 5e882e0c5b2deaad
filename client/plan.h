/* What is to be run on the other side: decided once, from configuration and command line. */
#ifndef QSH_CLIENT_PLAN_H
#define QSH_CLIENT_PLAN_H

#include <stdbool.h>

#include "client/conf/cconf.h"
#include "common/wire/wire.h"

struct plan {
	bool session;              /* false: -N, authenticate only */
	bool pty;
	bool pty_refused;          /* wanted, but standard input is no terminal: say so */
	bool stdin_null;
	bool background;           /* -f */
	enum wire_start_kind kind;
	const char *command;       /* borrowed from the arguments; NULL: a shell */
};

/* 0, or QERR_INVAL with a message without a newline in *why. Borrows from conf and command. */
int plan_make(struct plan *p, const struct cconf *conf, const char *command, bool stdin_tty,
    const char **why);

/* After how much silence (ns) from us a PING goes out, and after how much from the server the
 * connection counts as lost (0: never). */
void plan_silence(const struct plan *p, const struct cconf *conf, uint64_t *keepalive,
    uint64_t *idle);

#endif
