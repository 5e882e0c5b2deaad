/* Options: finding, setting, filling in. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/conf/opt.h"

static void *
member(void *base, const struct conf_opt *o)
{
	return (unsigned char *)base + o->off;
}

int
conf_bad(struct conf_why *why, const char *fmt, ...)
{
	char text[sizeof(why->text) * 2];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		text[0] = '\0';
	str_vis(why->text, sizeof(why->text), text, strlen(text));
	return QERR_FORMAT;
}

size_t
conf_opt_find(const struct conf_table *t, const char *keyword)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		if (strcasecmp(t->opts[i].name, keyword) != 0)
			continue;
		if (t->opts[i].what == CONF_ALIAS)
			return conf_opt_find(t, t->opts[i].alias);
		return i;
	}
	return CONF_NO_OPT;
}

bool
conf_opt_says(const struct conf_line *l, const char *value)
{
	return l->args.n == 1 && strcasecmp(l->args.v[0], value) == 0;
}

/* ---- setters, one a type -------------------------------------------------- */

static const struct conf_name bool_names[] = {
    {"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {NULL, 0}};

static int
find_name(const struct conf_name *names, const char *word, int *value, struct conf_why *why)
{
	const struct conf_name *nm;
	char list[160] = "";
	size_t n;

	for (nm = names; nm->name != NULL; nm++) {
		if (strcasecmp(nm->name, word) == 0) {
			*value = nm->value;
			return 0;
		}
		n = strlen(list);
		snprintf(list + n, sizeof(list) - n, "%s%s", n == 0 ? "" : ", ", nm->name);
	}
	return conf_bad(why, "\"%.60s\" is none of %s", word, list);
}

static int
set_bool(const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	bool *p = member(base, o);
	int v, r;

	if ((r = find_name(bool_names, l->args.v[0], &v, why)) == 0)
		*p = v != 0;
	return r;
}

static int
set_enum(const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	int *p = member(base, o), v, r;

	if ((r = find_name(o->names, l->args.v[0], &v, why)) == 0)
		*p = v;
	return r;
}

static int
set_uint(const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	unsigned *p = member(base, o);
	long long v;

	if ((o->flags & CONF_F_NONE) && conf_opt_says(l, "none"))
		v = 0;
	else if (str_to_int(l->args.v[0], o->min, o->max, &v) != 0)
		return conf_bad(why, "\"%.60s\" is not a number from %lld to %lld",
		    l->args.v[0], o->min, o->max);
	*p = (unsigned)v;
	return 0;
}

static int
read_time(
    const struct conf_opt *o, const struct conf_line *l, uint64_t *s, struct conf_why *why)
{
	const char *word = l->args.v[0];

	if ((o->flags & CONF_F_NONE) && strcasecmp(word, "none") == 0) {
		*s = 0;
		return 0;
	}
	if (str_to_time(word, s) != 0)
		return conf_bad(why, "\"%.60s\" is not a time such as 90, 10m or 1h30m", word);
	if (*s < (uint64_t)o->min || *s > (uint64_t)o->max)
		return conf_bad(
		    why, "\"%.60s\" is not from %lld to %lld seconds", word, o->min, o->max);
	return 0;
}

static int
set_time_ns(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	uint64_t *p = member(base, o), s;
	int r;

	if ((r = read_time(o, l, &s, why)) == 0)
		*p = s * NS_PER_S;
	return r;
}

static int
set_time_s(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	unsigned *p = member(base, o);
	uint64_t s;
	int r;

	if ((r = read_time(o, l, &s, why)) == 0)
		*p = (unsigned)s;
	return r;
}

static int
set_size(const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	const char *word = l->args.v[0];
	char min[STR_SIZE_LEN], max[STR_SIZE_LEN];
	uint64_t *p = member(base, o), v;

	if (str_to_size(word, &v) != 0)
		return conf_bad(why, "\"%.60s\" is not a size such as 4194304, 4096K or 4M", word);
	if (v < (uint64_t)o->min || v > (uint64_t)o->max)
		return conf_bad(why, "\"%.60s\" is not from %s to %s", word,
		    str_size(min, (uint64_t)o->min), str_size(max, (uint64_t)o->max));
	*p = v;
	return 0;
}

static int
keep_string(const struct conf_opt *o, void *base, const char *s)
{
	char **p = member(base, o);

	free(*p);
	*p = NULL;
	if ((o->flags & CONF_F_NONE) && strcasecmp(s, "none") == 0)
		return 0;
	return (*p = strdup(s)) == NULL ? QERR_NOMEM : 0;
}

static int
set_string(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	(void)why;
	return keep_string(o, base, l->args.v[0]);
}

static int
set_rest(const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	(void)why;
	return keep_string(o, base, l->rest);
}

static int
set_list(const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	struct strlist *p = member(base, o);
	size_t i;
	int r;

	(void)why;
	if ((o->flags & CONF_F_NONE) && conf_opt_says(l, "none"))
		return 0;
	for (i = 0; i < l->args.n; i++) {
		if ((o->flags & CONF_F_UNIQUE) && strlist_has(p, l->args.v[i]))
			continue;
		if ((r = strlist_add(p, l->args.v[i])) != 0)
			return r;
	}
	return 0;
}

static int
set_nothing(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	(void)o;
	(void)base;
	(void)l;
	(void)why;
	return 0;
}

static const struct {
	conf_set_fn *set;
	bool single; /* takes exactly one word */
} types[] = {
    [CONF_T_NONE] = {set_nothing, false},
    [CONF_T_BOOL] = {set_bool, true},
    [CONF_T_UINT] = {set_uint, true},
    [CONF_T_ENUM] = {set_enum, true},
    [CONF_T_TIME_NS] = {set_time_ns, true},
    [CONF_T_TIME_S] = {set_time_s, true},
    [CONF_T_SIZE] = {set_size, true},
    [CONF_T_STRING] = {set_string, true},
    [CONF_T_REST] = {set_rest, false},
    [CONF_T_WORDS] = {set_list, false},
    [CONF_T_APPEND] = {set_list, false},
};

int
conf_opt_set(
    const struct conf_opt *o, void *base, const struct conf_line *l, struct conf_why *why)
{
	size_t i;
	int r;

	if (l->args.n == 0)
		return conf_bad(why, "value is missing");
	if (o->set != NULL)
		return o->set(o, base, l, why);
	if (l->args.n > 1 && (types[o->type].single || (o->flags & CONF_F_ONE)))
		return conf_bad(why, "\"%.60s\" is one word too many", l->args.v[1]);
	if (types[o->type].single && l->args.v[0][0] == '\0')
		return conf_bad(why, "value is empty");
	for (i = 0; o->check != NULL && i < l->args.n; i++)
		if ((r = o->check(l->args.v[i], why)) != 0)
			return r;
	return types[o->type].set(o, base, l, why);
}

int
conf_opt_check(const struct conf_table *t, const struct conf_opt *o, const struct conf_line *l,
    struct conf_why *why)
{
	void *scratch;
	int r;

	if ((scratch = calloc(1, t->size)) == NULL)
		return QERR_NOMEM;
	r = conf_opt_set(o, scratch, l, why);
	conf_table_clear(t, scratch);
	free(scratch);
	return r;
}

int
conf_table_defaults(const struct conf_table *t, void *base, const bool *set)
{
	struct conf_line l = {.file = "default"};
	struct conf_why why;
	const char *text;
	char *line;
	size_t i;
	int r = 0;

	for (i = 0; i < t->n && r == 0; i++) {
		if (set[i] || t->opts[i].def == NULL)
			continue;
		if ((line = str_printf("%s %s", t->opts[i].name, t->opts[i].def)) == NULL)
			return QERR_NOMEM;
		r = conf_split(&l, line, strlen(line), &text);
		if (r == 0)
			r = conf_opt_set(&t->opts[i], base, &l, &why);
		conf_line_free(&l);
		free(line);
		if (r == QERR_FORMAT)
			r = QERR_INVAL;
	}
	return r;
}

void
conf_table_clear(const struct conf_table *t, void *base)
{
	char **s;
	size_t i;

	for (i = 0; i < t->n; i++) {
		switch (t->opts[i].type) {
		case CONF_T_STRING:
		case CONF_T_REST:
			s = member(base, &t->opts[i]);
			free(*s);
			*s = NULL;
			break;
		case CONF_T_WORDS:
		case CONF_T_APPEND:
			strlist_free(member(base, &t->opts[i]));
			break;
		default:
			break;
		}
	}
}
