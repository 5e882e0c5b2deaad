#include "client/statusline.h"

#include <stdlib.h>
#include <string.h>

#include "client/escape.h"
#include "common/base/clock.h"
#include "common/base/err.h"

#define TEXT_MAX 256

/* Cursor, attributes, character sets and origin mode saved; first row, plain ASCII, row erased. */
#define BEGIN "\0337\033[?6l\033[1;1H\017\033(B\033[0m\033[2K"
#define END   "\033[0m\0338"

struct statusline {
	struct ev *ev;
	struct ev_timer *timer;
	int escape_key;
	const struct statusline_ops *ops;
	void *arg;
	bool drawn;
};

/* ---- what is written ---- */

static int
put_age(struct buf *b, uint64_t s)
{
	if (s < 120)
		return buf_printf(b, "%u s", (unsigned)s);
	if (s < 120 * 60)
		return buf_printf(b, "%u min", (unsigned)(s / 60));
	if (s < 48 * 3600)
		return buf_printf(b, "%u h", (unsigned)(s / 3600));
	return buf_printf(b, "%u days", (unsigned)(s / 86400));
}

int
statusline_text(struct buf *b, uint64_t silence, int escape_key)
{
	char name[5];

	buf_printf(b, "qsh: last contact ");
	put_age(b, silence / NS_PER_S);
	buf_printf(b, " ago");
	if (escape_key >= 0)
		buf_printf(b, ", %s. to quit", escape_name(escape_key, name));
	return b->err;
}

int
statusline_draw(struct buf *b, const char *text, unsigned cols)
{
	size_t n = strlen(text);

	if (cols > 0 && n > cols - 1)
		n = cols - 1;
	return buf_printf(b, BEGIN "\033[7m%.*s" END, (int)n, text);
}

int
statusline_erase(struct buf *b)
{
	return buf_printf(b, BEGIN END);
}

/* ---- the line ---- */

static bool
put(struct statusline *s, const struct buf *b)
{
	return b->err == 0 && s->ops->put(s->arg, buf_data(b), buf_len(b));
}

static void
draw(struct statusline *s)
{
	uint64_t heard = s->ops->heard(s->arg), now = ev_now(s->ev);
	struct buf text, line;

	buf_init(&text, TEXT_MAX);
	buf_init(&line, 2 * TEXT_MAX);
	statusline_text(&text, now > heard ? now - heard : 0, s->escape_key);
	if (buf_put_u8(&text, 0) == 0 &&
	    statusline_draw(&line, (const char *)buf_data(&text), s->ops->cols(s->arg)) == 0 &&
	    put(s, &line))
		s->drawn = true;
	buf_free(&text);
	buf_free(&line);
}

static void
on_timer(void *arg)
{
	struct statusline *s = arg;

	ev_timer_at(s->timer, ev_now(s->ev) + NS_PER_S);
	if (s->ops->free(s->arg))
		draw(s);
}

void
statusline_show(struct statusline *s)
{
	on_timer(s);
}

bool
statusline_hide(struct statusline *s)
{
	bool drawn = s->drawn;
	struct buf b;

	ev_timer_stop(s->timer);
	if (!drawn || !s->ops->free(s->arg))
		return false;
	buf_init(&b, TEXT_MAX);
	statusline_erase(&b);
	put(s, &b);
	buf_free(&b);
	s->drawn = false;
	return true;
}

int
statusline_new(struct statusline **out, struct ev *ev, int escape_key,
    const struct statusline_ops *ops, void *arg)
{
	struct statusline *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return QERR_NOMEM;
	*s = (struct statusline){.ev = ev, .escape_key = escape_key, .ops = ops, .arg = arg};
	if (ev_timer_new(&s->timer, ev, on_timer, s) != 0) {
		free(s);
		return QERR_NOMEM;
	}
	*out = s;
	return 0;
}

void
statusline_free(struct statusline **sp)
{
	struct statusline *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	ev_timer_free(&s->timer);
	free(s);
}
