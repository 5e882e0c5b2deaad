#include "client/escape.h"

#include <stdio.h>

struct row {
	char key;
	enum escape_action action;
	const char *name, *help;
};

static const struct row rows[] = {
	{'.', ESCAPE_DISCONNECT, ".", "end the connection"},
	{'B', ESCAPE_BREAK, "B", "send a BREAK to the remote system"},
	{'C', ESCAPE_COMMAND, "C", "command line (not there yet)"},
	{'V', ESCAPE_QUIETER, "V", "fewer messages"},
	{'v', ESCAPE_LOUDER, "v", "more messages"},
	{'Z' & 0x1f, ESCAPE_SUSPEND, "^Z", "suspend qsh"},
	{'#', ESCAPE_LIST, "#", "list what the connection carries"},
	{'&', ESCAPE_BACKGROUND, "&", "go to the background at logout, while output is awaited"},
	{'s', ESCAPE_STATUS, "s", "show the state of the connection"},
	{'?', ESCAPE_HELP, "?", "this list"},
};
#define NROWS (sizeof(rows) / sizeof(rows[0]))

void
escape_init(struct escape *e, int key)
{
	e->key = key;
	e->line_start = true;
	e->pending = false;
}

static enum escape_action
lookup(uint8_t c)
{
	for (size_t i = 0; i < NROWS; i++)
		if ((uint8_t)rows[i].key == c)
			return rows[i].action;
	return ESCAPE_NONE;
}

enum escape_action
escape_step(struct escape *e, uint8_t c, uint8_t out[2], size_t *n)
{
	*n = 0;
	if (e->pending) {
		enum escape_action action = c == e->key ? ESCAPE_NONE : lookup(c);

		e->pending = false;
		if (action != ESCAPE_NONE)
			return action; /* the next key is still at the start of a line */
		if (c != e->key)
			out[(*n)++] = (uint8_t)e->key;
	} else if (e->line_start && e->key >= 0 && c == e->key) {
		e->pending = true;
		return ESCAPE_NONE;
	}
	e->line_start = c == '\r' || c == '\n';
	out[(*n)++] = c;
	return ESCAPE_NONE;
}

const char *
escape_name(int key, char *dst)
{
	unsigned c = (unsigned)key & 0xff;

	if (c < 0x20 || c == 0x7f)
		snprintf(dst, 5, "^%c", (char)(c ^ 0x40));
	else if (c < 0x7f)
		snprintf(dst, 5, "%c", (char)c);
	else
		snprintf(dst, 5, "\\%03o", c);
	return dst;
}

int
escape_help(struct buf *b, int key)
{
	char k[5];

	escape_name(key, k);
	buf_printf(b, "Supported escape sequences:\n");
	for (size_t i = 0; i < NROWS; i++)
		buf_printf(b, " %s%-2s  %s\n", k, rows[i].name, rows[i].help);
	return buf_printf(b,
	    " %s%-2s  send the escape character itself\n"
	    "(An escape sequence is recognised only at the start of a line.)\n",
	    k, k);
}
