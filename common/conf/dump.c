/* Options as text, as "sshd -T" and "ssh -G" have it. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/conf/opt.h"

static const void *
member(const void *base, const struct conf_opt *o)
{
	return (const unsigned char *)base + o->off;
}

void
conf_dump_keyword(struct buf *b, const char *name)
{
	for (; *name != '\0'; name++)
		buf_put_u8(b, (uint8_t)tolower((unsigned char)*name));
}

static const char *
value_name(const struct conf_name *names, int value)
{
	for (; names->name != NULL; names++)
		if (names->value == value)
			return names->name;
	return "?";
}

static void
dump_list(struct buf *b, const struct conf_opt *o, const struct strlist *l)
{
	size_t i;

	if (o->flags & CONF_F_EACH) {
		for (i = 0; i < l->n; i++) {
			conf_dump_keyword(b, o->name);
			buf_printf(b, " %s\n", l->v[i]);
		}
		return;
	}
	if (l->n == 0 && !(o->flags & CONF_F_NONE))
		return;
	conf_dump_keyword(b, o->name);
	if (l->n == 0)
		buf_printf(b, " none");
	for (i = 0; i < l->n; i++)
		buf_printf(b, " %s", l->v[i]);
	buf_printf(b, "\n");
}

static void
dump_string(struct buf *b, const struct conf_opt *o, const char *s)
{
	if (s == NULL && (!(o->flags & CONF_F_NONE) || (o->flags & CONF_F_HIDE)))
		return;
	conf_dump_keyword(b, o->name);
	buf_printf(b, " %s\n", s == NULL ? "none" : s);
}

static void
dump_number(struct buf *b, const struct conf_opt *o, uint64_t v)
{
	conf_dump_keyword(b, o->name);
	if (v == 0 && (o->flags & CONF_F_NONE))
		buf_printf(b, " none\n");
	else
		buf_printf(b, " %" PRIu64 "\n", v);
}

static void
dump_word(struct buf *b, const struct conf_opt *o, const char *word)
{
	conf_dump_keyword(b, o->name);
	buf_printf(b, " %s\n", word);
}

int
conf_opt_dump(struct buf *b, const struct conf_opt *o, const void *base)
{
	const void *p = member(base, o);
	char size[STR_SIZE_LEN];

	switch (o->type) {
	case CONF_T_NONE:
		break;
	case CONF_T_BOOL:
		dump_word(b, o, *(const bool *)p ? "yes" : "no");
		break;
	case CONF_T_UINT:
	case CONF_T_TIME_S:
		dump_number(b, o, *(const unsigned *)p);
		break;
	case CONF_T_ENUM:
		dump_word(b, o, value_name(o->names, *(const int *)p));
		break;
	case CONF_T_TIME_NS:
		dump_number(b, o, *(const uint64_t *)p / NS_PER_S);
		break;
	case CONF_T_SIZE:
		dump_word(b, o, str_size(size, *(const uint64_t *)p));
		break;
	case CONF_T_STRING:
	case CONF_T_REST:
		dump_string(b, o, *(const char *const *)p);
		break;
	case CONF_T_WORDS:
	case CONF_T_APPEND:
		dump_list(b, o, p);
		break;
	}
	return b->err;
}

int
conf_table_dump(struct buf *b, const struct conf_table *t, const void *base)
{
	const struct conf_opt *o;
	size_t i;

	for (i = 0; i < t->n; i++) {
		o = &t->opts[i];
		if (o->what != CONF_DONE && o->what != CONF_LATER)
			continue;
		if (o->dump != NULL)
			o->dump(b, o, base);
		else
			conf_opt_dump(b, o, base);
	}
	return b->err;
}
