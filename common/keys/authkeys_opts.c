/* Options of a line in authorized_keys: a row each. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/keys/authkeys_opts.h"

#define LIST_MAX   4096 /* permitopen, permitlisten; as sshd has it */
#define ENV_MAX    1024
#define TUN_MAX    0x7ffffffd

/* Options without a value. no: the name may have "no-" before it. */
struct flag {
	const char *name;
	bool no;
	void (*set)(struct authkey_opts *o, bool yes);
};

static void
set_restrict(struct authkey_opts *o, bool yes)
{
	o->restrict_all = o->no_port = o->no_agent = o->no_x11 = o->no_pty = o->no_user_rc = yes;
}

#define SETTER(name, expr) static void name(struct authkey_opts *o, bool yes) { expr; }
SETTER(set_ca, o->cert_authority = yes)
SETTER(set_port, o->no_port = !yes)
SETTER(set_agent, o->no_agent = !yes)
SETTER(set_x11, o->no_x11 = !yes)
SETTER(set_pty, o->no_pty = !yes)
SETTER(set_user_rc, o->no_user_rc = !yes)
SETTER(set_touch, o->no_touch_required = !yes)
SETTER(set_verify, o->verify_required = yes)

static const struct flag flags[] = {
	{"restrict", false, set_restrict},
	{"cert-authority", false, set_ca},
	{"port-forwarding", true, set_port},
	{"agent-forwarding", true, set_agent},
	{"x11-forwarding", true, set_x11},
	{"pty", true, set_pty},
	{"user-rc", true, set_user_rc},
	{"touch-required", true, set_touch},
	{"verify-required", true, set_verify},
};

/* Options with a value: the setter takes *v over, or leaves it to be freed. */
struct setting {
	const char *name;
	int (*set)(struct authkey_opts *o, char **v, const char **why);
};

static int
set_once(char **where, char **v, const char **why, const char *twice)
{
	if (*where) {
		*why = twice;
		return QERR_FORMAT;
	}
	*where = *v;
	*v = NULL;
	return 0;
}

static int
set_command(struct authkey_opts *o, char **v, const char **why)
{
	return set_once(&o->command, v, why, "more than one command=");
}

static int
set_from(struct authkey_opts *o, char **v, const char **why)
{
	return set_once(&o->from, v, why, "more than one from=");
}

static int
set_principals(struct authkey_opts *o, char **v, const char **why)
{
	return set_once(&o->principals, v, why, "more than one principals=");
}

static int
set_expiry(struct authkey_opts *o, char **v, const char **why)
{
	uint64_t t;

	if (authkey_time_parse(*v, &t) != 0) {
		*why = "malformed expiry-time=";
		return QERR_FORMAT;
	}
	if (o->expiry == 0 || t < o->expiry)
		o->expiry = t;
	return 0;
}

static int
list_add(char ***list, size_t *n, char **v)
{
	char **grown = reallocarray(*list, *n + 1, sizeof(**list));

	if (!grown)
		return QERR_NOMEM;
	grown[(*n)++] = *v;
	*v = NULL;
	*list = grown;
	return 0;
}

static int
set_environment(struct authkey_opts *o, char **v, const char **why)
{
	const char *s = *v;
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	*why = "malformed environment=";
	if (n == 0 || s[n] != '=')
		return QERR_FORMAT;
	for (size_t i = 0; i < o->nenv; i++)
		if (strncmp(o->env[i], s, n + 1) == 0)
			return 0; /* the first one holds */
	*why = "too many environment=";
	return o->nenv < ENV_MAX ? list_add(&o->env, &o->nenv, v) : QERR_FORMAT;
}

/* host:port, [host]:port; a port is a number, a service's name or "*". */
static bool
permit_ok(const char *s, bool bare_port)
{
	const char *port = s;

	if (*s == '[') {
		port = strchr(s, ']');
		if (!port || port[1] != ':')
			return false;
		port += 2;
	} else if (strchr(s, ':')) {
		port = strchr(s, ':') + 1;
	} else if (!bare_port) {
		return false;
	}
	long long v;
	if (strcmp(port, "*") == 0)
		return true;
	if (isdigit((unsigned char)*port))
		return str_to_int(port, 1, 65535, &v) == 0;
	for (const char *p = port; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return false;
	return *port != '\0';
}

static int
set_permitopen(struct authkey_opts *o, char **v, const char **why)
{
	*why = "malformed permitopen=";
	if (!permit_ok(*v, false) || o->npermitopen >= LIST_MAX)
		return QERR_FORMAT;
	return list_add(&o->permitopen, &o->npermitopen, v);
}

static int
set_permitlisten(struct authkey_opts *o, char **v, const char **why)
{
	*why = "malformed permitlisten=";
	if (!permit_ok(*v, true) || o->npermitlisten >= LIST_MAX)
		return QERR_FORMAT;
	return list_add(&o->permitlisten, &o->npermitlisten, v);
}

static int
set_tunnel(struct authkey_opts *o, char **v, const char **why)
{
	long long n;

	*why = "malformed tunnel=";
	if (strcasecmp(*v, "any") != 0 && str_to_int(*v, 0, TUN_MAX, &n) != 0)
		return QERR_FORMAT;
	free(o->tunnel); /* the last one holds */
	o->tunnel = *v;
	*v = NULL;
	return 0;
}

static const struct setting settings[] = {
	{"command", set_command},
	{"from", set_from},
	{"principals", set_principals},
	{"expiry-time", set_expiry},
	{"environment", set_environment},
	{"permitopen", set_permitopen},
	{"permitlisten", set_permitlisten},
	{"tunnel", set_tunnel},
};

static bool
is_name(const char *s, size_t n, const char *name)
{
	return strlen(name) == n && strncasecmp(s, name, n) == 0;
}

static int
parse_flag(struct authkey_opts *o, const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		bool no = flags[i].no && n > 3 && strncasecmp(s, "no-", 3) == 0;
		if (is_name(no ? s + 3 : s, no ? n - 3 : n, flags[i].name)) {
			flags[i].set(o, !no);
			return 0;
		}
	}
	return QERR_UNKNOWN;
}

/* A quoted value at *s, which moves behind it; only a quote can be quoted. */
static int
take_quoted(const char **s, const char *end, char **out, const char **why)
{
	const char *p = *s;

	*why = "value without a quote before it";
	if (p == end || *p++ != '"')
		return QERR_FORMAT;
	char *v = *out = malloc((size_t)(end - p) + 1);
	if (!v)
		return QERR_NOMEM;
	while (p < end && *p != '"') {
		if (*p == '\\' && end - p > 1 && p[1] == '"')
			p++;
		*v++ = *p++;
	}
	*v = '\0';
	*why = "value without a quote behind it";
	if (p == end)
		return QERR_FORMAT;
	*s = p + 1;
	return 0;
}

static int
parse_setting(struct authkey_opts *o, const char *name, size_t n, const char **s, const char *end,
    const char **why)
{
	const struct setting *t = NULL;
	char *v = NULL;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (is_name(name, n, settings[i].name))
			t = &settings[i];
	if (!t)
		return QERR_UNKNOWN;
	int err = take_quoted(s, end, &v, why);
	if (!err)
		err = t->set(o, &v, why);
	free(v);
	return err;
}

int
authkey_opts_parse(struct authkey_opts *o, const char *s, size_t n, const char **why)
{
	const char *end = s + n;
	int err = 0;

	while (!err && s < end) {
		const char *name = s;
		while (s < end && *s != '=' && *s != ',' && *s != '"')
			s++;
		size_t len = (size_t)(s - name);
		if (s < end && *s == '=') {
			s++;
			err = parse_setting(o, name, len, &s, end, why);
		} else if (len > 0) { /* sshd passes over an empty one */
			err = parse_flag(o, name, len);
		}
		if (!err && s < end && *s++ != ',')
			err = QERR_UNKNOWN;
	}
	if (err == QERR_UNKNOWN)
		*why = "unknown option";
	if (!err && o->principals && !o->cert_authority) {
		*why = "principals= on a key that is no certification authority's";
		err = QERR_FORMAT;
	}
	return err;
}

static void
list_free(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

void
authkey_opts_free(struct authkey_opts *o)
{
	free(o->command);
	free(o->from);
	free(o->principals);
	free(o->tunnel);
	list_free(o->env, o->nenv);
	list_free(o->permitopen, o->npermitopen);
	list_free(o->permitlisten, o->npermitlisten);
	memset(o, 0, sizeof(*o));
}
