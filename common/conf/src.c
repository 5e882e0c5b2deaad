/* Reading configuration files with their Includes. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/conf/src.h"

static int add_file(
    struct conf_src *s, const char *path, const struct conf_reader *rd, unsigned depth);

void
conf_src_init(struct conf_src *s)
{
	*s = (struct conf_src){0};
}

void
conf_src_free(struct conf_src *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		conf_line_free(&s->v[i].line);
	free(s->v);
	strlist_free(&s->files);
	conf_src_init(s);
}

/* The last item, or NULL. */
static struct conf_item *
add_item(struct conf_src *s, enum conf_item_kind kind, const char *file, unsigned long lineno)
{
	struct conf_item *v;
	size_t cap;

	/* grows when n is a power of two */
	if ((s->n & (s->n - 1)) == 0) {
		cap = s->n == 0 ? 1 : s->n * 2;
		if ((v = reallocarray(s->v, cap, sizeof(*v))) == NULL)
			return NULL;
		s->v = v;
	}
	s->v[s->n] = (struct conf_item){.kind = kind, .line = {.file = file, .lineno = lineno}};
	return &s->v[s->n++];
}

/* A name that lives as long as s. */
static const char *
keep_name(struct conf_src *s, const char *name)
{
	if (s->files.n > 0 && strcmp(s->files.v[s->files.n - 1], name) == 0)
		return s->files.v[s->files.n - 1];
	return strlist_add(&s->files, name) == 0 ? s->files.v[s->files.n - 1] : NULL;
}

/* Appends a line unless it is empty. */
int
conf_src_add_kept(
    struct conf_src *s, const char *file, unsigned long lineno, const char *text, size_t n)
{
	struct conf_item *it;
	const char *why;
	int r;

	if (s->n >= CONF_LINES_MAX) {
		log_error("%s:%lu: configuration has more than %d lines", file, lineno,
		    CONF_LINES_MAX);
		return QERR_TOOBIG;
	}
	if ((it = add_item(s, CONF_I_LINE, file, lineno)) == NULL)
		return QERR_NOMEM;
	r = conf_split(&it->line, text, n, &why);
	if (r == QERR_FORMAT) {
		it->bad = why;
		return 0;
	}
	if (r == 0 && it->line.keyword == NULL)
		s->n--; /* an empty line owns nothing */
	return r;
}

int
conf_src_add_mark(struct conf_src *s, enum conf_item_kind kind, const char *file)
{
	return add_item(s, kind, file, 0) == NULL ? QERR_NOMEM : 0;
}

int
conf_src_add_line(
    struct conf_src *s, const char *name, unsigned long lineno, const char *text, size_t n)
{
	const char *file = keep_name(s, name);

	return file == NULL ? QERR_NOMEM : conf_src_add_kept(s, file, lineno, text, n);
}

/* ---- Include -------------------------------------------------------------- */

/* The pattern of an Include as an absolute one; NULL with *why, or without memory. */
static char *
absolute_pattern(const char *arg, const struct conf_reader *rd, const char **why)
{
	char *path;

	*why = NULL;
	if (arg[0] == '/')
		return strdup(arg);
	if (arg[0] == '\0')
		*why = "path is empty";
	else if (arg[0] != '~')
		return str_printf("%s/%s", rd->dir, arg);
	else if (rd->home == NULL)
		*why = "~ is not possible in an Include of this file";
	else if (conf_expand_tilde(&path, arg, rd->home) == 0)
		return path;
	else
		*why = "no such home directory";
	return NULL;
}

static char *
include_pattern(const char *arg, const struct conf_reader *rd, const char **why)
{
	char *expanded, *path;
	int r;

	if (rd->dir == NULL) {
		*why = "Include is not possible here";
		return NULL;
	}
	if (!rd->expand_env)
		return absolute_pattern(arg, rd, why);
	if (strchr(arg, '%') != NULL) {
		*why = "tokens are not possible in Include yet";
		return NULL;
	}
	if ((r = conf_expand_env(&expanded, arg)) != 0) {
		if (r == QERR_NOTFOUND)
			*why = "the environment has no such variable";
		else
			*why = r == QERR_NOMEM ? NULL : "malformed ${NAME}";
		return NULL;
	}
	path = absolute_pattern(expanded, rd, why);
	free(expanded);
	return path;
}

/* After an Include of file:lineno failed on path. */
static int
include_failed(const char *file, unsigned long lineno, const char *path, int r,
    const struct conf_reader *rd)
{
	if (r != QERR_SYS)
		return r;
	if (rd->lenient) {
		log_msg(errno == ENOENT ? LOG_L_DEBUG1 : LOG_L_ERROR,
		    "%s line %lu: Can't open included file %s: %s", file, lineno, path,
		    strerror(errno));
		return 0;
	}
	log_error("%s:%lu: Include: cannot read %s: %s", file, lineno, path, strerror(errno));
	return QERR_NOTFOUND;
}

static int
include_glob(struct conf_src *s, const char *file, unsigned long lineno, const char *pattern,
    const struct conf_reader *rd, unsigned depth)
{
	glob_t gl = {0};
	size_t i;
	int r = 0;

	switch (glob(pattern, 0, NULL, &gl)) {
	case 0:
		break;
	case GLOB_NOMATCH:
		log_debug2("%s:%lu: no file for Include %s", file, lineno, pattern);
		goto out;
	case GLOB_NOSPACE:
		r = QERR_NOMEM;
		goto out;
	default:
		r = include_failed(file, lineno, pattern, QERR_SYS, rd);
		goto out;
	}
	for (i = 0; i < gl.gl_pathc && r == 0; i++) {
		log_debug2("%s:%lu: including %s", file, lineno, gl.gl_pathv[i]);
		r = add_file(s, gl.gl_pathv[i], rd, depth + 1);
		if (r != 0)
			r = include_failed(file, lineno, gl.gl_pathv[i], r, rd);
	}
out:
	globfree(&gl);
	return r;
}

/* The files of the Include line at index at. */
static int
include(struct conf_src *s, size_t at, const struct conf_reader *rd, unsigned depth)
{
	const char *file = s->v[at].line.file, *why;
	unsigned long lineno = s->v[at].line.lineno;
	char *pattern;
	size_t i;
	int r = 0;

	if (depth >= CONF_DEPTH_MAX) {
		s->v[at].bad = "Includes are nested too deeply";
		return 0;
	}
	if (s->v[at].line.args.n == 0) {
		s->v[at].bad = "path is missing";
		return 0;
	}
	for (i = 0; i < s->v[at].line.args.n && r == 0; i++) {
		pattern = include_pattern(s->v[at].line.args.v[i], rd, &why);
		if (pattern == NULL && why == NULL)
			return QERR_NOMEM;
		if (pattern == NULL) {
			s->v[at].bad = why;
			return 0;
		}
		r = include_glob(s, file, lineno, pattern, rd, depth);
		free(pattern);
	}
	return r;
}

/* ---- files ---------------------------------------------------------------- */

static int
add_text(struct conf_src *s, const char *name, const char *text, size_t n,
    const struct conf_reader *rd, unsigned depth)
{
	unsigned long lineno = 0;
	const char *file, *eol;
	size_t len, before;
	int r = 0;

	if (++s->nfiles > CONF_FILES_MAX) {
		log_error("%s: configuration has more than %d files", name, CONF_FILES_MAX);
		return QERR_TOOBIG;
	}
	if ((file = keep_name(s, name)) == NULL || conf_src_add_mark(s, CONF_I_PUSH, file) != 0)
		return QERR_NOMEM;
	while (n > 0 && r == 0) {
		eol = memchr(text, '\n', n);
		len = eol == NULL ? n : (size_t)(eol - text);
		before = s->n;
		r = conf_src_add_kept(s, file, ++lineno, text, len);
		if (r == 0 && s->n > before && s->v[before].bad == NULL &&
		    strcasecmp(s->v[before].line.keyword, "include") == 0)
			r = include(s, before, rd, depth);
		len += eol != NULL;
		text += len;
		n -= len;
	}
	return r != 0 ? r : conf_src_add_mark(s, CONF_I_POP, file);
}

static int
check_perm(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return QERR_SYS;
	if ((st.st_uid == 0 || st.st_uid == getuid()) && (st.st_mode & 022) == 0)
		return 0;
	log_error("Bad owner or permissions on %s", path);
	return QERR_PERM;
}

static int
add_file(struct conf_src *s, const char *path, const struct conf_reader *rd, unsigned depth)
{
	uint8_t *text = NULL;
	size_t n = 0;
	int fd, r = 0, saved;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
		return QERR_SYS;
	if (depth == 0 ? rd->check_perm : rd->check_included)
		r = check_perm(path, fd);
	if (r == 0 && (r = fd_read_all(fd, CONF_FILE_MAX, &text, &n)) == QERR_TOOBIG)
		log_error("%s: larger than %d bytes", path, CONF_FILE_MAX);
	saved = errno;
	close(fd);
	if (r == 0)
		r = add_text(s, path, (const char *)text, n, rd, depth);
	free(text);
	if (r == QERR_SYS)
		errno = saved;
	return r;
}

int
conf_src_add_file(struct conf_src *s, const char *path, const struct conf_reader *rd)
{
	int r = add_file(s, path, rd, 0), saved = errno;

	if (r == QERR_SYS && saved != ENOENT)
		log_error("%s: cannot be read: %s", path, strerror(saved));
	errno = saved;
	return r;
}

int
conf_src_add_text(struct conf_src *s, const char *name, const char *text, size_t n,
    const struct conf_reader *rd)
{
	return add_text(s, name, text, n, rd, 0);
}
