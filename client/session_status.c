/* The status line of a session with a terminal: when it may be drawn, and what becomes of the screen. */
#include <unistd.h>

#include "client/session_impl.h"
#include "common/base/fd.h"

/* ---- what the program writes ---- */

static void
on_output(void *arg, const uint8_t *p, size_t n)
{
	struct session *s = arg;

	if (n > 0)
		vtscan_feed(&s->scan, p, n);
	else if (s->status_line != NULL)
		session_status_hide(s); /* it goes before what follows, which may use that row */
}

/* ---- what the status line asks ---- */

static bool
may_draw(void *arg)
{
	const struct session *s = arg;

	return s->started && !s->over && s->out[OUT].pump != NULL && tty_is_raw() &&
	    tty_foreground(STDIN_FILENO) && vtscan_between(&s->scan);
}

static uint64_t
heard(void *arg)
{
	const struct session *s = arg;
	struct tp_stats st;

	tp_conn_stats(s->conn, &st);
	return st.last_rx_ns;
}

static bool
put(void *arg, const void *p, size_t n)
{
	struct session *s = arg;

	if (s->status_fd < 0)
		s->status_fd = stdio_open(s->io, STDOUT_FILENO);
	return s->status_fd >= 0 && write(s->status_fd, p, n) == (ssize_t)n;
}

static unsigned
cols(void *arg)
{
	struct tty_size size;

	(void)arg;
	return tty_size(STDOUT_FILENO, &size) == 0 ? size.cols : 0;
}

static const struct statusline_ops line_ops = {
	.free = may_draw,
	.heard = heard,
	.put = put,
	.cols = cols,
};

/* ---- the session's side ---- */

void
session_status_start(struct session *s)
{
	if (!s->pty || !isatty(STDOUT_FILENO) || !s->out[OUT].pump || s->status_line)
		return;
	if (statusline_new(&s->status_line, s->ev, s->conf->escape_char, &line_ops, s) == 0)
		pump_in_tap(s->out[OUT].pump, on_output, s);
}

void
session_status_hide(struct session *s)
{
	if (s->status_line != NULL && statusline_hide(s->status_line))
		session_repaint(s);
}

void
session_status_free(struct session *s)
{
	statusline_free(&s->status_line);
	fd_close(&s->status_fd);
}

void
session_silent(struct session *s, bool silent)
{
	session_status_start(s); /* the output's stream and STARTED come in any order */
	if (s->status_line == NULL)
		return;
	if (silent)
		statusline_show(s->status_line);
	else
		session_status_hide(s);
}
