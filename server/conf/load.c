/* Finding and reading qshd's configuration. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/conf/table.h"

static int
new_src(struct sconf_src **out, bool user_mode)
{
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return QERR_NOMEM;
	conf_src_init(&(*out)->lines);
	(*out)->user_mode = user_mode;
	return 0;
}

void
sconf_src_free(struct sconf_src **s)
{
	if (*s == NULL)
		return;
	conf_src_free(&(*s)->lines);
	free(*s);
	*s = NULL;
}

bool
sconf_src_is_sshds(const struct sconf_src *s)
{
	return s->sshd;
}

static bool
is_sshd_config(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash == NULL ? path : slash + 1, "sshd_config") == 0;
}

/* The file with its Includes, relative ones from its own folder. */
static int
add_file(struct sconf_src *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct conf_reader rd = {0};
	char *dir;
	int r, saved;

	dir = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
	if (dir == NULL)
		return QERR_NOMEM;
	rd.dir = dir;
	s->sshd = is_sshd_config(path);
	r = conf_src_add_file(&s->lines, path, &rd);
	saved = errno;
	free(dir);
	errno = saved;
	return r;
}

/* QERR_SYS with ENOENT: there is none. */
static int
add_default_file(struct sconf_src *s)
{
	const struct passwd *pw;
	char *path;
	int r;

	if (!s->user_mode) {
		r = add_file(s, QSH_SYSCONFDIR "/qshd_config");
		if (r == QERR_SYS && errno == ENOENT)
			r = add_file(s, QSH_SSHDIR "/sshd_config");
		return r;
	}
	if ((pw = getpwuid(getuid())) == NULL) {
		errno = ENOENT;
		return QERR_SYS;
	}
	if ((path = str_printf("%s/.qsh/qshd_config", pw->pw_dir)) == NULL)
		return QERR_NOMEM;
	r = add_file(s, path);
	free(path);
	return r;
}

static int
add_overrides(struct sconf_src *s, const struct strlist *overrides)
{
	size_t i;
	int r = 0;

	for (i = 0; overrides != NULL && i < overrides->n && r == 0; i++)
		r = conf_src_add_line(
		    &s->lines, "command line", 0, overrides->v[i], strlen(overrides->v[i]));
	return r;
}

/* Everything right, and small enough for one message to the monitor? */
static int
check_all(const struct sconf_src *s, const char *name)
{
	struct buf b;
	int r;

	if ((r = sconf_check(s)) != 0)
		return r;
	buf_init(&b, SCONF_BYTES_MAX);
	if ((r = sconf_src_put(&b, s)) == QERR_TOOBIG)
		log_error("%s: more than %d bytes of settings", name, SCONF_BYTES_MAX);
	buf_free(&b);
	return r;
}

int
sconf_load_with(
    struct sconf_src **out, const char *path, const struct strlist *overrides, bool user_mode)
{
	int r;

	if ((r = new_src(out, user_mode)) != 0)
		return r;
	if ((r = add_overrides(*out, overrides)) != 0)
		goto out;
	r = path != NULL ? add_file(*out, path) : add_default_file(*out);
	if (r == QERR_SYS && errno == ENOENT) {
		if (path != NULL) {
			log_error("%s: no such configuration file", path);
			goto out;
		}
		r = 0;
	}
	if (r == 0)
		r = check_all(*out, path != NULL ? path : "configuration");
out:
	if (r != 0)
		sconf_src_free(out);
	return r;
}

int
sconf_load(struct sconf_src **out, const char *path)
{
	return sconf_load_with(out, path, NULL, false);
}

int
sconf_parse_text(struct sconf_src **out, const char *name, const uint8_t *text, size_t n)
{
	const struct conf_reader rd = {0};
	int r;

	if ((r = new_src(out, false)) != 0)
		return r;
	(*out)->sshd = is_sshd_config(name);
	r = conf_src_add_text(&(*out)->lines, name, (const char *)text, n, &rd);
	if (r == 0)
		r = check_all(*out, name);
	if (r != 0)
		sconf_src_free(out);
	return r;
}

int
sconf_src_put(struct buf *b, const struct sconf_src *s)
{
	buf_put_u8(b, s->sshd);
	buf_put_u8(b, s->user_mode);
	return conf_src_put(b, &s->lines);
}

int
sconf_src_get(struct sconf_src **out, struct rd *r)
{
	int err;

	if ((err = new_src(out, false)) != 0)
		return err;
	(*out)->sshd = rd_u8(r) != 0;
	(*out)->user_mode = rd_u8(r) != 0;
	if ((err = conf_src_get(&(*out)->lines, r)) != 0)
		sconf_src_free(out);
	return err;
}
