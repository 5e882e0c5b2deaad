#include "client/statusline.h"

#include <stdio.h>
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

/* Text that is this wide or less leaves the last column free: there a terminal may go on in the next row. */
static size_t
room(unsigned cols)
{
	return cols > 0 ? cols - 1 : TEXT_MAX;
}

static void
put_age(char *out, size_t size, uint64_t s)
{
	if (s < 120)
		snprintf(out, size, "%u s", (unsigned)s);
	else if (s < 120 * 60)
		snprintf(out, size, "%u min", (unsigned)(s / 60));
	else if (s < 48 * 3600)
		snprintf(out, size, "%u h", (unsigned)(s / 3600));
	else
		snprintf(out, size, "%u days", (unsigned)(s / 86400));
}

int
statusline_text(struct buf *b, uint64_t silence, int escape_key, unsigned cols)
{
	char name[5], age[24], quit[32] = "", line[TEXT_MAX];
	/* The first that fits: to cut one off would leave half a number. */
	const struct {
		const char *before, *after, *quit;
	} forms[] = {
	    {"qsh: last contact ", " ago", quit},
	    {"qsh: last contact ", " ago", ""},
	    {"qsh: silent ", "", ""},
	    {"", "", ""},
	};
	int n = 0;

	put_age(age, sizeof(age), silence / NS_PER_S);
	if (escape_key >= 0)
		snprintf(quit, sizeof(quit), ", %s. to quit", escape_name(escape_key, name));
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		n = snprintf(line, sizeof(line), "%s%s%s%s", forms[i].before, age, forms[i].after,
		    forms[i].quit);
		if ((size_t)n <= room(cols))
			break;
	}
	return buf_put(b, line, (size_t)n);
}

int
statusline_draw(struct buf *b, const char *text, unsigned cols)
{
	size_t n = strlen(text);

	return buf_printf(b, BEGIN "\033[7m%.*s" END, (int)(n < room(cols) ? n : room(cols)), text);
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
	unsigned cols = s->ops->cols(s->arg);
	struct buf text, line;

	buf_init(&text, TEXT_MAX);
	buf_init(&line, 2 * TEXT_MAX);
	statusline_text(&text, now > heard ? now - heard : 0, s->escape_key, cols);
	if (buf_put_u8(&text, 0) == 0 &&
	    statusline_draw(&line, (const char *)buf_data(&text), cols) == 0 && put(s, &line))
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
