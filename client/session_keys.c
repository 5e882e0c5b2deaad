/* Escape keys, and what becomes of the terminal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/session_impl.h"
#include "common/base/err.h"
#include "common/base/log.h"

#define BREAK_MS 1000

static void
send_break(struct session *s)
{
	struct wire_break m = {.ms = BREAK_MS};
	struct buf b;

	buf_init(&b, 64);
	if (wire_put_break(&b, &m) == 0)
		session_send(s, WIRE_BREAK, &b);
	buf_free(&b);
}

static void
change_log_level(int by)
{
	enum log_level old = log_get_level();
	int level = (int)old + by;
	char text[64];

	if (level < LOG_L_QUIET || level > LOG_L_DEBUG3)
		return;
	log_set_level((enum log_level)level);
	snprintf(text, sizeof(text), "[LogLevel %s]\n", log_level_name((enum log_level)level));
	tty_text(text);
}

static void
go_background(struct session *s)
{
	tty_text("[backgrounded]\n");
	tty_restore();
	stdio_restore(s->io);
	if (daemon(1, 1) < 0) {
		log_error("qsh: cannot go to the background: %s", strerror(errno));
		tty_raw(STDIN_FILENO);
		stdio_resume(s->io);
		return;
	}
	input_finish(s->keys, "\004", 1);
}

static void
on_escape(void *arg, enum escape_action action)
{
	struct session *s = arg;
	char name[5];
	struct buf b;

	switch (action) {
	case ESCAPE_DISCONNECT:
		tty_text(escape_name(s->conf->escape_char, name));
		tty_text(".\n");
		s->ops->disconnect(s->arg);
		return;
	case ESCAPE_SUSPEND:
		tty_text(escape_name(s->conf->escape_char, name));
		tty_text("^Z [suspend qsh]\n");
		session_suspend(s);
		return;
	case ESCAPE_BACKGROUND:
		tty_text(escape_name(s->conf->escape_char, name));
		tty_text("& ");
		go_background(s);
		return;
	case ESCAPE_LIST:
	case ESCAPE_STATUS:
		tty_text(escape_name(s->conf->escape_char, name));
		tty_text(action == ESCAPE_LIST ? "#\n" : "s\n");
		if (action == ESCAPE_STATUS) {
			s->ops->show_state(s->arg);
		} else {
			char line[200];

			tty_text("The following connections are open:\n");
			tty_text(session_show(s, line, sizeof(line)));
		}
		return;
	case ESCAPE_HELP:
		buf_init(&b, 8192);
		buf_printf(&b, "%s?\n", escape_name(s->conf->escape_char, name));
		escape_help(&b, s->conf->escape_char);
		if (buf_put_u8(&b, 0) == 0)
			tty_text((const char *)buf_data(&b));
		buf_free(&b);
		return;
	case ESCAPE_BREAK:
		send_break(s);
		return;
	case ESCAPE_LOUDER:
		change_log_level(1);
		return;
	case ESCAPE_QUIETER:
		change_log_level(-1);
		return;
	case ESCAPE_COMMAND:
		tty_text("\n");
		tty_text("The command line is not there yet.\n");
		return;
	case ESCAPE_NONE:
		return;
	}
}

static void
keys_ended(void *arg)
{
	struct session *s = arg;

	s->in_open = false; /* freed with the session: this comes from inside of it */
}

static void
on_typed(void *arg)
{
	struct session *s = arg;

	s->ops->typed(s->arg);
}

const struct input_ops session_key_ops = {
	.typed = on_typed,
	.escape = on_escape,
	.ended = keys_ended,
};

/* ---- the terminal ------------------------------------------------------------ */

static void
send_window(struct session *s, const struct tty_size *size)
{
	struct wire_window m = {size->cols, size->rows, size->xpixel, size->ypixel};
	struct buf b;

	buf_init(&b, 64);
	if (wire_put_window(&b, &m) == 0)
		session_send(s, WIRE_WINDOW, &b);
	buf_free(&b);
}

void
session_resized(struct session *s)
{
	struct tty_size now;

	if (!s->pty || !s->started || tty_size(STDIN_FILENO, &now) < 0 ||
	    memcmp(&now, &s->size, sizeof(now)) == 0)
		return;
	s->size = now;
	send_window(s, &now);
}

void
session_repaint(struct session *s)
{
	struct tty_size other = s->size;

	if (!s->started || s->over || other.rows < 2)
		return;
	other.rows--; /* to the same size would be no change */
	send_window(s, &other);
	send_window(s, &s->size);
}

void
session_take_terminal(struct session *s)
{
	if (s->pty && isatty(STDIN_FILENO) && tty_foreground(STDIN_FILENO) &&
	    tty_raw(STDIN_FILENO) < 0)
		log_error("qsh: the terminal cannot be set to raw mode: %s", strerror(errno));
}

void
session_continued(struct session *s)
{
	if (!s->started || s->over)
		return;
	stdio_resume(s->io);
	session_take_terminal(s);
	session_resized(s);
}

void
session_suspend(struct session *s)
{
	tty_restore();
	stdio_restore(s->io);
	tty_stop_self();
	session_continued(s);
}

bool
session_has_pty(const struct session *s)
{
	return s->pty;
}

const char *
session_show(const struct session *s, char *dst, size_t n)
{
	snprintf(dst, n, "  #0 session (stream %llu, %s%s, input %s)\n", (unsigned long long)s->chan,
	    request_kind_name(s->plan->kind), s->pty ? " with a terminal" : "",
	    s->in_open ? "open" : "ended");
	return dst;
}
