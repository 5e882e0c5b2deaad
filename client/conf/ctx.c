/* Collecting settings and files. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/conf/table.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"

int
cconf_new(struct cconf_ctx **out)
{
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return QERR_NOMEM;
	conf_src_init(&(*out)->settings);
	return 0;
}

void
cconf_ctx_free(struct cconf_ctx **c)
{
	size_t i;

	if (*c == NULL)
		return;
	conf_src_free(&(*c)->settings);
	for (i = 0; i < (*c)->nfiles; i++) {
		free((*c)->files[i].path);
		conf_src_free(&(*c)->files[i].lines);
	}
	free((*c)->files);
	free((*c)->ignore_unknown);
	free(*c);
	*c = NULL;
}

static int
bad_setting(const char *origin, const char *what, const char *text)
{
	char shown[200];

	log_error(
	    "%s: %s: %s", origin, what, str_vis(shown, sizeof(shown), text, strlen(text)));
	return QERR_FORMAT;
}

static int
check_setting(struct cconf_ctx *c, const char *origin, const struct conf_line *l)
{
	const struct conf_opt *o;
	struct conf_why why;
	size_t i;
	int r;

	if (l->keyword == NULL)
		return bad_setting(origin, "setting is empty", "-o needs Keyword=value");
	if ((i = conf_opt_find(&cconf_table, l->keyword)) == CONF_NO_OPT) {
		if (c->ignore_unknown != NULL &&
		    str_match_list(l->keyword, c->ignore_unknown, true) == 1)
			return 0;
		return bad_setting(origin, "Bad configuration option", l->keyword);
	}
	o = &cconf_table.opts[i];
	if (o->what == CONF_PASSED)
		return 0;
	if (o->type == CONF_T_NONE)
		return bad_setting(origin, o->name, "is possible in a file only");
	if ((r = conf_opt_check(&cconf_table, o, l, &why)) == QERR_FORMAT)
		return bad_setting(origin, o->name, why.text);
	if (r == 0 && strcmp(o->name, "IgnoreUnknown") == 0 && c->ignore_unknown == NULL &&
	    (c->ignore_unknown = strdup(l->args.v[0])) == NULL)
		return QERR_NOMEM;
	return r;
}

int
cconf_set(struct cconf_ctx *c, const char *origin, const char *keyword_and_value)
{
	struct conf_line l = {.file = origin};
	const char *why;
	int r;

	r = conf_split(&l, keyword_and_value, strlen(keyword_and_value), &why);
	if (r == QERR_FORMAT)
		bad_setting(origin, keyword_and_value, why);
	if (r == 0)
		r = check_setting(c, origin, &l);
	conf_line_free(&l);
	if (r == 0)
		r = conf_src_add_line(
		    &c->settings, origin, 0, keyword_and_value, strlen(keyword_and_value));
	return r;
}

/* The new last file; NULL without memory. */
static struct cconf_file *
new_file(struct cconf_ctx *c, const char *path)
{
	struct cconf_file *v;
	char *copy;

	if ((copy = strdup(path)) == NULL)
		return NULL;
	if ((v = reallocarray(c->files, c->nfiles + 1, sizeof(*v))) == NULL) {
		free(copy);
		return NULL;
	}
	c->files = v;
	v += c->nfiles++;
	v->path = copy;
	conf_src_init(&v->lines);
	return v;
}

static bool
is_inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/' &&
	       strchr(path + n + 1, '/') == NULL;
}

/* Where relative Includes of a file start: ~/.qsh and the two system folders for what lies
 * there, ~/.ssh for all others, as in ssh. Only system files may not say "~". */
static int
include_base(struct conf_reader *rd, char **dir, const char *path, const char *home)
{
	char *own;

	if (is_inside(path, QSH_SYSCONFDIR) || is_inside(path, QSH_SSHDIR)) {
		*dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	} else {
		if ((own = str_printf("%s/.qsh", home)) == NULL)
			return QERR_NOMEM;
		*dir = is_inside(path, own) ? strdup(own) : str_printf("%s/.ssh", home);
		free(own);
		rd->home = home;
	}
	rd->dir = *dir;
	return *dir == NULL ? QERR_NOMEM : 0;
}

static void
drop_file(struct cconf_ctx *c)
{
	c->nfiles--;
	free(c->files[c->nfiles].path);
	conf_src_free(&c->files[c->nfiles].lines);
}

int
cconf_add_file(struct cconf_ctx *c, const char *path, bool must, bool user_file)
{
	struct conf_reader rd = {.check_perm = user_file,
	    .check_included = true,
	    .lenient = true,
	    .expand_env = true};
	const struct passwd *pw = getpwuid(getuid());
	/* a copy, as looking up "~user" in an Include overwrites what pw points to */
	char *home = strdup(pw != NULL ? pw->pw_dir : "/"), *dir = NULL;
	struct cconf_file *f = new_file(c, path);
	int r = QERR_NOMEM;

	if (home == NULL || f == NULL)
		goto out;
	if ((r = include_base(&rd, &dir, path, home)) == 0)
		r = conf_src_add_file(&f->lines, path, &rd);
	if (r == QERR_SYS && errno == ENOENT && must)
		log_error("Can't open user config file %s: %s", path, strerror(errno));
	else if (r == QERR_SYS && (errno == ENOENT || errno == ENOTDIR) && !must)
		r = QERR_AGAIN; /* not there: nothing to read */
out:
	if (r != 0 && f != NULL)
		drop_file(c);
	free(dir);
	free(home);
	return r == QERR_AGAIN ? 0 : r;
}

int
cconf_add_text(struct cconf_ctx *c, const char *name, const uint8_t *text, size_t n)
{
	const struct conf_reader rd = {0};
	struct cconf_file *f;

	c->no_exec = true;
	if ((f = new_file(c, name)) == NULL)
		return QERR_NOMEM;
	return conf_src_add_text(&f->lines, name, (const char *)text, n, &rd);
}
