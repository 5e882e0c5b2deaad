/* Tables of options: a row says how an option is written, checked, kept, filled in and shown.
 */
#ifndef QSH_CONF_OPT_H
#define QSH_CONF_OPT_H

#include "common/conf/conf.h"

/* What is done with an option. */
enum conf_what {
	CONF_DONE,    /* it does what the manual says */
	CONF_ALIAS,   /* another name for the option in .alias */
	CONF_PASSED,  /* known, without effect: .note says why that takes nothing away */
	CONF_LATER,   /* a way to log in that is not offered yet */
	CONF_OFF,     /* forwarding: counts as "no" */
	CONF_REFUSED, /* restricts or redirects, and is not there yet: only .harmless is
			 accepted */
};

/* How the member at .off is kept and freed, and, where .set or .dump is NULL, set and shown. */
enum conf_type {
	CONF_T_NONE,	/* kept nowhere; any arguments */
	CONF_T_BOOL,	/* bool: yes, true, no, false */
	CONF_T_UINT,	/* unsigned, from .min to .max */
	CONF_T_ENUM,	/* int, one of .names */
	CONF_T_TIME_NS, /* uint64_t, nanoseconds, from .min to .max seconds */
	CONF_T_TIME_S,	/* unsigned, seconds, likewise */
	CONF_T_SIZE,	/* uint64_t, bytes, from .min to .max */
	CONF_T_STRING,	/* char *, one word */
	CONF_T_REST,	/* char *, the rest of the line as written */
	CONF_T_WORDS,	/* struct strlist: the words of the first line that sets it */
	CONF_T_APPEND,	/* struct strlist: the words of every line */
};

enum {
	CONF_F_MATCH = 1,   /* may stand in a Match block */
	CONF_F_NONE = 2,    /* "none": NULL, empty list, 0 */
	CONF_F_EACH = 4,    /* shown one word a line */
	CONF_F_ONE = 8,	    /* a list that takes one word a line */
	CONF_F_AGAIN = 16,  /* every line counts, not only the first */
	CONF_F_UNIQUE = 32, /* a list that drops what it has already */
	CONF_F_OURS = 64,   /* not an option of OpenSSH */
	CONF_F_HIDE = 128, /* not shown where it is NULL */
};

struct conf_name {
	const char *name; /* the first one of a value is shown */
	int value;
};

/* Why a line is refused; one line for people, printable. */
struct conf_why {
	char text[256];
};

struct conf_opt;
/* Sets the members in base from a line. 0, QERR_NOMEM, or QERR_FORMAT with *why. */
typedef int conf_set_fn(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why);
/* Is one word good? 0, or QERR_FORMAT with *why. */
typedef int conf_check_fn(const char *word, struct conf_why *why);
/* Appends the lines of the option. */
typedef int conf_dump_fn(struct buf *b, const struct conf_opt *o, const void *base);

struct conf_opt {
	const char *name; /* as in the manual */
	const char *alias, *harmless, *note;
	const char *def; /* the default as a file would write it; NULL: nothing */
	const struct conf_name *names;
	conf_set_fn *set;
	conf_check_fn *check;
	conf_dump_fn *dump;
	long long min, max;
	size_t off;
	enum conf_what what;
	enum conf_type type;
	unsigned flags;
};

struct conf_table {
	const struct conf_opt *opts;
	size_t n;
	size_t size; /* of the struct that is filled */
};

#define CONF_NO_OPT ((size_t)-1)

/* The row of a keyword (case-insensitive; aliases followed), or CONF_NO_OPT. */
size_t conf_opt_find(const struct conf_table *t, const char *keyword);
/* Sets or checks one line. 0, QERR_NOMEM, or QERR_FORMAT with *why. */
int conf_opt_set(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why);
/* The same on a scratch struct that is thrown away. */
int conf_opt_check(const struct conf_table *t, const struct conf_opt *o,
    const struct conf_line *l, struct conf_why *why);
/* Does the line set the option to "no" or its harmless value? */
bool conf_opt_says(const struct conf_line *l, const char *value);
/* Defaults of all options whose set[] is false. QERR_NOMEM; a default that does not parse is a
 * mistake in the table: QERR_INVAL. */
int conf_table_defaults(const struct conf_table *t, void *base, const bool *set);
/* Frees all strings and lists of the struct (not the struct). */
void conf_table_clear(const struct conf_table *t, void *base);
/* Every implemented option, "keyword value" a line in lower case. */
int conf_table_dump(struct buf *b, const struct conf_table *t, const void *base);

int conf_opt_dump(struct buf *b, const struct conf_opt *o, const void *base);
void conf_dump_keyword(struct buf *b, const char *name);
int conf_bad(struct conf_why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
