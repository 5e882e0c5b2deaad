/* A session's inside, for its own files: session.c (the channel's messages, outputs, life),
 * session_input.c (standard input), session_keys.c (escape keys and the terminal), session_status.c (the
 * status line). */
#ifndef QSH_CLIENT_SESSION_IMPL_H
#define QSH_CLIENT_SESSION_IMPL_H

#include "client/input.h"
#include "client/request.h"
#include "client/session.h"
#include "client/statusline.h"
#include "client/tty.h"
#include "client/vtscan.h"
#include "common/chan/msgstream.h"
#include "common/chan/pump.h"

/* What may leave before the server knows the user: it gives 64 KiB of credit to strangers, of which the
 * control stream keeps 16 KiB (PROTOCOL.md). */
#define EARLY_REQUESTS (24 * 1024)
#define EARLY_INPUT    (16 * 1024)

enum { OUT, ERR, NOUTPUTS };

struct output {
	struct session *s;
	struct pump_in *pump;
	bool seen, done;
};

struct session {
	struct ev *ev;
	const struct cconf *conf;
	const struct plan *plan;
	struct stdio *io;
	const struct session_ops *ops;
	void *arg;
	struct tp_conn *conn;
	struct msgstream *ms;
	uint64_t chan;
	struct request request;
	bool requested;           /* the request has been sent */
	struct tp_stream *in;     /* our standard input, while no pump or terminal has it */
	bool in_opened, in_open;  /* the stream was opened; more input may follow */
	struct pump_out *pump;
	struct input *keys;
	struct output out[NOUTPUTS];
	bool granted, started, pty, pty_failed, over;
	bool output_lost;         /* some could not be written, and not for want of a reader */
	int status;               /* -1: not known yet */
	struct tty_size size;     /* as the server knows it */
	struct statusline *status_line;
	struct vtscan scan;       /* of what the terminal was given */
	int status_fd;            /* for the status line */
};

/* ---- session.c ---- */
/* Ends the session towards the layer above, once. */
void session_finish(struct session *s, int status);
/* QERR_CLOSED where the channel is gone; else as msgstream_send. */
int session_send(struct session *s, uint64_t type, const struct buf *body);

/* ---- session_input.c ---- */
/* Opens the stream for standard input and sends its header. As tp_stream_open; QERR_TOOBIG. */
int session_open_input(struct session *s);
/* Sends what standard input has at once, and FIN if that was all. */
void session_read_early(struct session *s);
/* Hands the stream to a pump or, with a pty, to the keys. Called again it does nothing. */
void session_start_input(struct session *s);

/* ---- session_status.c ---- */
/* Makes the status line, once there is a terminal with output to be watched. */
void session_status_start(struct session *s);
/* Erases it, if it is there. */
void session_status_hide(struct session *s);
void session_status_free(struct session *s);

/* ---- session_keys.c ---- */
/* Has the program on the other side draw its screen again: its window changes, and changes back. */
void session_repaint(struct session *s);

extern const struct input_ops session_key_ops;
/* Raw mode, where there is a terminal of ours and it is in the foreground. */
void session_take_terminal(struct session *s);

#endif
