/* authorized_keys. */
#ifndef QSH_KEYS_AUTHKEYS_H
#define QSH_KEYS_AUTHKEYS_H

#include "common/keys/keys.h"

struct authkey_opts {          /* what a key line permits */
	bool no_pty;
	bool restrict_all;     /* "restrict", unless given back */
	bool no_agent, no_port, no_x11, no_user_rc;
	char *command;         /* forced, or NULL */
	char *from;            /* pattern list, or NULL */
	char **env;            /* "NAME=value" */
	size_t nenv;
	uint64_t expiry;       /* wall clock seconds, 0: none */
	bool cert_authority;
	char *principals;
	/* permitopen, permitlisten, tunnel: kept verbatim for forwarding; forwarding is off
	 * now */
	char **permitopen, **permitlisten;
	size_t npermitopen, npermitlisten;
	char *tunnel;          /* "any" or a number, or NULL */
	bool verify_required, no_touch_required;
};
struct authkey_line {
	struct pubkey key;
	struct authkey_opts opts;
	char *comment;
};
void authkey_line_free(struct authkey_line *l); /* l is empty afterwards; fine on a zeroed l */
/* Parses one line. 1: a key; 0: empty or comment; QERR_FORMAT (why names the place),
 * QERR_UNKNOWN (an option that is not known: the line is refused), QERR_NOMEM. *why: a short
 * constant text. l needs no freeing unless 1. */
int authkey_parse(struct authkey_line *l, const char *line, const char **why);
/* Looks the key up in a file's text. 1: found (l filled, the caller's to free), 0: not,
 * QERR_NOMEM. Lines that match the key but are malformed are logged as "path:line: why" and
 * refused; lines of certification authorities are passed over. */
int authkeys_find(const char *path, const uint8_t *text, size_t n, const struct pubkey *k,
    struct authkey_line *l, unsigned *lineno);
/* The same, from behind line `after` on. As in sshd, a key whose line does not permit this
 * login (from=, expiry-time=) may be permitted by a later one: then go on behind it. */
int authkeys_find_next(const char *path, const uint8_t *text, size_t n, const struct pubkey *k,
    unsigned after, struct authkey_line *l, unsigned *lineno);

#endif
