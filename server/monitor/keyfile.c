/* Looking a key up in a user's files. */
#include "server/monitor/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/monitor/asuser.h"
#include "server/monitor/grant.h"
#include "server/monitor/safepath.h"

#define FILE_MAX (4 * 1024 * 1024)
#define NO_USER  "nonexistent"
#define ENV_FILE ".ssh/environment"
#define ENV_MAX  (64 * 1024)

char *
keyfile_path(const char *pattern, const struct account *a)
{
	char uid[32], bad;
	char *path = NULL;
	snprintf(uid, sizeof uid, "%llu", (unsigned long long)a->uid);
	/* what a client makes up is no part of a path: it may be "../../dev/watchdog" */
	const char *user = a->exists ? a->name : NO_USER;
	const struct conf_token tokens[] = {{'h', a->home}, {'u', user}, {'U', uid}};
	int r = conf_expand(&path, pattern, tokens, sizeof tokens / sizeof tokens[0], &bad);
	if (r < 0) {
		log_error("AuthorizedKeysFile %s: %s", pattern, qerr_str(r));
		return NULL;
	}
	if (path[0] == '/')
		return path;
	char *whole = str_printf("%s/%s", a->home, path);
	free(path);
	return whole;
}

/* With the user's privileges. 0, or negative where there is nothing to be read (logged). */
static int
read_users_file(const char *path, const struct account *a, bool strict, size_t max, uint8_t **text,
    size_t *n)
{
	struct stat st;
	char why[4200];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		if (errno != ENOENT)
			log_debug("Could not open keyfile '%s': %s", path, qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	int r = QERR_PERM;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		log_info("User %s file %s is not a regular file", a->name, path);
	} else if (strict && safepath_check(path, &st, a->home, a->uid, why, sizeof why) < 0) {
		log_info("Authentication refused: %s", why);
	} else {
		r = fd_read_all(fd, max, text, n);
		if (r < 0)
			log_info("User %s file %s cannot be read: %s", a->name, path, qerr_str(r));
	}
	fd_close(&fd);
	return r;
}

static void
log_refusal(enum grant_refusal why, const struct account *a, const struct addr *from,
    const char *path, unsigned lineno, const struct authkey_line *l)
{
	char host[ADDR_STRLEN];
	if (why == GRANT_FROM)
		log_info("Authentication tried for %s with correct key but not from a permitted "
			 "host (host=%s, ip=%s, required=%s).",
		    a->name, addr_host(from, host), addr_host(from, host), l->opts.from);
	else
		log_info("%s:%u: key refused: %s", path, lineno, grant_refusal_str(why));
}

int
keyfile_find_text(const char *path, const uint8_t *text, size_t n, const struct account *a,
    const struct pubkey *k, const struct addr *from, uint64_t now, struct authkey_line *line)
{
	unsigned lineno = 0;
	int r;
	while ((r = authkeys_find_next(path, text, n, k, lineno, line, &lineno)) == 1) {
		enum grant_refusal why = grant_check(&line->opts, from, now);
		if (why == GRANT_OK)
			break;
		log_refusal(why, a, from, path, lineno, line);
		authkey_line_free(line);
	}
	if (r == 1)
		log_debug("%s:%u: matching key found", path, lineno);
	return r;
}

static int
find_in_file(const char *pattern, const struct account *a, const struct sconf *c,
    const struct pubkey *k, const struct addr *from, uint64_t now, struct authkey_line *line)
{
	uint8_t *text = NULL;
	size_t n;
	int r = 0;
	char *path = keyfile_path(pattern, a);
	if (path && read_users_file(path, a, c->strict_modes, FILE_MAX, &text, &n) == 0)
		r = keyfile_find_text(path, text, n, a, k, from, now, line);
	free(text);
	free(path);
	return r;
}

int
keyfile_find(const struct account *a, const struct sconf *c, const struct pubkey *k,
    const struct addr *from, uint64_t now, struct authkey_line *line)
{
	struct asuser as = {0};
	int r = a->exists ? asuser_begin(&as, a) : 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->authorized_keys_files.n && r == 0; i++) {
		if (strcmp(c->authorized_keys_files.v[i], "none") != 0)
			r = find_in_file(c->authorized_keys_files.v[i], a, c, k, from, now, line);
	}
	asuser_end(&as);
	return r;
}

static int
add_env_line(struct strlist *env, char *p, const char *patterns)
{
	p += strspn(p, " \t");
	char *eq = strchr(p, '=');
	if (*p == '#' || *p == '\0' || !eq || eq == p)
		return 0;
	*eq = '\0';
	bool ok = !patterns || str_match_list(p, patterns, false) == 1;
	*eq = '=';
	return ok ? strlist_add(env, p) : 0;
}

int
keyfile_user_env(const struct account *a, const char *patterns, struct strlist *env)
{
	char *path = str_printf("%s/" ENV_FILE, a->home);
	if (!path)
		return QERR_NOMEM;
	struct asuser as;
	uint8_t *text = NULL;
	size_t n;
	int r = asuser_begin(&as, a);
	if (r == 0) {
		if (read_users_file(path, a, false, ENV_MAX, &text, &n) < 0)
			text = NULL;
		asuser_end(&as);
	}
	char *save = NULL;
	for (char *p = text ? strtok_r((char *)text, "\r\n", &save) : NULL; p && r == 0;
	     p = strtok_r(NULL, "\r\n", &save))
		r = add_env_line(env, p, patterns);
	free(text);
	free(path);
	return r;
}
