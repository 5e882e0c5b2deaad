/* Goes through a whole configuration once, when it is loaded: also what stands in Match blocks
 * that do not apply now has to be right. */
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/conf/table.h"

struct frame {
	bool in_match; /* lines count for some connections only */
	bool all;      /* but the block is "Match all" */
};

struct checker {
	const struct sconf_src *src;
	struct frame stack[CONF_DEPTH_MAX + 3];
	size_t depth;
	const struct conf_line *use_dns; /* a line that says yes */
	const struct conf_line *by_name; /* a line that would need it */
	int err;			 /* the first one */
};

static void
refuse(struct checker *k, const struct conf_line *l, int err, const char *text)
{
	char where[CONF_WHERE_LEN];

	log_error("%s: %s%s%s", conf_where(l, where), l->keyword != NULL ? l->keyword : "",
	    l->keyword != NULL ? ": " : "", text);
	if (k->err == 0)
		k->err = err;
}

static void
report(const struct conf_line *l, const char *what, const char *note)
{
	char where[CONF_WHERE_LEN];

	log_info("%s: %s %s: %s", conf_where(l, where), l->keyword, what, note);
}

static bool
says_no(const struct conf_line *l)
{
	return conf_opt_says(l, "no") || conf_opt_says(l, "none") || conf_opt_says(l, "false");
}

/* What is not simply done: refused, or passed over with a line in the log. */
static void
check_what(struct checker *k, const struct conf_opt *o, const struct conf_line *l)
{
	switch (o->what) {
	case CONF_REFUSED:
		if (o->harmless == NULL || !conf_opt_says(l, o->harmless))
			refuse(k, l, QERR_UNSUPPORTED, o->note);
		break;
	case CONF_PASSED:
		report(l, "passed over", o->note);
		break;
	case CONF_OFF:
		if (!says_no(l))
			report(l, "counts as \"no\"", o->note);
		break;
	case CONF_LATER:
		if (!says_no(l))
			report(l, "has no effect", o->note);
		break;
	case CONF_DONE:
	case CONF_ALIAS:
		break;
	}
}

static bool
has_user_at_host(const struct conf_line *l)
{
	size_t i;

	for (i = 0; i < l->args.n; i++)
		if (strchr(l->args.v[i], '@') != NULL)
			return true;
	return false;
}

/* A host name in what restricts would need a look-up, where the file says UseDNS yes. */
static void
note_names(struct checker *k, const struct conf_opt *o, const struct conf_line *l)
{
	if (strcmp(o->name, "UseDNS") == 0 && !says_no(l) && k->use_dns == NULL)
		k->use_dns = l;
	if (strcmp(o->name, "DenyUsers") == 0 && has_user_at_host(l) && k->by_name == NULL)
		k->by_name = l;
}

static void
check_line(struct checker *k, const struct conf_line *l)
{
	const struct frame *f = &k->stack[k->depth];
	const struct conf_opt *o;
	struct conf_why why;
	size_t i;
	int r;

	if ((i = conf_opt_find(&sconf_table, l->keyword)) == CONF_NO_OPT) {
		refuse(k, l, QERR_UNKNOWN, "keyword is not known");
		return;
	}
	o = &sconf_table.opts[i];
	if (f->in_match && !f->all && !(o->flags & CONF_F_MATCH)) {
		refuse(k, l, QERR_FORMAT, "is not allowed in a Match block");
		return;
	}
	if (o->what == CONF_DONE || o->what == CONF_LATER) {
		if ((r = conf_opt_check(&sconf_table, o, l, &why)) != 0) {
			refuse(k, l, r, r == QERR_FORMAT ? why.text : qerr_str(r));
			return;
		}
	}
	check_what(k, o, l);
	note_names(k, o, l);
	if (k->src->sshd && l->lineno != 0 && strcmp(o->name, "PidFile") == 0)
		report(l, "passed over", "that file is sshd's");
}

static void
check_match(struct checker *k, const struct conf_line *l)
{
	struct frame *f = &k->stack[k->depth];
	struct conf_why why;
	bool by_host = false;

	if (l->lineno == 0 || sconf_match_check(l, &by_host, &why) != 0)
		refuse(k, l, QERR_FORMAT,
		    l->lineno == 0 ? "is possible in a file only" : why.text);
	if (by_host && k->by_name == NULL)
		k->by_name = l;
	f->in_match = true;
	f->all = sconf_match_is_all(l) && (k->depth == 0 || !k->stack[k->depth - 1].in_match);
}

static void
check_item(struct checker *k, const struct conf_item *it)
{
	switch (it->kind) {
	case CONF_I_PUSH:
		k->stack[k->depth + 1] = k->stack[k->depth];
		k->depth++;
		break;
	case CONF_I_POP:
		k->depth--;
		break;
	case CONF_I_LINE:
		if (it->bad != NULL)
			refuse(k, &it->line, QERR_FORMAT, it->bad);
		else if (strcasecmp(it->line.keyword, "match") == 0)
			check_match(k, &it->line);
		else if (strcasecmp(it->line.keyword, "include") != 0)
			check_line(k, &it->line);
		else if (it->line.lineno == 0)
			refuse(k, &it->line, QERR_FORMAT, "is possible in a file only");
		break;
	}
}

int
sconf_check(const struct sconf_src *s)
{
	struct checker k = {.src = s};
	size_t i;

	for (i = 0; i < s->lines.n; i++)
		check_item(&k, &s->lines.v[i]);
	if (k.use_dns != NULL && k.by_name != NULL)
		refuse(&k, k.by_name, QERR_UNSUPPORTED,
		    "host names cannot be told here, as addresses are not looked up (UseDNS)");
	return k.err;
}
