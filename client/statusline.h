/* The line that says since when nothing has been heard of the server, while something waits for an answer.
 *
 * It stands in the first row of the terminal: what the user reads and types is mostly further down, and
 * without a model of the screen nobody knows what a row held, so that the one which is lost should matter
 * least. It is written between saving and restoring the cursor (with its attributes, character set and
 * origin mode), never inside a character or escape sequence of the program's, and erased before anything of
 * the program's follows. Whoever owns it then has full-screen programs draw their screen again. */
#ifndef QSH_CLIENT_STATUSLINE_H
#define QSH_CLIENT_STATUSLINE_H

#include "common/base/buf.h"
#include "common/ev/ev.h"

struct statusline;

struct statusline_ops {
	/* May something be written now? */
	bool (*free)(void *arg);
	/* When the server was last heard (ev_now clock). */
	uint64_t (*heard)(void *arg);
	/* Writes to the terminal, or nothing if it takes nothing now; true: it was written. */
	bool (*put)(void *arg, const void *p, size_t n);
	/* The width of the terminal; 0: unknown. */
	unsigned (*cols)(void *arg);
};

/* escape_key: -1 for none. ops and arg must outlive it. QERR_NOMEM. */
int statusline_new(struct statusline **out, struct ev *ev, int escape_key,
    const struct statusline_ops *ops, void *arg);
/* Draws it at once and every second. */
void statusline_show(struct statusline *s);
/* Erases it. True: it had been drawn. */
bool statusline_hide(struct statusline *s);
void statusline_free(struct statusline **s);

/* What is drawn, and what erases it, for tests. In a narrow terminal the text says less, and a text that is
 * still too long is cut to cols - 1 characters (cols 0: no limit). */
int statusline_text(struct buf *b, uint64_t silence_ns, int escape_key, unsigned cols);
int statusline_draw(struct buf *b, const char *text, unsigned cols);
int statusline_erase(struct buf *b);

#endif
