/* Keys from the terminal to the stream of a session with a pty: with escape keys. */
#ifndef QSH_CLIENT_INPUT_H
#define QSH_CLIENT_INPUT_H

#include "client/escape.h"
#include "common/ev/ev.h"
#include "common/net/transport.h"

struct input;

struct input_ops {
	/* Something was typed. */
	void (*typed)(void *arg);
	/* An escape key was typed. May free the input. */
	void (*escape)(void *arg, enum escape_action action);
	/* No more input: the descriptor ended or the peer wants no more. FIN was sent. */
	void (*ended)(void *arg);
};

/* Reads fd (non-blocking, taken over, also on failure) and writes to s, whose ops it sets. QERR_NOMEM,
 * QERR_SYS. */
int input_new(struct input **out, struct ev *ev, int fd, struct tp_stream *s, int escape_key,
    const struct input_ops *ops, void *arg);
void input_pause(struct input *in, bool paused);
/* Sends these bytes, as if typed, and no more: FIN follows. */
void input_finish(struct input *in, const void *p, size_t n);
void input_free(struct input **in);

#endif
