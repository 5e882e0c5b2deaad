/* The messages that start a session: PTY, ENV and START, collected once and sent together. */
#ifndef QSH_CLIENT_REQUEST_H
#define QSH_CLIENT_REQUEST_H

#include "client/conf/cconf.h"
#include "client/plan.h"
#include "client/tty.h"
#include "common/chan/msgstream.h"
#include "common/wire/wire.h"

struct request {
	const struct plan *plan;
	struct strlist env;   /* "NAME=value" */
	char *term;
	struct buf modes;
	struct tty_size size; /* zero where there is no terminal */
};

/* Collects: environment by SendEnv and SetEnv (environ: NULL-ended), the terminal's modes and size from tty
 * (a descriptor; no terminal is fine). QERR_NOMEM. In every case request_free. */
int request_collect(struct request *r, const struct plan *plan, const struct cconf *conf,
    char *const *environ_, int tty);
/* Bytes that request_send takes, about. */
size_t request_size(const struct request *r);
/* Sends OPEN, PTY, ENV and START. The errors of msgstream_send. */
int request_send(const struct request *r, struct msgstream *ms);
void request_free(struct request *r);
/* "shell", "exec", "subsystem". */
const char *request_kind_name(enum wire_start_kind kind);

#endif
