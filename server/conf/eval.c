/* What a configuration says for one connection.
 *
 * As in sshd, Match blocks that apply win over the part outside them, wherever it stands, and
 * within each of the two the first line wins. So there are two walks, the blocks' first. "Match
 * all" counts as outside where no connection is given. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "server/conf/table.h"

enum pass { PASS_BLOCKS, PASS_GLOBAL };

struct frame {
	bool never;   /* included from a block that does not apply */
	bool outside; /* no Match yet */
	bool active;  /* the Match block applies */
};

struct walk {
	const struct sconf_src *src;
	const struct sconf_match *m;
	struct sconf *c;
	enum pass pass;
	bool *set;  /* by this walk, an option each */
	bool *done; /* by the walk before */
	struct frame stack[CONF_DEPTH_MAX + 3];
	size_t depth;
};

static int
apply(struct walk *w, const struct conf_line *l)
{
	size_t i = conf_opt_find(&sconf_table, l->keyword);
	const struct conf_opt *o;
	struct conf_why why;

	if (i == CONF_NO_OPT)
		return QERR_UNKNOWN;
	o = &sconf_table.opts[i];
	if (o->what != CONF_DONE && o->what != CONF_LATER)
		return 0;
	if (w->pass == PASS_BLOCKS && !(o->flags & CONF_F_MATCH))
		return 0; /* of "Match all": part of the walk outside the blocks */
	if (w->src->sshd && l->lineno != 0 && strcmp(o->name, "PidFile") == 0)
		return 0; /* sshd's own; written over, it would lead to the wrong process */
	if (!(o->flags & CONF_F_AGAIN) &&
	    (w->done[i] || (w->set[i] && o->type != CONF_T_APPEND)))
		return 0;
	w->set[i] = true;
	return conf_opt_set(o, w->c, l, &why);
}

static int
walk_line(struct walk *w, const struct conf_line *l)
{
	struct frame *f = &w->stack[w->depth];
	const struct sconf_match *m = w->pass == PASS_BLOCKS ? w->m : NULL;

	if (strcasecmp(l->keyword, "include") == 0)
		return 0;
	if (strcasecmp(l->keyword, "match") == 0) {
		f->outside = false;
		f->active = !f->never && sconf_match_line(l, m) == 1;
		return 0;
	}
	if (f->outside ? w->pass == PASS_GLOBAL && !f->never : f->active)
		return apply(w, l);
	return 0;
}

static void
push(struct walk *w)
{
	const struct frame *f = &w->stack[w->depth];
	struct frame *next = &w->stack[w->depth + 1];

	*next = *f;
	next->never = f->never || (!f->outside && !f->active);
	w->depth++;
}

static int
walk(struct walk *w, enum pass pass)
{
	size_t i;
	int r = 0;

	w->pass = pass;
	w->depth = 0;
	w->stack[0] = (struct frame){.outside = true};
	for (i = 0; i < w->src->lines.n && r == 0; i++) {
		switch (w->src->lines.v[i].kind) {
		case CONF_I_PUSH:
			push(w);
			break;
		case CONF_I_POP:
			w->depth--;
			break;
		case CONF_I_LINE:
			r = walk_line(w, &w->src->lines.v[i].line);
			break;
		}
	}
	for (i = 0; i < sconf_table.n; i++)
		w->done[i] |= w->set[i];
	return r;
}

/* Defaults that are more than a word, and what one option means for another. */
static int
finish(struct walk *w)
{
	struct sconf *c = w->c;
	int r = 0;

	if (c->ports.n == 0)
		r = strlist_add(&c->ports, w->src->user_mode ? "8022" : "22");
	if (!w->src->user_mode && !w->done[conf_opt_find(&sconf_table, "PidFile")] &&
	    (c->pid_file = strdup(QSH_RUNDIR "/qshd.pid")) == NULL)
		r = QERR_NOMEM;
	if (!conf_algs_have(c->pubkey_algs, "ssh-ed25519"))
		c->pubkey_auth = false;
	return r;
}

int
sconf_eval(const struct sconf_src *s, const struct sconf_match *m, struct sconf **out)
{
	struct walk w = {.src = s, .m = m};
	int r = QERR_NOMEM;

	*out = w.c = calloc(1, sizeof(*w.c));
	w.set = calloc(sconf_table.n, sizeof(*w.set));
	w.done = calloc(sconf_table.n, sizeof(*w.done));
	if (w.c == NULL || w.set == NULL || w.done == NULL)
		goto out;
	r = m != NULL ? walk(&w, PASS_BLOCKS) : 0;
	if (r == 0)
		r = walk(&w, PASS_GLOBAL);
	if (r == 0)
		r = conf_table_defaults(&sconf_table, w.c, w.done);
	if (r == 0)
		r = finish(&w);
out:
	free(w.set);
	free(w.done);
	if (r != 0)
		sconf_free(out);
	return r;
}

void
sconf_free(struct sconf **c)
{
	if (*c == NULL)
		return;
	conf_table_clear(&sconf_table, *c);
	free(*c);
	*c = NULL;
}

int
sconf_dump(struct buf *b, const struct sconf *c)
{
	return conf_table_dump(b, &sconf_table, c);
}
