/* Escape keys: what the user types between a newline and the next key. A state machine over
 * single bytes, without I/O. */
#ifndef QSH_CLIENT_ESCAPE_H
#define QSH_CLIENT_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum escape_action {
	ESCAPE_NONE,
	ESCAPE_DISCONNECT,
	ESCAPE_SUSPEND,
	ESCAPE_BACKGROUND,
	ESCAPE_LIST,
	ESCAPE_HELP,
	ESCAPE_BREAK,
	ESCAPE_LOUDER,
	ESCAPE_QUIETER,
	ESCAPE_STATUS,
	ESCAPE_COMMAND,
};

struct escape {
	int key;          /* the escape character; -1: none */
	bool line_start;  /* nothing was typed since the last newline */
	bool pending;     /* the escape character was typed at the start of a line */
};

void escape_init(struct escape *e, int key);
/* Takes one byte; the bytes to send on (at most 2) go to out, their number to *n. */
enum escape_action escape_step(struct escape *e, uint8_t c, uint8_t out[2], size_t *n);
/* The help text of ~?, lines ended by newlines. */
int escape_help(struct buf *b, int key);
/* How the character is written: "~", "^A". dst has 5 bytes; returns dst. */
const char *escape_name(int key, char *dst);

#endif
