/* Questions to the user: on the terminal, or through the program that SSH_ASKPASS names. Never
 * blocks: the connection stays alive while the user thinks. */
#ifndef QSH_CLIENT_ASK_H
#define QSH_CLIENT_ASK_H

#include <stdbool.h>

#include "common/ev/ev.h"

struct ask;

enum ask_way {
	ASK_NOWHERE, /* neither terminal nor program */
	ASK_TTY,
	ASK_PROGRAM,
};
struct ask_env {
	const char *require; /* SSH_ASKPASS_REQUIRE, or NULL */
	bool display;        /* DISPLAY or WAYLAND_DISPLAY is set */
	bool tty;            /* /dev/tty can be opened */
};
/* Which way a question goes, as ssh decides it. Pure. */
enum ask_way ask_way(const struct ask_env *env);

/* The answer without its newline, valid during the call and wiped after it; NULL: none came (nowhere to
 * ask, end of input, the program was cancelled). Free the question afterwards (or in the call). */
typedef void ask_done_fn(void *arg, const char *answer);

/* Asks; done comes from the loop. echo: the answer may be seen. QERR_NOMEM, QERR_SYS, QERR_NOTFOUND
 * (nowhere to ask). */
int ask_new(struct ask **out, struct ev *ev, const char *prompt, bool echo, ask_done_fn *done,
    void *arg);
/* Gives up a question that is still open; restores the terminal. */
void ask_free(struct ask **a);

#endif
