#include "client/session_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"

enum { PH_STARTING = 1, PH_RUNNING = 2, PH_EXITED = 4 };

void
session_finish(struct session *s, int status)
{
	if (s->over)
		return;
	s->over = true;
	s->ops->ended(s->arg, status);
}

int
session_send(struct session *s, uint64_t type, const struct buf *body)
{
	return s->ms ? msgstream_send(s->ms, type, body) : QERR_CLOSED;
}

/* ---- the end ------------------------------------------------------------------ */

/* The status and the ends of the outputs come on streams of their own, in any order. */
static void
check_end(struct session *s)
{
	if (s->status < 0 || !s->out[OUT].done || (!s->pty && !s->out[ERR].done) ||
	    (s->out[ERR].seen && !s->out[ERR].done))
		return;
	session_send(s, WIRE_EXIT_ACK, NULL);
	if (s->ms)
		msgstream_fin(s->ms);
	session_finish(s, s->output_lost ? SESSION_FAILED : s->status);
}

static void
output_done(void *arg, enum pump_end why)
{
	struct output *o = arg;

	/* Without a reader it ends as a pipe line does; a full disk must not look like success. */
	if (why == PUMP_ERROR && errno != EPIPE) {
		log_error("qsh: cannot write standard %s: %s",
		    o == &o->s->out[ERR] ? "error" : "output", strerror(errno));
		o->s->output_lost = true;
	}
	pump_in_free(&o->pump);
	o->done = true;
	check_end(o->s);
}

static int
on_exit_status(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_exit_status m;
	int rc = wire_get_exit_status(body, &m);

	if (rc < 0)
		return rc;
	s->status = (int)(m.status & 0xff);
	wire_free_exit_status(&m);
	msgstream_set_phase(ms, PH_EXITED);
	log_debug("exit-status %d", s->status);
	check_end(s);
	return 0;
}

static int
on_exit_signal(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_exit_signal m;
	char name[64];
	int rc = wire_get_exit_signal(body, &m);

	if (rc < 0)
		return rc;
	log_debug("exit-signal %s%s", str_vis(name, sizeof(name), m.name, strlen(m.name)),
	    m.core ? " (core dumped)" : "");
	wire_free_exit_signal(&m);
	s->status = SESSION_FAILED;
	msgstream_set_phase(ms, PH_EXITED);
	check_end(s);
	return 0;
}

/* ---- the channel's messages ------------------------------------------------------ */

static int
on_started(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_started m;
	int rc = wire_get_started(body, &m);

	if (rc < 0)
		return rc;
	s->pty = m.pty && s->plan->pty;
	wire_free_started(&m);
	msgstream_set_phase(ms, PH_RUNNING);
	s->started = true;
	if (s->plan->pty && !s->pty && !s->pty_failed)
		log_error("PTY allocation request failed on channel 0");
	session_take_terminal(s);
	session_resized(s);
	session_start_input(s);
	session_status_start(s);
	check_end(s);
	return 0;
}

static int
on_failure(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_failure m;
	char reason[512];
	int rc = wire_get_failure(body, &m);

	(void)ms;
	if (rc < 0)
		return rc;
	str_vis(reason, sizeof(reason), m.reason, strlen(m.reason));
	switch (m.request) {
	case WIRE_PTY:
		s->pty_failed = true;
		/* The shell or command comes nevertheless, without a terminal. */
		log_error("PTY allocation request failed on channel 0%s%s", *reason ? ": " : "",
		    reason);
		break;
	case WIRE_START:
		log_error("%s request failed on channel 0%s%s", request_kind_name(s->plan->kind),
		    *reason ? ": " : "", reason);
		session_finish(s, SESSION_FAILED);
		break;
	default:
		log_error("channel 0: open failed%s%s", *reason ? ": " : "", reason);
		session_finish(s, SESSION_FAILED);
	}
	wire_free_failure(&m);
	return 0;
}

static const struct msg_row rows[] = {
	{WIRE_STARTED, "STARTED", PH_STARTING, on_started},
	{WIRE_FAILURE, "FAILURE", PH_STARTING, on_failure},
	{WIRE_EXIT_STATUS, "EXIT_STATUS", PH_RUNNING, on_exit_status},
	{WIRE_EXIT_SIGNAL, "EXIT_SIGNAL", PH_RUNNING, on_exit_signal},
};

/* The server ends the channel: without a status it counts as failed, once the output is out. */
static void
on_eof(void *ctx, struct msgstream *ms)
{
	struct session *s = ctx;

	(void)ms;
	if (s->status >= 0)
		return;
	s->status = SESSION_FAILED;
	if (s->started)
		check_end(s);
	else
		session_finish(s, SESSION_FAILED);
}

static void
on_channel_failed(void *ctx, struct msgstream *ms, uint64_t code)
{
	struct session *s = ctx;

	(void)ms;
	/* Once the status is known, nothing more has to come on this stream; output may still. */
	if (s->status >= 0)
		return;
	log_debug("the channel was reset by the server (code %llu)", (unsigned long long)code);
	session_finish(s, SESSION_FAILED);
}

static void
on_channel_closed(void *ctx, struct msgstream *ms)
{
	struct session *s = ctx;

	(void)ms;
	msgstream_free(&s->ms);
}

static const struct msgstream_ops stream_ops = {
	.eof = on_eof,
	.failed = on_channel_failed,
	.closed = on_channel_closed,
};

static const struct tp_stream_ops no_ops = {0};

static int
open_channel(struct session *s)
{
	struct tp_stream *st;
	int rc = tp_stream_open(s->conn, false, &no_ops, s, TP_PRIO_CONTROL, &st);

	if (rc < 0)
		return rc;
	s->chan = tp_stream_id(st);
	rc = msgstream_new(&s->ms, st, rows, sizeof(rows) / sizeof(rows[0]), WIRE_BODY_MAX,
	    &stream_ops, s);
	if (rc == 0)
		msgstream_hold(s->ms); /* until the user is known: AUTH_OK may be overtaken */
	return rc;
}

/* Small requests leave before the server knows the user; large ones wait for the credit that it gives then. */
static int
send_requests(struct session *s)
{
	if (s->requested || (!s->granted && request_size(&s->request) > EARLY_REQUESTS))
		return 0;
	s->requested = true;
	return request_send(&s->request, s->ms);
}

int
session_start(struct session *s, struct tp_conn *conn)
{
	int rc;

	s->conn = conn;
	if (!s->ms && (rc = open_channel(s)) < 0)
		return rc;
	if (!s->in_opened && (rc = session_open_input(s)) < 0)
		return rc;
	rc = send_requests(s);
	if (rc < 0)
		return rc;
	if (s->plan->stdin_null) {
		tp_stream_fin(s->in);
		s->in_open = false;
	} else if (s->requested && !s->plan->pty && !isatty(STDIN_FILENO)) {
		session_read_early(s);
	}
	if (s->granted)
		session_granted(s);
	return 0;
}

void
session_granted(struct session *s)
{
	int rc;

	s->granted = true;
	if (!s->ms || !s->in_opened)
		return; /* session_start has yet to succeed, and comes back here */
	rc = send_requests(s);
	if (rc < 0) {
		log_error("qsh: cannot start the session: %s", qerr_str(rc));
		session_finish(s, SESSION_FAILED);
		return;
	}
	if (!s->plan->pty)
		session_start_input(s);
	msgstream_resume(s->ms);
}

bool
session_take_stream(struct session *s, struct tp_stream *st, uint64_t chan, uint64_t kind,
    bool fin)
{
	struct output *o;
	int fd, rc;

	if (s->over || !s->ms || chan != s->chan ||
	    (kind != WIRE_DATA_OUT && kind != WIRE_DATA_ERR))
		return false;
	o = &s->out[kind == WIRE_DATA_OUT ? OUT : ERR];
	if (o->seen)
		return false;
	fd = stdio_open(s->io, kind == WIRE_DATA_OUT ? STDOUT_FILENO : STDERR_FILENO);
	rc = fd < 0 ? fd : pump_in_new(&o->pump, s->ev, fd, st, output_done, o);
	if (rc == 0 && fin)
		rc = pump_in_feed(o->pump, NULL, 0, true);
	if (rc < 0) {
		log_error("qsh: standard %s: %s", kind == WIRE_DATA_OUT ? "output" : "error",
		    qerr_str(rc));
		return false;
	}
	o->seen = true;
	if (s->started)
		session_status_start(s);
	return true;
}

void
session_leave(struct session *s)
{
	session_status_hide(s);
	for (int i = 0; i < NOUTPUTS; i++)
		if (s->out[i].pump)
			pump_in_free(&s->out[i].pump);
	if (s->keys)
		input_pause(s->keys, true);
}

/* ---- life --------------------------------------------------------------------------- */

int
session_new(struct session **out, struct ev *ev, const struct cconf *conf,
    const struct plan *plan, struct stdio *io, const struct session_ops *ops, void *arg)
{
	struct session *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return QERR_NOMEM;
	*s = (struct session){.ev = ev, .conf = conf, .plan = plan, .io = io, .ops = ops,
	    .arg = arg, .status = -1, .status_fd = -1};
	for (int i = 0; i < NOUTPUTS; i++)
		s->out[i].s = s;
	rc = request_collect(&s->request, plan, conf, environ, STDIN_FILENO);
	s->size = s->request.size;
	if (rc < 0)
		session_free(&s);
	*out = s;
	return rc;
}

void
session_free(struct session **sp)
{
	struct session *s = *sp;

	if (!s)
		return;
	s->over = true;
	session_status_free(s);
	input_free(&s->keys);
	if (s->pump)
		pump_out_free(&s->pump);
	for (int i = 0; i < NOUTPUTS; i++)
		if (s->out[i].pump)
			pump_in_free(&s->out[i].pump);
	if (s->ms)
		msgstream_free(&s->ms);
	if (s->in)
		tp_stream_set_ops(s->in, &no_ops, NULL);
	request_free(&s->request);
	free(s);
	*sp = NULL;
}
