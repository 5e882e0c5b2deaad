/* A configuration's lines as bytes, for the process that evaluates them: number of files, their
 * names, number of items, and of each: kind, index of the file, and of a line its number and
 * its text. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/conf/src.h"

#define NAME_MAX_LEN 4096

/* The index of a name in s->files; names are compared as pointers, and mostly the same as
 * before. */
static size_t
file_index(const struct conf_src *s, const char *file, size_t last)
{
	size_t i;

	if (last < s->files.n && s->files.v[last] == file)
		return last;
	for (i = 0; i < s->files.n; i++)
		if (s->files.v[i] == file)
			return i;
	return 0;
}

static int
put_line(struct buf *b, const struct conf_line *l)
{
	char *text;

	/* with '=' the rest comes back as it was even where it begins with one */
	if ((text = str_printf("%s=%s", l->keyword, l->rest)) == NULL)
		return QERR_NOMEM;
	buf_put_varint(b, l->lineno);
	buf_put_cstr(b, text);
	free(text);
	return b->err;
}

int
conf_src_put(struct buf *b, const struct conf_src *s)
{
	size_t i, n = 0, file = 0;
	int r = 0;

	buf_put_varint(b, s->files.n);
	for (i = 0; i < s->files.n; i++)
		buf_put_cstr(b, s->files.v[i]);
	for (i = 0; i < s->n; i++)
		n += s->v[i].bad == NULL;
	buf_put_varint(b, n);
	for (i = 0; i < s->n && r == 0; i++) {
		if (s->v[i].bad != NULL)
			continue;
		file = file_index(s, s->v[i].line.file, file);
		buf_put_u8(b, (uint8_t)s->v[i].kind);
		buf_put_varint(b, file);
		if (s->v[i].kind == CONF_I_LINE)
			r = put_line(b, &s->v[i].line);
	}
	return r != 0 ? r : b->err;
}

static int
get_files(struct conf_src *s, struct rd *r)
{
	uint64_t n = rd_varint(r);
	char *name;
	int err = 0;

	if (r->err == 0 && n > CONF_FILES_MAX + CONF_LINES_MAX)
		return QERR_TOOBIG;
	while (r->err == 0 && err == 0 && n-- > 0) {
		if ((name = rd_cstr(r, NAME_MAX_LEN)) == NULL)
			return r->err != 0 ? r->err : QERR_NOMEM;
		err = strlist_add(&s->files, name);
		free(name);
	}
	return err != 0 ? err : r->err;
}

/* One item; *depth counts the files that are open. */
static int
get_item(struct conf_src *s, struct rd *r, unsigned *depth)
{
	uint8_t kind = rd_u8(r);
	uint64_t file = rd_varint(r), lineno;
	struct bytes text;
	int err;

	if (r->err != 0)
		return r->err;
	if (kind > CONF_I_POP || file >= s->files.n)
		return QERR_FORMAT;
	if (kind == CONF_I_POP && (*depth)-- == 0)
		return QERR_FORMAT;
	if (kind == CONF_I_PUSH && ++*depth > CONF_DEPTH_MAX + 1)
		return QERR_TOOBIG;
	if (kind != CONF_I_LINE)
		return conf_src_add_mark(s, (enum conf_item_kind)kind, s->files.v[file]);
	lineno = rd_varint(r);
	text = rd_str(r, CONF_FILE_MAX);
	if (r->err != 0)
		return r->err;
	err = conf_src_add_kept(
	    s, s->files.v[file], (unsigned long)lineno, (const char *)text.p, text.n);
	if (err == 0 && (s->n == 0 || s->v[s->n - 1].bad != NULL))
		return QERR_FORMAT;
	return err;
}

int
conf_src_get(struct conf_src *s, struct rd *r)
{
	unsigned depth = 0;
	uint64_t n;
	int err;

	if ((err = get_files(s, r)) != 0)
		return err;
	n = rd_varint(r);
	if (r->err == 0 && n > CONF_LINES_MAX + 2 * CONF_FILES_MAX)
		return QERR_TOOBIG;
	while (r->err == 0 && err == 0 && n-- > 0)
		err = get_item(s, r, &depth);
	if (err == 0 && r->err == 0 && depth != 0)
		err = QERR_FORMAT;
	return err != 0 ? err : r->err;
}
