/* Options of sshd_config that are more than a word or a list. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "server/conf/table.h"

static int
one_word(const struct conf_line *l, struct conf_why *why)
{
	if (l->args.n > 1)
		return conf_bad(why, "\"%.60s\" is one word too many", l->args.v[1]);
	return 0;
}

static bool
is_port(const char *s)
{
	long long v;

	return str_to_int(s, 1, 65535, &v) == 0;
}

static int
add_unique(struct strlist *l, const char *s)
{
	return strlist_has(l, s) ? 0 : strlist_add(l, s);
}

int
sconf_set_port(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	if (!is_port(l->args.v[0]))
		return conf_bad(why, "\"%.60s\" is not a port from 1 to 65535", l->args.v[0]);
	return add_unique(&c->ports, l->args.v[0]);
}

int
sconf_split_listen(const char *word, char **host, char **port)
{
	const char *h = word, *end, *colon;

	*host = *port = NULL;
	if (*word == '[') {
		h = word + 1;
		if ((end = strchr(h, ']')) == NULL || (end[1] != '\0' && end[1] != ':'))
			return QERR_FORMAT;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strchr(word, ':');
		if (colon != NULL && strchr(colon + 1, ':') != NULL)
			colon = NULL; /* an IPv6 address without brackets has no port */
		end = colon != NULL ? colon : word + strlen(word);
	}
	if (end == h || (colon != NULL && !is_port(colon + 1)))
		return QERR_FORMAT;
	*host = strndup(h, (size_t)(end - h));
	if (colon != NULL)
		*port = strdup(colon + 1);
	if (*host == NULL || (colon != NULL && *port == NULL)) {
		free(*host);
		free(*port);
		*host = *port = NULL;
		return QERR_NOMEM;
	}
	return 0;
}

int
sconf_set_listen(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;
	char *host, *port;
	int r;

	(void)o;
	if (l->args.n > 1 && strcasecmp(l->args.v[1], "rdomain") == 0)
		return conf_bad(why, "routing domains are not supported");
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	r = sconf_split_listen(l->args.v[0], &host, &port);
	free(host);
	free(port);
	if (r == QERR_FORMAT)
		return conf_bad(why,
		    "\"%.80s\" is not an address, address:port or [address]:port",
		    l->args.v[0]);
	return r != 0 ? r : strlist_add(&c->listen, l->args.v[0]);
}

static bool
all_digits(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

int
sconf_split_tcp(const char *word, char **host, char **port)
{
	int r;

	*host = *port = NULL;
	if (strcasecmp(word, "none") == 0)
		return 0;
	if (all_digits(word)) {
		if (!is_port(word))
			return QERR_FORMAT;
		return (*port = strdup(word)) != NULL ? 0 : QERR_NOMEM;
	}
	r = sconf_split_listen(word, host, port);
	if (r == 0 && *port == NULL) {
		free(*host);
		*host = NULL;
		return QERR_FORMAT;
	}
	return r;
}

int
sconf_set_tcp_listen(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;
	char *host, *port;
	bool none;
	int r;

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	r = sconf_split_tcp(l->args.v[0], &host, &port);
	none = r == 0 && port == NULL;
	free(host);
	free(port);
	if (r == QERR_FORMAT)
		return conf_bad(why,
		    "\"%.80s\" is not a port, address:port or [address]:port, nor none",
		    l->args.v[0]);
	return r != 0 || none ? r : strlist_add(&c->tcp_listen, l->args.v[0]);
}

int
sconf_set_host_key(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;
	char *cwd, *path;
	int r;

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	if (strcasecmp(l->args.v[0], "none") == 0)
		return 0;
	if (l->args.v[0][0] == '/')
		return add_unique(&c->host_keys, l->args.v[0]);
	if (l->args.v[0][0] == '\0' || (cwd = getcwd(NULL, 0)) == NULL)
		return conf_bad(why, "\"%.80s\" is not an absolute path", l->args.v[0]);
	path = str_printf("%s/%s", cwd, l->args.v[0]);
	free(cwd);
	r = path == NULL ? QERR_NOMEM : add_unique(&c->host_keys, path);
	free(path);
	return r;
}

/* ---- Subsystem: "name command", the first one of a name counts --------------- */

static bool
has_subsystem(const struct sconf *c, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < c->subsystems.n; i++)
		if (strncmp(c->subsystems.v[i], name, n) == 0 && c->subsystems.v[i][n] == ' ')
			return true;
	return false;
}

/* A word such that the user's shell reads it as one again. */
static void
put_word(struct buf *b, const char *word)
{
	bool quote = *word == '\0' || strpbrk(word, " \t'\"\\") != NULL;

	if (quote)
		buf_put_u8(b, '"');
	for (; *word != '\0'; word++) {
		if (quote && (*word == '"' || *word == '\\'))
			buf_put_u8(b, '\\');
		buf_put_u8(b, (uint8_t)*word);
	}
	if (quote)
		buf_put_u8(b, '"');
}

int
sconf_set_subsystem(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;
	struct buf b;
	size_t i;
	int r;

	(void)o;
	if (l->args.v[0][0] == '\0' || strpbrk(l->args.v[0], " \t") != NULL)
		return conf_bad(why, "\"%.60s\" is not a name of a subsystem", l->args.v[0]);
	if (l->args.n < 2)
		return conf_bad(why, "command of subsystem \"%.60s\" is missing", l->args.v[0]);
	if (has_subsystem(c, l->args.v[0]))
		return 0;
	buf_init(&b, SCONF_BYTES_MAX);
	buf_printf(&b, "%s", l->args.v[0]);
	for (i = 1; i < l->args.n; i++) {
		buf_put_u8(&b, ' ');
		put_word(&b, l->args.v[i]);
	}
	if ((r = buf_put_u8(&b, 0)) == 0)
		r = strlist_add(&c->subsystems, (const char *)buf_data(&b));
	buf_free(&b);
	return r;
}

/* ---- MaxStartups ------------------------------------------------------------- */

int
sconf_set_startups(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	long long begin, rate = 30, full;
	struct sconf *c = base;
	char *copy, *second, *third = NULL;
	int r;

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	if ((copy = strdup(l->args.v[0])) == NULL)
		return QERR_NOMEM;
	if ((second = strchr(copy, ':')) != NULL) {
		*second++ = '\0';
		if ((third = strchr(second, ':')) != NULL)
			*third++ = '\0';
	}
	r = str_to_int(copy, 1, 1000000, &begin);
	full = begin;
	if (r == 0 && second != NULL)
		r = third == NULL ? QERR_FORMAT : str_to_int(second, 1, 100, &rate);
	if (r == 0 && third != NULL)
		r = str_to_int(third, begin, 1000000, &full);
	free(copy);
	if (r != 0)
		return conf_bad(
		    why, "\"%.60s\" is not a number or start:rate:full", l->args.v[0]);
	c->startups_begin = (unsigned)begin;
	c->startups_rate = (unsigned)rate;
	c->startups_full = (unsigned)full;
	return 0;
}

int
sconf_dump_startups(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct sconf *c = base;

	conf_dump_keyword(b, o->name);
	return buf_printf(
	    b, " %u:%u:%u\n", c->startups_begin, c->startups_rate, c->startups_full);
}

/* ---- environment ------------------------------------------------------------- */

int
sconf_set_user_env(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;
	const char *word = l->args.v[0];

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	free(c->permit_user_env_patterns);
	c->permit_user_env_patterns = NULL;
	if (strcasecmp(word, "no") == 0 || strcasecmp(word, "false") == 0) {
		c->permit_user_env = false;
		return 0;
	}
	c->permit_user_env = true;
	if (strcasecmp(word, "yes") == 0 || strcasecmp(word, "true") == 0)
		return 0;
	if (*word == '\0')
		return conf_bad(why, "value is empty");
	c->permit_user_env_patterns = strdup(word);
	return c->permit_user_env_patterns == NULL ? QERR_NOMEM : 0;
}

int
sconf_dump_user_env(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct sconf *c = base;
	const char *v = c->permit_user_env ? "yes" : "no";

	conf_dump_keyword(b, o->name);
	if (c->permit_user_env_patterns != NULL)
		v = c->permit_user_env_patterns;
	return buf_printf(b, " %s\n", v);
}

int
sconf_check_accept_env(const char *word, struct conf_why *why)
{
	if (*word == '\0' || strchr(word, '=') != NULL)
		return conf_bad(why, "\"%.60s\" is not a pattern of variable names", word);
	return 0;
}

static bool
has_variable(const struct strlist *l, const char *assignment)
{
	size_t i, n = strcspn(assignment, "=") + 1;

	for (i = 0; i < l->n; i++)
		if (strncmp(l->v[i], assignment, n) == 0)
			return true;
	return false;
}

int
sconf_set_env(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;
	const char *word;
	size_t i;
	int r;

	(void)o;
	for (i = 0; i < l->args.n; i++) {
		word = l->args.v[i];
		if (*word == '=' || strchr(word, '=') == NULL)
			return conf_bad(why, "\"%.60s\" is not NAME=value", word);
		if (!has_variable(&c->set_env, word) &&
		    (r = strlist_add(&c->set_env, word)) != 0)
			return r;
	}
	return 0;
}

/* ---- who may log in ------------------------------------------------------------ */

int
sconf_check_user_pattern(const char *word, struct conf_why *why)
{
	const char *at = strrchr(word, '@');

	if (*word == '\0')
		return conf_bad(why, "pattern is empty");
	if (at == NULL)
		return 0;
	if (addr_match_list(NULL, at + 1) == QERR_FORMAT)
		return conf_bad(why, "\"%.80s\" has a malformed address", word);
	return 0;
}

/* The processes that open it have changed to the root folder. */
/* "type=interval"; 0 is no timeout. Types that are not there are for later: they end nothing. */
int
sconf_check_channel_timeout(const char *word, struct conf_why *why)
{
	const char *eq = strchr(word, '=');
	uint64_t s;

	if (strcasecmp(word, "none") == 0)
		return 0;
	if (eq == NULL || eq == word)
		return conf_bad(why, "\"%.60s\" is not type=interval, such as session=30m", word);
	if (str_to_time(eq + 1, &s) != 0 || s > INT32_MAX)
		return conf_bad(why, "\"%.60s\" is not a time such as 90, 10m or 1h30m", eq + 1);
	return 0;
}

int
sconf_check_absolute(const char *word, struct conf_why *why)
{
	if (*word != '/' && strcasecmp(word, "none") != 0)
		return conf_bad(why, "\"%.80s\" must begin with /", word);
	return 0;
}

/* Is "name" or "name:device" with this many bytes one of sshd's methods? */
static bool
known_method(const char *s, size_t n)
{
	static const char *const known[] = {"none", "publickey", "password",
	    "keyboard-interactive", "hostbased", "gssapi-with-mic", "gssapi-keyex"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == n && strncmp(s, known[i], n) == 0)
			return true;
	return false;
}

static int
check_methods(const char *list, struct conf_why *why)
{
	const char *s = list;
	size_t n;

	for (;;) {
		n = strcspn(s, ",");
		if (!known_method(s, strcspn(s, ",:")))
			return conf_bad(why, "\"%.80s\" names an unknown method", list);
		if (s[n] == '\0')
			return 0;
		s += n + 1;
	}
}

int
sconf_set_methods(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct sconf *c = base;
	const char *word;
	bool any;
	size_t i;
	int r;

	(void)o;
	for (i = 0; i < l->args.n; i++) {
		word = l->args.v[i];
		any = strcasecmp(word, "any") == 0 || *word == '\0';
		if (any && l->args.n > 1)
			return conf_bad(why, "\"any\" must stand alone");
		if (!any && (r = check_methods(word, why)) != 0)
			return r;
		if ((r = strlist_add(&c->auth_methods, any ? "any" : word)) != 0)
			return r;
	}
	return 0;
}

int
sconf_dump_methods(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct sconf *c = base;
	size_t i;

	conf_dump_keyword(b, o->name);
	if (c->auth_methods.n == 0)
		buf_printf(b, " any");
	for (i = 0; i < c->auth_methods.n; i++)
		buf_printf(b, " %s", c->auth_methods.v[i]);
	return buf_printf(b, "\n");
}
