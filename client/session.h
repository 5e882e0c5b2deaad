/* One session channel: a shell, a command or a subsystem on the other side, joined to our standard
 * input, output and error. */
#ifndef QSH_CLIENT_SESSION_H
#define QSH_CLIENT_SESSION_H

#include "client/conf/cconf.h"
#include "client/plan.h"
#include "client/stdio.h"
#include "common/ev/ev.h"
#include "common/net/transport.h"

struct session;

struct session_ops {
	/* It is over, and the peer has been told; what failed was logged. status: as qsh exits. */
	void (*ended)(void *arg, int status);
	/* An escape key that concerns the connection: ~. ~s ~# */
	void (*disconnect)(void *arg);
	void (*show_state)(void *arg);
	/* Somebody types. */
	void (*typed)(void *arg);
};

#define SESSION_FAILED 255

/* plan, conf, io and ops must outlive it. QERR_NOMEM. */
int session_new(struct session **out, struct ev *ev, const struct cconf *conf,
    const struct plan *plan, struct stdio *io, const struct session_ops *ops, void *arg);
/* Opens the channel and sends everything that is known without waiting for an answer: to be called in
 * the same round as the authentication request. QERR_AGAIN: no stream is permitted yet, call again;
 * QERR_CLOSED, QERR_NOMEM, QERR_TOOBIG, QERR_SYS. */
int session_start(struct session *s, struct tp_conn *conn);
/* The user is known: answers count, and input beyond what the server takes from strangers is read. */
void session_granted(struct session *s);
/* A data stream of the server, of which the header alone was read: takes it over. fin: its FIN was seen
 * too. False: not of this channel. */
bool session_take_stream(struct session *s, struct tp_stream *st, uint64_t chan, uint64_t kind,
    bool fin);
/* The terminal changed its size, or may have while we were stopped. */
void session_resized(struct session *s);
/* Back from a stop: takes the terminal again. */
void session_continued(struct session *s);
/* Stops the process as ~^Z does, with the terminal given back meanwhile. */
void session_suspend(struct session *s);
/* Something has been unanswered for long, or no more: shows and erases the status line. */
void session_silent(struct session *s, bool silent);
/* Shows nothing more and takes no more keys, though more may be under way: what comes behind the last
 * message to the user, on a terminal that is not raw any more, would be a mess. */
void session_leave(struct session *s);
bool session_has_pty(const struct session *s);
/* A line about the channel for ~#; dst is filled and returned. */
const char *session_show(const struct session *s, char *dst, size_t n);
void session_free(struct session **s);

#endif
