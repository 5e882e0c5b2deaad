/* The lines of a configuration with all its Includes, in the order in which they count. */
#ifndef QSH_CONF_SRC_H
#define QSH_CONF_SRC_H

#include "common/conf/conf.h"

#define CONF_FILE_MAX  (1024 * 1024) /* bytes of one file */
#define CONF_FILES_MAX 256           /* files of one configuration, each Include counted */
#define CONF_LINES_MAX 32768
#define CONF_DEPTH_MAX 16            /* of Includes */

enum conf_item_kind {
	CONF_I_LINE,
	CONF_I_PUSH, /* a file begins: Match and Host blocks before it wait */
	CONF_I_POP,  /* and go on */
};
struct conf_item {
	enum conf_item_kind kind;
	struct conf_line line;   /* PUSH: line.file is the file that begins */
	const char *bad;         /* the line could not be split: static text */
};
struct conf_src {
	struct conf_item *v;
	size_t n;
	struct strlist files;    /* the names that line.file points to */
	size_t nfiles;           /* files read */
};

/* How files are read. */
struct conf_reader {
	const char *dir;         /* where relative Include paths start; NULL: Include is refused */
	const char *home;        /* for "~" in Include; NULL: refused */
	bool check_perm;         /* the first file too must be root's or ours and writable by nobody else */
	bool check_included;     /* and the included ones */
	bool expand_env;         /* ${NAME} in Include paths; tokens are refused there */
	bool lenient;            /* an included file that cannot be opened is left out with a line in the log */
};

void conf_src_init(struct conf_src *s);
void conf_src_free(struct conf_src *s);
/* Reads a file and its Includes. QERR_SYS, QERR_PERM, QERR_TOOBIG, QERR_NOTFOUND (an included file), QERR_NOMEM; logged but
 * for ENOENT on path itself. Lines that cannot be split are kept with .bad. */
int conf_src_add_file(struct conf_src *s, const char *path, const struct conf_reader *rd);
/* The same with text that is there already. */
int conf_src_add_text(struct conf_src *s, const char *name, const char *text, size_t n,
    const struct conf_reader *rd);
/* One line; lineno 0: not of a file. */
int conf_src_add_line(struct conf_src *s, const char *name, unsigned long lineno,
    const char *text, size_t n);
/* For the decoder: file is one of s->files. */
int conf_src_add_kept(struct conf_src *s, const char *file, unsigned long lineno,
    const char *text, size_t n);
int conf_src_add_mark(struct conf_src *s, enum conf_item_kind kind, const char *file);
/* As bytes and back; lines with .bad are not kept. get: QERR_TRUNC, QERR_FORMAT, QERR_TOOBIG, QERR_NOMEM. */
int conf_src_put(struct buf *b, const struct conf_src *s);
int conf_src_get(struct conf_src *s, struct rd *r);

#endif
