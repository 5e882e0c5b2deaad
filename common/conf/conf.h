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
void strlist_free(struct strlist *l);
bool strlist_has(const struct strlist *l, const char *s);

/* One line split as OpenSSH does: "Keyword=arg", "Keyword = arg", quotes, backslash in quotes,
 * '#' comment at the start of a word. */
struct conf_line {
	const char *file;
	unsigned long lineno;
	char *keyword;          /* as written; NULL: empty line */
	struct strlist args;
};
/* QERR_FORMAT with *why for an unbalanced quote and the like. */
int conf_split(struct conf_line *l, const char *text, size_t n, const char **why);
void conf_line_free(struct conf_line *l);

/* %-tokens: pairs of character and text. "%%" is known always. Unknown: QERR_UNKNOWN, *bad is the
 * character. Fresh memory in *out. */
struct conf_token {
	char c;
	const char *text;
};
int conf_expand(char **out, const char *s, const struct conf_token *t, size_t n, char *bad);
/* ${NAME} from the environment; QERR_NOTFOUND where one is not set. */
int conf_expand_env(char **out, const char *s);
/* "~" and "~user". */
int conf_expand_tilde(char **out, const char *s, const char *home);

#endif
