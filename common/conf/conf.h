/* Configuration: lines to words, tables of options, Match, defaults, dump. What is common to
 * ssh_config and sshd_config syntax; the tables are the client's and the server's own. */
#ifndef QSH_CONF_CONF_H
#define QSH_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct strlist {
	char **v;
	size_t n;
};
int strlist_add(struct strlist *l, const char *s); /* copies; QERR_NOMEM */
int strlist_copy(struct strlist *to, const struct strlist *from); /* appends; QERR_NOMEM */
void strlist_free(struct strlist *l);
bool strlist_has(const struct strlist *l, const char *s);

/* One line split as OpenSSH does: "Keyword=arg", "Keyword = arg", quotes, backslash in quotes,
 * '#' comment at the start of a word. */
struct conf_line {
	const char *file;
	unsigned long lineno;
	char *keyword;          /* as written; NULL: empty line */
	char *rest;             /* what follows the keyword, as written, without white space at its ends */
	struct strlist args;    /* the same in words */
};
/* Splits n bytes (without the newline) into *l, whose file and lineno stay as the caller set
 * them. QERR_FORMAT with *why (static text) for an unbalanced quote and the like: keyword and
 * rest are then set where they could be found. QERR_NOMEM. conf_line_free in every case. */
int conf_split(struct conf_line *l, const char *text, size_t n, const char **why);
void conf_line_free(struct conf_line *l);
#define CONF_WHERE_LEN 320
/* "file:line", or the file alone for line 0, printable; dst has CONF_WHERE_LEN bytes; returns dst. */
const char *conf_where(const struct conf_line *l, char *dst);

/* Does a list of algorithms as PubkeyAcceptedAlgorithms has it let one in that is in the default list? "+" and
 * "^" before the list add to the default, "-" takes away. NULL: the default. */
bool conf_algs_have(const char *algs, const char *name);

/* %-tokens: pairs of character and text. "%%" is known always. Unknown: QERR_UNKNOWN, *bad is the
 * character. Fresh memory in *out. */
struct conf_token {
	char c;
	const char *text;
};
int conf_expand(char **out, const char *s, const struct conf_token *t, size_t n, char *bad);
/* ${NAME} from the environment; QERR_NOTFOUND where one is not set, QERR_FORMAT for "${" that
 * does not end or has no name. Fresh memory. */
int conf_expand_env(char **out, const char *s);
/* "~" (home) and "~user" at the start. QERR_NOTFOUND: no such user, or home is NULL. Fresh memory. */
int conf_expand_tilde(char **out, const char *s, const char *home);

#endif
