/* A session's life. */
#include "server/net/session.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/chan/detach.h"
#include "common/chan/pump.h"

void
session_set_phase(struct session *s, enum session_phase phase)
{
	s->phase = phase;
	if (s->ms != NULL)
		msgstream_set_phase(s->ms, phase);
}

struct session *
session_find(struct net *net, uint64_t chan)
{
	for (struct session *s = net->sessions; s != NULL; s = s->next)
		if (s->id == chan && s->phase != SESSION_OVER)
			return s;
	return NULL;
}

/* ---- the end --------------------------------------------------------------------- */

void
session_end(struct session *s)
{
	struct net *net = s->net;
	bool counted = s->phase != SESSION_OPEN;
	bool known = s->phase >= SESSION_STARTING;

	if (s->phase == SESSION_OVER)
		return;
	session_set_phase(s, SESSION_OVER);
	session_io_close(s);
	if (s->in != NULL)
		instream_refuse(&s->in);
	if (known && net->broker != NULL)
		(void)brklink_chan(net, NB_CLOSE, s->id);
	if (s->ms != NULL) {
		msgstream_set_rows(s->ms, session_over_rows, session_nrows, s);
		msgstream_resume(s->ms);
		msgstream_fin(s->ms);
	}
	buf_free(&s->modes);
	smsg_free_start(&s->start);
	smsg_free_exit(&s->exit);
	memset(&s->start, 0, sizeof(s->start));
	memset(&s->exit, 0, sizeof(s->exit));
	if (counted)
		net->open_sessions--;
	net_sessions_changed(net);
}

void
session_refuse(struct session *s, uint64_t request, const char *reason)
{
	char *text = strdup(reason);
	struct wire_failure m = {.request = request, .reason = text};
	struct buf b;

	buf_init(&b, WIRE_TEXT_MAX + WIRE_HDR_MAX);
	if (text == NULL || wire_put_failure(&b, &m) < 0)
		net_close(s->net, TP_E_INTERNAL, "no memory for FAILURE");
	else if (s->ms != NULL)
		(void)msgstream_send(s->ms, WIRE_FAILURE, &b);
	buf_free(&b);
	free(text);
	/* The broker has nothing of it. */
	if (s->phase == SESSION_STARTING)
		session_set_phase(s, SESSION_SETUP);
	session_end(s);
}

static void
on_eof(void *ctx, struct msgstream *ms)
{
	(void)ms;
	session_end(ctx);
}

static void
on_failed(void *ctx, struct msgstream *ms, uint64_t code)
{
	struct session *s = ctx;

	(void)code;
	session_end(s);
	/* One direction was given up: the other has no use any more. */
	if (msgstream_stream(ms) != NULL)
		tp_stream_stop(msgstream_stream(ms), TP_E_CANCELLED);
}

static void
session_free(struct session *s)
{
	struct session **at = &s->net->sessions;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	session_end(s);
	msgstream_free(&s->ms);
	free(s);
}

static void
on_closed(void *ctx, struct msgstream *ms)
{
	(void)ms;
	session_free(ctx);
}

static const struct msgstream_ops session_ops = {
	.eof = on_eof,
	.failed = on_failed,
	.closed = on_closed,
};

void
sessions_free(struct net *net)
{
	while (net->sessions != NULL)
		session_free(net->sessions);
}

/* ---- the beginning ----------------------------------------------------------------- */

void
session_opened(struct net *net, struct tp_stream *stream)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL ||
	    msgstream_new(&s->ms, stream, session_rows, session_nrows, WIRE_BODY_MAX, &session_ops,
		s) < 0) {
		free(s);
		chan_detach(stream);
		net_close(net, TP_E_INTERNAL, "no memory for a session");
		return;
	}
	s->net = net;
	s->id = tp_stream_id(stream);
	buf_init(&s->modes, WIRE_MODES_MAX);
	s->in_fd = s->out[0].fd = s->out[1].fd = -1;
	s->next = net->sessions;
	net->sessions = s;
	session_set_phase(s, SESSION_OPEN);
	tp_stream_set_prio(stream, TP_PRIO_CONTROL);
	if (net->authed)
		instreams_claim(net, s->id);
	else
		msgstream_hold(s->ms);
}

void
sessions_resume(struct net *net)
{
	for (struct session *s = net->sessions; s != NULL; s = s->next)
		msgstream_resume(s->ms);
}

void
sessions_open_outputs(struct net *net)
{
	for (struct session *s = net->sessions; s != NULL; s = s->next)
		session_open_outputs(s);
}

bool
sessions_have_tty(const struct net *net)
{
	for (const struct session *s = net->sessions; s != NULL; s = s->next)
		if (s->start.has_pty && s->phase != SESSION_OVER)
			return true;
	return false;
}

/* ---- the broker's answers ------------------------------------------------------------ */

static struct session *
answered(struct net *net, uint64_t chan, unsigned phases, const char *what)
{
	struct session *s = session_find(net, chan);

	if (s != NULL && (s->phase & phases) != 0)
		return s;
	log_debug("%s of channel %llu: nobody waits for it", what, (unsigned long long)chan);
	return NULL;
}

static int
send_started(struct session *s, bool pty)
{
	struct wire_started m = {.pty = pty};
	struct buf b;
	int r;

	buf_init(&b, WIRE_HDR_MAX);
	r = wire_put_started(&b, &m);
	if (r == 0)
		r = msgstream_send(s->ms, WIRE_STARTED, &b);
	buf_free(&b);
	return r;
}

void
session_started(struct net *net, uint64_t chan, int *fds, size_t nfds)
{
	struct session *s = answered(net, chan, SESSION_STARTING, "start");

	if (s == NULL)
		return;
	s->start.has_pty = nfds == 1;
	s->active = ev_now(net->ev);
	session_set_phase(s, SESSION_RUNNING);
	if (session_io_start(s, fds, nfds) < 0) {
		log_error("channel %llu: cannot set up its streams: %s", (unsigned long long)chan,
		    qerr_str(QERR_SYS));
		session_refuse(s, WIRE_START, "the server cannot set up the session's streams");
		return;
	}
	if (send_started(s, nfds == 1) < 0) {
		session_end(s);
		return;
	}
	net_sessions_changed(net);
	msgstream_resume(s->ms);
}

void
session_failed(struct net *net, uint64_t chan, const char *reason)
{
	struct session *s = answered(net, chan, SESSION_STARTING, "failed start");

	if (s != NULL)
		session_refuse(s, WIRE_START, reason);
}

static int
send_exit(struct session *s)
{
	char empty[] = "";
	struct wire_exit_status st = {.status = s->exit.status};
	struct wire_exit_signal sig = {
		.name = s->exit.signal,
		.core = s->exit.core != 0,
		.text = empty,
	};
	bool signalled = s->exit.signal != NULL && s->exit.signal[0] != '\0';
	struct buf b;
	int r;

	buf_init(&b, WIRE_TEXT_MAX);
	r = signalled ? wire_put_exit_signal(&b, &sig) : wire_put_exit_status(&b, &st);
	if (r == 0)
		r = msgstream_send(s->ms, signalled ? WIRE_EXIT_SIGNAL : WIRE_EXIT_STATUS, &b);
	buf_free(&b);
	return r;
}

void
session_tell_exit(struct session *s)
{
	if (!s->exited || s->phase != SESSION_RUNNING || (s->start.has_pty && !s->out[0].over))
		return;
	session_set_phase(s, SESSION_EXITED);
	if (send_exit(s) < 0)
		session_end(s);
}

void
session_exited(struct net *net, const struct smsg_exit *m)
{
	struct session *s = answered(net, m->chan, SESSION_RUNNING, "exit");

	if (s == NULL || s->exited)
		return;
	s->exited = true;
	s->exit = *m;
	s->exit.signal = strdup(m->signal);
	if (s->exit.signal == NULL) {
		net_close(net, TP_E_INTERNAL, "no memory for an exit status");
		return;
	}
	if (s->start.has_pty)
		session_drain(s);
	session_tell_exit(s);
}
