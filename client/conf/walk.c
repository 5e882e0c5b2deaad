/* Going through the lines for one host: the first value of each option wins. */
#include <string.h>
#include <strings.h>

#include "client/conf/table.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"

struct frame {
	bool never;  /* included from a block that does not apply */
	bool active; /* the block applies */
};

struct state {
	struct cconf_walk *w;
	struct frame stack[CONF_DEPTH_MAX + 3];
	size_t depth;
};

/* All mistakes are told, once, in ssh's words. */
static void
bad_line(struct cconf_walk *w, const struct conf_line *l, const char *what, const char *text)
{
	w->bad++;
	if (w->final)
		return;
	if (l->lineno == 0)
		log_error("%s: %s%s%s", l->file, what, *what != '\0' ? ": " : "", text);
	else
		log_error("%s: line %lu: %s%s%s", l->file, l->lineno, what,
		    *what != '\0' ? ": " : "", text);
}

static size_t
index_of(const char *name)
{
	return conf_opt_find(&cconf_table, name);
}

/* Of the two the first one counts, and shuts the other out. */
static void
exclude_proxies(struct cconf_walk *w, size_t i)
{
	size_t command = index_of("ProxyCommand"), jump = index_of("ProxyJump");

	if (i == command || i == jump)
		w->set[command] = w->set[jump] = true;
}

static int
set_option(struct cconf_walk *w, size_t i, const struct conf_line *l)
{
	const struct conf_opt *o = &cconf_table.opts[i];
	struct conf_why why;
	int r;

	if (w->set[i] && o->type != CONF_T_APPEND)
		return 0;
	if ((r = conf_opt_set(o, w->c, l, &why)) != 0)
		return r == QERR_FORMAT ? 0 : r;
	w->set[i] = true;
	exclude_proxies(w, i);
	return 0;
}

static int
unknown(struct cconf_walk *w, const struct conf_line *l)
{
	const char *ignore = w->c->ignore_unknown;
	char text[200];

	if (ignore != NULL && str_match_list(l->keyword, ignore, true) == 1) {
		log_debug2("%s line %lu: Ignored unknown option \"%s\"", l->file, l->lineno,
		    l->keyword);
		return 0;
	}
	bad_line(w, l, "Bad configuration option",
	    str_vis(text, sizeof(text), l->keyword, strlen(l->keyword)));
	return 0;
}

static int
option_line(struct cconf_walk *w, const struct conf_line *l, bool active)
{
	const struct conf_opt *o;
	struct conf_why why;
	size_t i;
	int r;

	if ((i = index_of(l->keyword)) == CONF_NO_OPT)
		return unknown(w, l);
	o = &cconf_table.opts[i];
	if (o->what == CONF_PASSED) {
		if (!w->final)
			log_debug("%s line %lu: %s is passed over: %s", l->file, l->lineno,
			    o->name, o->note);
		return 0;
	}
	if ((r = conf_opt_check(&cconf_table, o, l, &why)) == QERR_FORMAT) {
		bad_line(w, l, o->name, why.text);
		return 0;
	}
	return r != 0 || !active ? r : set_option(w, i, l);
}

static int
line(struct state *s, const struct conf_line *l)
{
	struct frame *f = &s->stack[s->depth];
	struct conf_why why;
	int r;

	if (strcasecmp(l->keyword, "include") == 0)
		return 0;
	if (strcasecmp(l->keyword, "host") == 0) {
		if (l->args.n == 0)
			bad_line(s->w, l, "Host", "pattern is missing");
		f->active = !f->never && cconf_host_line(s->w, l) == 1;
		if (f->active)
			log_debug("%s line %lu: Applying options for %s", l->file, l->lineno,
			    l->args.v[0]);
		return 0;
	}
	if (strcasecmp(l->keyword, "match") == 0) {
		if ((r = cconf_match_line(s->w, l, !f->never, &why)) == QERR_FORMAT)
			bad_line(s->w, l, "Match", why.text);
		f->active = r == 1;
		return 0;
	}
	return option_line(s->w, l, f->active);
}

static int
items(struct cconf_walk *w, const struct conf_src *src)
{
	struct state s = {.w = w, .stack = {{.active = true}}};
	struct frame *f;
	size_t i;
	int r = 0;

	for (i = 0; i < src->n && r == 0; i++) {
		f = &s.stack[s.depth];
		switch (src->v[i].kind) {
		case CONF_I_PUSH:
			f[1] = (struct frame){
			    .never = f->never || !f->active, .active = f->active};
			s.depth++;
			break;
		case CONF_I_POP:
			s.depth--;
			break;
		case CONF_I_LINE:
			if (src->v[i].bad != NULL)
				bad_line(w, &src->v[i].line,
				    src->v[i].line.keyword != NULL ? src->v[i].line.keyword
								   : "",
				    src->v[i].bad);
			else
				r = line(&s, &src->v[i].line);
			break;
		}
	}
	return r;
}

int
cconf_walk_settings(struct cconf_walk *w)
{
	int r = items(w, &w->ctx->settings);

	return r == 0 && w->bad > 0 ? QERR_FORMAT : r;
}

int
cconf_walk_files(struct cconf_walk *w)
{
	const struct cconf_file *f;
	size_t i;
	int r;

	for (i = 0; i < w->ctx->nfiles; i++) {
		f = &w->ctx->files[i];
		if (!w->final)
			log_debug("Reading configuration data %s", f->path);
		if ((r = items(w, &f->lines)) != 0)
			return r;
		if (w->bad > 0)
			return QERR_FORMAT;
	}
	return 0;
}
