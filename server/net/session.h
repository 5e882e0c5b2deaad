/* Channels of type "session". Private to this folder. */
#ifndef QSH_SERVER_NET_SESSION_H
#define QSH_SERVER_NET_SESSION_H

#include "server/net/net.h"

/* What may come from the client when; a message's row says in which of these it is permitted.
 *
 *   OPEN -> SETUP -> STARTING -> RUNNING -> EXITED -> OVER
 *     \________\_________\__________\______________/      refused, failed, reset or given up
 */
enum session_phase {
	SESSION_OPEN = 1,      /* expects OPEN */
	SESSION_SETUP = 2,     /* PTY, ENV, START */
	SESSION_STARTING = 4,  /* the broker has NB_START */
	SESSION_RUNNING = 8,
	SESSION_EXITED = 16,   /* the status has been sent: expects EXIT_ACK */
	SESSION_OVER = 32,     /* takes whatever was still under way, and drops it */
};

/* An output of the child on its way to the client. */
struct session_out {
	int fd;                /* waits for a stream to be permitted; else -1 */
	struct pump_out *pump;
	bool over;             /* ended, or there is none */
};

struct session {
	struct session *next;
	struct net *net;
	uint64_t id;
	struct msgstream *ms;
	enum session_phase phase;
	struct smsg_start start;    /* as asked for so far; modes are in the next */
	struct buf modes;
	size_t env_bytes;
	struct instream *in;        /* claimed, waits for the start */
	bool in_claimed;            /* there is one input in a session's life */
	bool in_gone;               /* and it was reset before the start */
	int in_fd;                  /* the child's input, before its stream has come; else -1 */
	struct pump_in *pump_in;
	struct session_out out[2];  /* standard output, standard error */
	uint64_t active;            /* when something last went through, as far as noted */
	bool exited;
	struct smsg_exit exit;
};

/* ---- session.c */
void session_opened(struct net *net, struct tp_stream *s);
struct session *session_find(struct net *net, uint64_t chan); /* NULL: none that is not over */
void session_set_phase(struct session *s, enum session_phase phase);
/* The end, whoever wants it: pumps and descriptors go, the broker hangs up what is left,
 * FIN. */
void session_end(struct session *s);
/* FAILURE for this message type, then the end. */
void session_refuse(struct session *s, uint64_t request, const char *reason);
/* Sends the status once the outputs that it has to follow are over. */
void session_tell_exit(struct session *s);
void sessions_resume(struct net *net);         /* the user is known */
void sessions_open_outputs(struct net *net);   /* the client permits more streams */
bool sessions_have_tty(const struct net *net);
void sessions_free(struct net *net);
/* The broker's answers; of a session that is over they are let pass. A descriptor that is
 * taken is set to -1. */
void session_started(struct net *net, uint64_t chan, int *fds,
    size_t nfds); /* 1: pty master; 3: pipes */
void session_failed(struct net *net, uint64_t chan, const char *reason);
void session_exited(struct net *net, const struct smsg_exit *m);

/* ---- idle.c: before a pump goes, what it knows of activity */
void session_note_activity(struct session *s);

/* ---- session_msg.c: the client's messages */
extern const struct msg_row session_rows[];
extern const size_t session_nrows;
extern const struct msg_row session_over_rows[];

/* ---- session_io.c: streams and descriptors */
/* 0: session_input_start may follow. QERR_AGAIN: not started yet, the session will say so
 * by instream_ready; QERR_EXISTS: it has had one; QERR_CLOSED: it is over. */
int session_claim_input(struct session *s, struct instream *is);
/* fin: the stream's FIN came with its header. */
void session_input_start(struct session *s, struct tp_stream *stream, bool fin);
/* The stream that was claimed is no more. */
void session_input_gone(struct session *s);
/* Takes the descriptors of a started child over. QERR_SYS. */
int session_io_start(struct session *s, int *fds, size_t nfds);
void session_open_outputs(struct session *s);
/* The child on the pty has exited: what the master still has, then FIN. */
void session_drain(struct session *s);
void session_io_close(struct session *s);

#endif
