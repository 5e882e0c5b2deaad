/* The destination as it is written: [user@]host, qsh:// and ssh:// URIs. */
#ifndef QSH_CLIENT_TARGET_H
#define QSH_CLIENT_TARGET_H

#include <stdbool.h>

struct target {
	char *user;    /* NULL: none */
	char *host;
	unsigned port; /* 0: none */
};

/* 0; QERR_FORMAT with a short text in *why; QERR_NOMEM. In every case target_free(t). */
int target_parse(struct target *t, const char *s, const char **why);
void target_free(struct target *t);
/* Names that may reach a shell through %h and %r (Match exec): no leading '-', no blanks, no
 * control characters and none that a shell acts on. */
bool target_host_ok(const char *host);
bool target_user_ok(const char *user);

#endif
