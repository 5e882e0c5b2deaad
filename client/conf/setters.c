/* Options of ssh_config that are more than a word or a list. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/conf/table.h"
#include "common/base/err.h"
#include "common/base/str.h"

static int
one_word(const struct conf_line *l, struct conf_why *why)
{
	if (l->args.n > 1)
		return conf_bad(why, "\"%.60s\" is one word too many", l->args.v[1]);
	return 0;
}

static int
keep(char **to, char *s)
{
	free(*to);
	*to = s;
	return s == NULL ? QERR_NOMEM : 0;
}

/* ---- QuicPort: numbers, with commas or blanks between them -------------------- */

static int
add_ports(struct strlist *l, const char *word, struct conf_why *why)
{
	long long port;
	char *copy, *p, *next;
	int r = 0;

	if ((copy = strdup(word)) == NULL)
		return QERR_NOMEM;
	for (p = copy; p != NULL && r == 0; p = next) {
		if ((next = strchr(p, ',')) != NULL)
			*next++ = '\0';
		if (str_to_int(p, 1, 65535, &port) != 0)
			r = conf_bad(
			    why, "\"%.60s\" is not a list of ports from 1 to 65535", word);
		else if (!strlist_has(l, p))
			r = strlist_add(l, p);
	}
	free(copy);
	return r;
}

int
cconf_set_quic_port(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct cconf *c = base;
	size_t i;
	int r = 0;

	(void)o;
	for (i = 0; i < l->args.n && r == 0; i++)
		r = add_ports(&c->quic_ports, l->args.v[i], why);
	return r;
}

int
cconf_dump_quic_port(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct cconf *c = base;
	size_t i;

	if (c->quic_ports.n == 0)
		return b->err;
	conf_dump_keyword(b, o->name);
	for (i = 0; i < c->quic_ports.n; i++)
		buf_printf(b, "%s%s", i == 0 ? " " : ",", c->quic_ports.v[i]);
	return buf_printf(b, "\n");
}

/* ---- AddKeysToAgent: yes, no, ask, confirm [seconds], seconds ------------------------ */

int
cconf_set_add_keys(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	static const char *const words[][2] = {{"yes", "yes"}, {"true", "yes"}, {"no", "no"},
	    {"false", "no"}, {"ask", "ask"}, {"confirm", "confirm"}};
	const char *first = l->args.v[0], *second = l->args.n > 1 ? l->args.v[1] : NULL;
	struct cconf *c = base;
	uint64_t s;
	size_t i;

	(void)o;
	if (l->args.n == 2 && strcasecmp(first, "confirm") == 0 && str_to_time(second, &s) == 0)
		return keep(&c->add_keys_to_agent, str_printf("confirm %" PRIu64, s));
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(first, words[i][0]) == 0)
			return keep(&c->add_keys_to_agent, strdup(words[i][1]));
	if (str_to_time(first, &s) == 0)
		return keep(&c->add_keys_to_agent, str_printf("%" PRIu64, s));
	return conf_bad(why, "\"%.60s\" is none of yes, no, ask, confirm, or a time", first);
}

int
cconf_dump_add_keys(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct cconf *c = base;
	const char *v = c->add_keys_to_agent;

	if (v == NULL || strcmp(v, "no") == 0)
		v = "false";
	else if (strcmp(v, "yes") == 0)
		v = "true";
	conf_dump_keyword(b, o->name);
	return buf_printf(b, " %s\n", v);
}

/* ---- EscapeChar: a character, ^X, none ------------------------------------------ */

int
cconf_set_escape(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	const unsigned char *s = (const unsigned char *)l->args.v[0];
	struct cconf *c = base;

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	if (strcasecmp(l->args.v[0], "none") == 0)
		c->escape_char = -1;
	else if (s[0] != '\0' && s[1] == '\0')
		c->escape_char = s[0];
	else if (s[0] == '^' && s[1] >= 64 && s[1] < 128 && s[2] == '\0')
		c->escape_char = s[1] & 31;
	else
		return conf_bad(
		    why, "\"%.60s\" is not one character, ^X or none", l->args.v[0]);
	return 0;
}

int
cconf_dump_escape(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct cconf *c = base;

	conf_dump_keyword(b, o->name);
	if (c->escape_char < 0)
		return buf_printf(b, " none\n");
	if (c->escape_char < ' ')
		return buf_printf(b, " ^%c\n", c->escape_char + '@');
	buf_put_u8(b, ' ');
	buf_put_u8(b, (uint8_t)c->escape_char);
	return buf_put_u8(b, '\n');
}

/* ---- keys ------------------------------------------------------------------------ */

int
cconf_set_fingerprint(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct cconf *c = base;

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	if (strcasecmp(l->args.v[0], "sha256") == 0)
		return keep(&c->fingerprint_hash, strdup("sha256"));
	if (strcasecmp(l->args.v[0], "md5") == 0)
		return keep(&c->fingerprint_hash, strdup("md5"));
	return conf_bad(why, "\"%.60s\" is none of sha256, md5", l->args.v[0]);
}

int
cconf_dump_fingerprint(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct cconf *c = base;
	bool md5 = c->fingerprint_hash != NULL && strcmp(c->fingerprint_hash, "md5") == 0;

	conf_dump_keyword(b, o->name);
	return buf_printf(b, " %s\n", md5 ? "MD5" : "SHA256");
}

/* How a key is bound to its host is settled by our protocol, so "unbound" and "host-bound" are
 * "yes". */
int
cconf_set_pubkey(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	static const char *const on[] = {"yes", "true", "unbound", "host-bound"};
	static const char *const off[] = {"no", "false"};
	struct cconf *c = base;
	size_t i;

	(void)o;
	if (one_word(l, why) != 0)
		return QERR_FORMAT;
	for (i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		if (strcasecmp(l->args.v[0], on[i]) == 0) {
			c->pubkey_auth = true;
			return 0;
		}
	for (i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (strcasecmp(l->args.v[0], off[i]) == 0) {
			c->pubkey_auth = false;
			return 0;
		}
	return conf_bad(why, "\"%.60s\" is none of yes, no, unbound, host-bound", l->args.v[0]);
}

int
cconf_dump_pubkey(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct cconf *c = base;

	conf_dump_keyword(b, o->name);
	return buf_printf(b, " %s\n", c->pubkey_auth ? "true" : "false");
}

/* ---- environment ------------------------------------------------------------------ */

/* Takes out what a "-PATTERN" of SendEnv matches. */
static void
drop_matching(struct strlist *l, const char *pattern)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (str_match(l->v[i], pattern))
			free(l->v[i]);
		else
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

int
cconf_set_send_env(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct cconf *c = base;
	const char *word;
	size_t i;
	int r;

	(void)o;
	for (i = 0; i < l->args.n; i++) {
		word = l->args.v[i];
		if (*word == '\0' || strchr(word, '=') != NULL)
			return conf_bad(
			    why, "\"%.60s\" is not a pattern of variable names", word);
		if (*word == '-')
			drop_matching(&c->send_env, word + 1);
		else if (!strlist_has(&c->send_env, word) &&
			 (r = strlist_add(&c->send_env, word)) != 0)
			return r;
	}
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
cconf_set_set_env(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct cconf *c = base;
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
