/* A session's streams and descriptors. */
#include <fcntl.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/chan/detach.h"
#include "common/chan/pump.h"
#include "server/net/session.h"

/* ---- input ----------------------------------------------------------------------- */

int
session_claim_input(struct session *s, struct instream *is)
{
	if (s->phase == SESSION_OVER)
		return QERR_CLOSED;
	if (s->in_claimed && s->in != is)
		return QERR_EXISTS;
	s->in_claimed = true;
	if (s->phase >= SESSION_RUNNING) {
		s->in = NULL;
		return s->in_fd >= 0 ? 0 : QERR_CLOSED;
	}
	s->in = is;
	return QERR_AGAIN;
}

void
session_input_gone(struct session *s)
{
	s->in = NULL;
	s->in_gone = true;
	/* The child reads end of file; a terminal has none but the one that is typed. */
	if (!s->start.has_pty)
		fd_close(&s->in_fd);
}

static void
on_input_done(void *arg, enum pump_end why)
{
	struct session *s = arg;

	(void)why;
	session_note_activity(s);
	pump_in_free(&s->pump_in);
}

void
session_input_start(struct session *s, struct tp_stream *stream, bool fin)
{
	int fd = s->in_fd;

	s->in_fd = -1;
	if (pump_in_new(&s->pump_in, s->net->ev, fd, stream, on_input_done, s) < 0) {
		tp_stream_stop(stream, TP_E_INTERNAL);
		chan_detach(stream);
		net_close(s->net, TP_E_INTERNAL, "no memory for a session's input");
		return;
	}
	if (s->start.has_pty)
		pump_in_keep_open(s->pump_in);
	if (fin)
		(void)pump_in_feed(s->pump_in, NULL, 0, true);
}

/* ---- outputs --------------------------------------------------------------------- */

static void
output_done(struct session *s, struct session_out *o, enum pump_end why)
{
	if (why == PUMP_ERROR)
		log_debug("channel %llu: cannot read the child's output: %s",
		    (unsigned long long)s->id, qerr_str(QERR_SYS));
	session_note_activity(s);
	pump_out_free(&o->pump);
	o->over = true;
	session_tell_exit(s);
}

static void
on_stdout_done(void *arg, enum pump_end why)
{
	struct session *s = arg;

	output_done(s, &s->out[0], why);
}

static void
on_stderr_done(void *arg, enum pump_end why)
{
	struct session *s = arg;

	output_done(s, &s->out[1], why);
}

static const struct {
	enum wire_data_kind kind;
	pump_done_fn *done;
} outputs[2] = {
	{WIRE_DATA_OUT, on_stdout_done},
	{WIRE_DATA_ERR, on_stderr_done},
};

/* What is typed at waits for its echo, and error messages for nobody; the output of a
 * command is bulk. */
static enum tp_prio
output_prio(const struct session *s, size_t which)
{
	return s->start.has_pty || which == 1 ? TP_PRIO_INTERACTIVE : TP_PRIO_BULK;
}

static int
write_header(const struct session *s, struct tp_stream *stream, enum wire_data_kind kind)
{
	struct buf b;
	int r;

	buf_init(&b, 32);
	(void)buf_put_varint(&b, WIRE_UNI_DATA);
	(void)buf_put_varint(&b, s->id);
	r = buf_put_varint(&b, kind);
	/* A stream just opened has room for that. */
	if (r == 0 && tp_stream_write(stream, buf_data(&b), buf_len(&b)) != (ssize_t)buf_len(&b))
		r = QERR_NOMEM;
	buf_free(&b);
	return r;
}

static int
open_output(struct session *s, size_t which)
{
	static const struct tp_stream_ops none = {0};
	struct session_out *o = &s->out[which];
	struct tp_stream *stream;
	int fd = o->fd, r;

	r = tp_stream_open(s->net->conn, true, &none, NULL, output_prio(s, which), &stream);
	if (r < 0)
		return r;
	o->fd = -1;
	r = write_header(s, stream, outputs[which].kind);
	if (r < 0)
		fd_close(&fd);
	else
		r = pump_out_new(&o->pump, s->net->ev, fd, stream, outputs[which].done, s);
	if (r < 0) {
		tp_stream_reset(stream, TP_E_INTERNAL);
		chan_detach(stream);
		net_close(s->net, TP_E_INTERNAL, "no memory for a session's output");
	}
	return r;
}

void
session_open_outputs(struct session *s)
{
	for (size_t i = 0; i < 2; i++)
		if (s->out[i].fd >= 0 && open_output(s, i) < 0)
			return; /* streams_available, or the end of the connection */
	if (s->exited && s->start.has_pty)
		session_drain(s);
}

void
session_drain(struct session *s)
{
	if (s->out[0].pump != NULL)
		pump_out_drain(s->out[0].pump);
}

/* ---- both ------------------------------------------------------------------------- */

int
session_io_start(struct session *s, int *fds, size_t nfds)
{
	bool pty = nfds == 1;
	int in = pty ? fcntl(fds[0], F_DUPFD_CLOEXEC, 0) : fds[0];

	if (in < 0)
		return QERR_SYS;
	s->in_fd = in;
	s->out[0].fd = fds[pty ? 0 : 1];
	s->out[1].fd = pty ? -1 : fds[2];
	s->out[1].over = pty;
	for (size_t i = 0; i < nfds; i++)
		fds[i] = -1;
	if (fd_nonblock(s->in_fd) < 0 || fd_nonblock(s->out[0].fd) < 0 ||
	    (!pty && fd_nonblock(s->out[1].fd) < 0))
		return QERR_SYS;
	session_open_outputs(s);
	if (s->in != NULL)
		instream_ready(s->in);
	else if (s->in_gone)
		session_input_gone(s);
	return 0;
}

void
session_io_close(struct session *s)
{
	pump_in_free(&s->pump_in);
	fd_close(&s->in_fd);
	for (size_t i = 0; i < 2; i++) {
		pump_out_free(&s->out[i].pump);
		fd_close(&s->out[i].fd);
		s->out[i].over = true;
	}
}
