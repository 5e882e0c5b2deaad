#include "client/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/target.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"

struct parse {
	struct options *o;
	struct buf *why;
	char letter;
	int tty;            /* 0 none, 1 -t, 2 -tt, -1 -T */
	const char *target; /* the host argument as written */
	bool late_user;     /* -l came behind it */
	struct strlist settings, origins; /* in order; flags that always win are put before them */
};

struct flag {
	char letter;
	bool arg;                                      /* takes an argument */
	int (*fn)(struct parse *p, const struct flag *f, const char *arg);
	const char *keyword, *value;                   /* for those that are just a setting */
};

static int
fail(struct parse *p, const char *what, const char *arg)
{
	buf_printf(p->why, "qsh: -%c%s%s: %s\n", p->letter, arg ? " " : "", arg ? arg : "", what);
	return QERR_INVAL;
}

/* "Keyword value" with the value in quotes, so that blanks in it stay. */
static int
add_setting(struct strlist *settings, struct strlist *origins, char letter, const char *keyword,
    const char *value)
{
	struct buf b;
	char origin[] = "option -?";
	int rc;

	buf_init(&b, 64 * 1024);
	buf_printf(&b, "%s \"", keyword);
	for (const char *s = value; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_put_u8(&b, '\\');
		buf_put_u8(&b, (uint8_t)*s);
	}
	buf_put(&b, "\"", 2);
	origin[sizeof(origin) - 2] = letter;
	rc = b.err ? b.err : strlist_add(settings, (const char *)buf_data(&b));
	if (rc == 0)
		rc = strlist_add(origins, origin);
	buf_free(&b);
	return rc;
}

static int
on_set(struct parse *p, const struct flag *f, const char *arg)
{
	return add_setting(&p->settings, &p->origins, p->letter, f->keyword,
	    f->value ? f->value : arg);
}

static int
on_raw(struct parse *p, const struct flag *f, const char *arg)
{
	int rc = strlist_add(&p->settings, arg);

	(void)f;
	return rc < 0 ? rc : strlist_add(&p->origins, "option -o");
}

static int
on_port(struct parse *p, const struct flag *f, const char *arg)
{
	long long v;

	if (str_to_int(arg, 1, 65535, &v) < 0) {
		buf_printf(p->why, "qsh: Bad port '%s'.\n", arg);
		return QERR_INVAL;
	}
	return on_set(p, f, arg);
}

static int
set_text(char **where, const char *arg)
{
	char *s = strdup(arg);

	if (!s)
		return QERR_NOMEM;
	free(*where);
	*where = s;
	return 0;
}

static int
on_user(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f;
	if (p->o->user)
		return 0;
	p->late_user = p->target != NULL;
	return set_text(&p->o->user, arg);
}

static int
on_config(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f;
	return set_text(&p->o->config_file, arg);
}

static int
on_log(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f;
	return set_text(&p->o->log_file, arg);
}

static int
on_verbose(struct parse *p, const struct flag *f, const char *arg)
{
	int *l = &p->o->log_level;

	(void)f, (void)arg;
	*l = *l < LOG_L_DEBUG1 ? LOG_L_DEBUG1 : *l < LOG_L_DEBUG3 ? *l + 1 : LOG_L_DEBUG3;
	return 0;
}

static int
on_quiet(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f, (void)arg;
	p->o->log_level = LOG_L_QUIET;
	return 0;
}

static int
on_tty(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f, (void)arg;
	p->tty = p->tty >= 1 ? 2 : 1;
	return 0;
}

static int
on_no_tty(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f, (void)arg;
	p->tty = -1;
	return 0;
}

static int
on_background(struct parse *p, const struct flag *f, const char *arg)
{
	int rc = add_setting(&p->settings, &p->origins, p->letter, "StdinNull", "yes");

	return rc < 0 ? rc : on_set(p, f, arg);
}

static int
on_dump(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f, (void)arg;
	p->o->action = OPTIONS_DUMP;
	return 0;
}

static int
on_version(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f, (void)arg;
	p->o->action = OPTIONS_VERSION;
	return 0;
}

static int
on_compression(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f, (void)arg;
	p->o->compression = true;
	return 0;
}

/* Switches something off that is not there. */
static int
on_nothing(struct parse *p, const struct flag *f, const char *arg)
{
	(void)p, (void)f, (void)arg;
	return 0;
}

static int
on_later(struct parse *p, const struct flag *f, const char *arg)
{
	(void)f;
	if (arg && strcasecmp(arg, "none") == 0 && strchr("JS", p->letter))
		return 0; /* switches off what is not there */
	return fail(p, "not supported yet", NULL);
}

static const struct flag flags[] = {
	{'4', false, on_set, "AddressFamily", "inet"},
	{'6', false, on_set, "AddressFamily", "inet6"},
	{'a', false, on_nothing, NULL, NULL},
	{'B', true, on_set, "BindInterface", NULL},
	{'b', true, on_set, "BindAddress", NULL},
	{'C', false, on_compression, NULL, NULL},
	{'E', true, on_log, NULL, NULL},
	{'e', true, on_set, "EscapeChar", NULL},
	{'F', true, on_config, NULL, NULL},
	{'f', false, on_background, "ForkAfterAuthentication", "yes"},
	{'G', false, on_dump, NULL, NULL},
	{'i', true, on_set, "IdentityFile", NULL},
	{'k', false, on_nothing, NULL, NULL},
	{'l', true, on_user, NULL, NULL},
	{'N', false, on_set, "SessionType", "none"},
	{'n', false, on_set, "StdinNull", "yes"},
	{'o', true, on_raw, NULL, NULL},
	{'p', true, on_port, "Port", NULL},
	{'q', false, on_quiet, NULL, NULL},
	{'s', false, on_set, "SessionType", "subsystem"},
	{'T', false, on_no_tty, NULL, NULL},
	{'t', false, on_tty, NULL, NULL},
	{'V', false, on_version, NULL, NULL},
	{'v', false, on_verbose, NULL, NULL},
	{'x', false, on_nothing, NULL, NULL},
	/* What has not come yet. To pass it over would be to do something else than was asked. */
	{'A', false, on_later, NULL, NULL},
	{'c', true, on_later, NULL, NULL},
	{'D', true, on_later, NULL, NULL},
	{'g', false, on_later, NULL, NULL},
	{'I', true, on_later, NULL, NULL},
	{'J', true, on_later, NULL, NULL},
	{'K', false, on_later, NULL, NULL},
	{'L', true, on_later, NULL, NULL},
	{'M', false, on_later, NULL, NULL},
	{'m', true, on_later, NULL, NULL},
	{'O', true, on_later, NULL, NULL},
	{'Q', true, on_later, NULL, NULL},
	{'R', true, on_later, NULL, NULL},
	{'S', true, on_later, NULL, NULL},
	{'W', true, on_later, NULL, NULL},
	{'w', true, on_later, NULL, NULL},
	{'X', false, on_later, NULL, NULL},
	{'Y', false, on_later, NULL, NULL},
	{'y', false, on_later, NULL, NULL},
};

static const struct flag *
find_flag(char letter)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].letter == letter)
			return &flags[i];
	return NULL;
}

const char *
options_usage(void)
{
	return "usage: qsh [-46aCfGkNnqsTtVvx] [-B bind_interface] [-b bind_address] [-E log_file]\n"
	       "           [-e escape_char] [-F configfile] [-i identity_file] [-l login_name]\n"
	       "           [-o option] [-p port] [user@]destination [command [argument ...]]\n";
}

/* One word of flags, such as "-tt" or "-p22"; *i moves on where an argument was the next word. */
static int
parse_word(struct parse *p, int argc, char *const *argv, int *i)
{
	const char *s = argv[*i] + 1;

	for (; *s; s++) {
		const struct flag *f = find_flag(*s);
		const char *arg = NULL;
		int rc;

		p->letter = *s;
		if (!f) {
			buf_printf(p->why, "qsh: unknown option -- %c\n%s",
			    isprint((unsigned char)*s) ? *s : '?', options_usage());
			return QERR_INVAL;
		}
		if (f->arg) {
			arg = s[1] ? s + 1 : *i + 1 < argc ? argv[++*i] : NULL;
			if (!arg) {
				buf_printf(p->why, "qsh: option requires an argument -- %c\n%s", *s,
				    options_usage());
				return QERR_INVAL;
			}
		}
		rc = f->fn(p, f, arg);
		if (rc < 0)
			return rc;
		if (f->arg)
			return 0;
	}
	return 0;
}

static int
join_command(struct options *o, int argc, char *const *argv, int i)
{
	struct buf b;
	int rc;

	if (i >= argc)
		return 0;
	buf_init(&b, 8 << 20);
	for (int k = i; k < argc; k++) {
		buf_put(&b, argv[k], strlen(argv[k]));
		buf_put_u8(&b, k + 1 < argc ? ' ' : 0);
	}
	/* Nothing but empty words: a shell, as ssh "$host" "$command" gives it. */
	if (!b.err && buf_len(&b) > 1)
		rc = (o->command = strdup((const char *)buf_data(&b))) ? 0 : QERR_NOMEM;
	else
		rc = b.err;
	buf_free(&b);
	return rc;
}

/* Flags first, the host, flags again, then the command; "--" ends the flags of its part. */
static int
parse_words(struct parse *p, int argc, char *const *argv)
{
	int i = 1, rc;

	for (; i < argc; i++) {
		const char *w = argv[i];

		if (strcmp(w, "--") == 0) {
			i++;
			if (!p->target && i < argc)
				p->target = argv[i++];
			break;
		}
		if (w[0] == '-' && w[1] != 0) {
			rc = parse_word(p, argc, argv, &i);
			if (rc < 0)
				return rc;
			if (p->o->action == OPTIONS_VERSION)
				return 0;
		} else if (!p->target) {
			p->target = w;
		} else {
			break;
		}
	}
	return join_command(p->o, argc, argv, i);
}

static int
apply_target(struct parse *p)
{
	struct target t;
	const char *bad;
	int rc;

	if (!p->target || !*p->target) {
		buf_put(p->why, options_usage(), strlen(options_usage()));
		return QERR_INVAL;
	}
	rc = target_parse(&t, p->target, &bad);
	if (rc < 0) {
		buf_printf(p->why, "qsh: %s: %s\n", p->target, bad);
		rc = QERR_INVAL;
		goto out;
	}
	if (t.user && (!p->o->user || p->late_user)) {
		free(p->o->user);
		p->o->user = t.user;
		t.user = NULL;
	}
	if (p->o->user && !target_user_ok(p->o->user)) {
		buf_printf(p->why, "qsh: remote username contains invalid characters\n");
		rc = QERR_INVAL;
		goto out;
	}
	p->o->host = t.host;
	t.host = NULL;
	if (t.port) {
		char port[16];

		snprintf(port, sizeof(port), "%u", t.port);
		rc = add_setting(&p->settings, &p->origins, 'p', "Port", port);
	}
out:
	target_free(&t);
	return rc;
}

/* -t, -q and the like overrule an -o that came before them, as with ssh. */
static int
apply_winners(struct parse *p)
{
	static const char *const tty[] = {"no", NULL, "yes", "force"};
	struct options *o = p->o;
	int rc = 0;

	if (p->tty)
		rc = add_setting(&o->settings, &o->origins, 't', "RequestTTY", tty[p->tty + 1]);
	if (rc == 0 && o->log_level >= 0)
		rc = add_setting(&o->settings, &o->origins, 'v', "LogLevel",
		    log_level_name((enum log_level)o->log_level));
	for (size_t i = 0; rc == 0 && i < p->settings.n; i++) {
		rc = strlist_add(&o->settings, p->settings.v[i]);
		if (rc == 0)
			rc = strlist_add(&o->origins, p->origins.v[i]);
	}
	return rc;
}

int
options_parse(struct options *o, int argc, char *const *argv, struct buf *why)
{
	struct parse p = {.o = o, .why = why};
	int rc;

	memset(o, 0, sizeof(*o));
	o->log_level = -1;
	rc = parse_words(&p, argc, argv);
	if (rc == 0 && o->action != OPTIONS_VERSION) {
		rc = apply_target(&p);
		if (rc == 0)
			rc = apply_winners(&p);
	}
	strlist_free(&p.settings);
	strlist_free(&p.origins);
	return rc;
}

void
options_free(struct options *o)
{
	free(o->host);
	free(o->user);
	free(o->command);
	free(o->config_file);
	free(o->log_file);
	strlist_free(&o->settings);
	strlist_free(&o->origins);
	memset(o, 0, sizeof(*o));
}
