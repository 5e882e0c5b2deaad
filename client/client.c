#include "client/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/auth.h"
#include "client/connect.h"
#include "client/contact.h"
#include "client/hostkey.h"
#include "client/incoming.h"
#include "client/presence.h"
#include "client/quitsig.h"
#include "client/session.h"
#include "client/tty.h"
#include "client/words.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "quic/quic.h"

#define FAILED   255
#define LINGER   (2 * NS_PER_S)   /* how long a close may take to leave */
#define PREPARE  (300 * NS_PER_US) /* after the first packet has left */
#define NSIGNALS 9
#define NENDING  7 /* the first of them end the program */

enum state { ST_CONNECT, ST_HOSTKEY, ST_AUTH, ST_RUNNING, ST_CLOSING };

struct client {
	struct ev *ev;
	const struct cconf *conf;
	const struct plan *plan;
	struct stdio *io;
	enum state state;
	int status, signo;
	struct ev_timer *prepare, *closing;
	struct ev_signal *signals[NSIGNALS], *stop;
	struct connect *connect;
	struct tokens *tokens; /* NULL: none are kept */
	struct addr remote;
	struct tp_conn *conn;
	struct pubkey hostkey_pub;
	struct hostkey *hostkey;
	struct keyring keys;
	bool keys_loaded, session_pending, close_sent;
	struct contact *contact;
	struct presence *presence; /* NULL: the keepalive is as configured */
	struct incoming *incoming;
	struct auth *auth;
	struct session *session;
};

/* ---- the end ------------------------------------------------------------------ */

/* Leaves in the next round, behind what was just written. */
static void
begin_close(struct client *c, int status)
{
	if (c->state == ST_CLOSING)
		return;
	c->state = ST_CLOSING;
	c->status = status;
	if (c->session)
		session_leave(c->session);
	tty_restore();
	ev_timer_at(c->closing, 0);
}

static void
on_closing(void *arg)
{
	struct client *c = arg;

	if (!c->conn || c->close_sent) {
		ev_stop(c->ev);
		return;
	}
	c->close_sent = true;
	ev_timer_at(c->closing, ev_now(c->ev) + LINGER);
	tp_conn_close(c->conn, c->status == FAILED && !c->session ? TP_E_CANCELLED : TP_OK, "");
}

static void
log_text(const struct buf *b)
{
	const char *p = (const char *)buf_data(b);
	size_t left = buf_len(b);

	while (left > 0) {
		const char *nl = memchr(p, '\n', left);
		size_t n = nl ? (size_t)(nl - p) : left;

		log_error("%.*s", (int)n, p);
		n += nl != NULL;
		p += n;
		left -= n;
	}
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct client *c = arg;
	struct buf b;

	if (c->state != ST_CLOSING) {
		tty_restore();
		buf_init(&b, 4096);
		words_end(&b, why, c->conf->hostname, &c->remote, c->state == ST_RUNNING);
		log_text(&b);
		contact_end(c->contact);
		buf_free(&b);
		c->status = FAILED;
		c->state = ST_CLOSING;
	}
	c->close_sent = true;
	ev_stop(c->ev);
}

/* ---- the session ----------------------------------------------------------------- */

static void
on_session_ended(void *arg, int status)
{
	struct client *c = arg;

	if (c->state == ST_CLOSING)
		return;
	session_leave(c->session);
	tty_restore();
	if (session_has_pty(c->session))
		log_info("Connection to %s closed.", c->conf->hostname);
	contact_end(c->contact);
	begin_close(c, status);
}

static void
on_disconnect(void *arg)
{
	struct client *c = arg;

	on_session_ended(c, FAILED);
}

static void
on_show_state(void *arg)
{
	struct client *c = arg;
	struct tp_stats st;
	struct buf b;

	tp_conn_stats(c->conn, &st);
	buf_init(&b, 4096);
	words_state(&b, &st, c->conf->hostname, ev_now(c->ev));
	if (buf_put_u8(&b, 0) == 0)
		tty_text((const char *)buf_data(&b));
	buf_free(&b);
}

static void
on_typed(void *arg)
{
	struct client *c = arg;

	if (c->presence)
		presence_typed(c->presence);
}

static const struct session_ops session_ops = {
	.ended = on_session_ended,
	.disconnect = on_disconnect,
	.show_state = on_show_state,
	.typed = on_typed,
};

static void
try_start_session(struct client *c)
{
	int rc;

	if (!c->session || c->state == ST_CLOSING)
		return;
	rc = session_start(c->session, c->conn);
	c->session_pending = rc == QERR_AGAIN;
	if (rc < 0 && rc != QERR_AGAIN && rc != QERR_CLOSED) {
		log_error("qsh: cannot start the session: %s", qerr_str(rc));
		begin_close(c, FAILED);
	}
}

/* ---- authentication ------------------------------------------------------------------ */

static void
go_background(struct client *c)
{
	log_debug("forking to background");
	if (daemon(1, 1) < 0 || stdio_detach(false) < 0) {
		log_error("qsh: cannot go to the background: %s", strerror(errno));
		begin_close(c, FAILED);
	}
}

/* Stopped from outside: the terminal is given back as by ~^Z. */
static void
on_stop(void *arg, int signo)
{
	struct client *c = arg;

	(void)signo;
	if (c->session && c->state == ST_RUNNING)
		session_suspend(c->session);
	else
		tty_stop_self();
}

static void
on_granted(void *arg)
{
	struct client *c = arg;
	uint64_t keepalive, idle;

	if (c->state == ST_CLOSING)
		return;
	c->state = ST_RUNNING;
	plan_silence(c->plan, c->conf, &keepalive, &idle);
	tp_conn_set_keepalive(c->conn, keepalive);
	tp_conn_set_idle(c->conn, idle);
	if (c->plan->pty && c->conf->server_alive_interval == 0 &&
	    presence_new(&c->presence, c->ev, c->conn, keepalive) < 0)
		log_debug("the keepalive does not follow the keys");
	/* Only from now on: before, the questions to the user have their own way with it. */
	if (c->plan->pty && ev_signal_new(&c->stop, c->ev, SIGTSTP, on_stop, c) < 0)
		log_debug("SIGTSTP is not handled");
	if (c->plan->background)
		go_background(c);
	if (c->session && c->state == ST_RUNNING)
		session_granted(c->session);
}

static void
on_denied(void *arg)
{
	begin_close(arg, FAILED);
}

static const struct auth_ops auth_ops = {
	.granted = on_granted,
	.denied = on_denied,
};

/* Loads what authentication and session need, while the handshake is under way. */
static void
prepare(void *arg)
{
	struct client *c = arg;
	struct quitsig q;

	if (c->keys_loaded)
		return;
	c->keys_loaded = true;
	quic_init_rest();
	quitsig_default(&q);
	if (c->state == ST_CONNECT)
		hostkey_prepare(c->conf);
	keyring_load(&c->keys, c->conf);
	quitsig_back(&q);
	if (c->plan->session &&
	    session_new(&c->session, c->ev, c->conf, c->plan, c->io, &session_ops, c) < 0) {
		log_error("qsh: out of memory");
		begin_close(c, FAILED);
	}
}

static void
try_start_auth(struct client *c)
{
	int rc = auth_new(&c->auth, c->ev, c->conn, c->conf, &c->keys, &c->hostkey_pub, &auth_ops,
	    c);

	if (rc < 0 && rc != QERR_AGAIN && rc != QERR_CLOSED) {
		log_error("qsh: cannot start authentication: %s", qerr_str(rc));
		begin_close(c, FAILED);
	}
}

static void
on_hostkey(void *arg, bool accepted)
{
	struct client *c = arg;

	if (c->state != ST_HOSTKEY)
		return;
	if (!accepted) {
		c->state = ST_CLOSING;
		c->status = FAILED;
		c->close_sent = true;
		ev_timer_at(c->closing, ev_now(c->ev) + LINGER);
		tp_conn_close(c->conn, TP_E_HOSTKEY, "host key not accepted");
		return;
	}
	c->state = ST_AUTH;
	prepare(c);
	if (c->state == ST_AUTH)
		try_start_auth(c);
	if (c->state == ST_AUTH && c->auth)
		try_start_session(c); /* in the same flight */
}

/* ---- the connection --------------------------------------------------------------- */

static void
on_streams_available(void *arg)
{
	struct client *c = arg;

	if (c->state == ST_AUTH && !c->auth)
		try_start_auth(c);
	if ((c->state == ST_AUTH && c->auth) || (c->state == ST_RUNNING && c->session_pending))
		try_start_session(c);
}

static void
on_stream_opened(void *arg, struct tp_stream *s)
{
	struct client *c = arg;

	incoming_stream(c->incoming, s);
}

static bool
on_data_stream(void *arg, struct tp_stream *s, uint64_t chan, uint64_t kind, bool fin)
{
	struct client *c = arg;

	return c->session && session_take_stream(c->session, s, chan, kind, fin);
}

static void
on_moved(void *arg, const struct tp_path *from, const struct tp_path *to)
{
	struct client *c = arg;

	c->remote = to->remote;
	if (c->contact)
		contact_moved(c->contact, from, to);
}

static void
on_path_event(void *arg, enum tp_path_event ev, const struct tp_path *path)
{
	struct client *c = arg;

	if (c->contact)
		contact_path_event(c->contact, ev, path);
}

static void
on_silent(void *arg, bool silent)
{
	struct client *c = arg;

	if (c->contact)
		contact_silent(c->contact, silent);
	if (c->session && c->state == ST_RUNNING)
		session_silent(c->session, silent);
}

static const struct tp_conn_ops conn_ops = {
	.stream_opened = on_stream_opened,
	.streams_available = on_streams_available,
	.moved = on_moved,
	.path_event = on_path_event,
	.silent = on_silent,
	.closed = on_closed,
};

static int
take_host_key(struct client *c)
{
	uint8_t pk[32];
	int rc = tp_conn_peer_key(c->conn, pk);

	return rc < 0 ? rc : pubkey_from_ed25519(&c->hostkey_pub, pk);
}

static void
on_connected(void *arg, struct tp_conn *conn, const struct addr *remote)
{
	struct client *c = arg;
	struct tp_stats st;
	int rc;

	if (!conn || c->state == ST_CLOSING) {
		c->conn = conn;
		begin_close(c, FAILED);
		return;
	}
	c->conn = conn;
	c->remote = *remote;
	c->state = ST_HOSTKEY;
	tp_conn_set_ops(conn, &conn_ops, c);
	tp_conn_stats(conn, &st);
	log_debug("Connection established to %s over %s: %s, round trip %.1f ms",
	    remote->len != 0 ? addr_show(remote) : c->conf->hostname,
	    st.carrier ? st.carrier : "?", st.cipher ? st.cipher : "?",
	    (double)st.rtt_ns / (double)NS_PER_MS);
	rc = contact_new(&c->contact, c->ev, c->conf, conn, remote, c->plan->pty);
	if (rc == 0)
		rc = incoming_new(&c->incoming, conn, on_data_stream, c);
	if (rc == 0)
		rc = take_host_key(c);
	if (rc == 0)
		rc = hostkey_check(&c->hostkey, c->ev, c->conf, &c->hostkey_pub, &c->remote,
		    on_hostkey, c);
	if (rc < 0) {
		log_error("qsh: cannot check the host key of %s: %s", c->conf->hostname,
		    qerr_str(rc));
		begin_close(c, FAILED);
	}
}

/* ---- signals ------------------------------------------------------------------------- */

static void
on_quit_signal(void *arg, int signo)
{
	struct client *c = arg;

	tty_restore();
	if (c->state == ST_CLOSING) {
		ev_stop(c->ev);
		return;
	}
	if (c->state == ST_RUNNING)
		log_verbose("Killed by signal %d.", signo);
	else
		c->signo = signo; /* no session yet: as a program without handlers */
	/* Questions to the user end here, and the terminal is as it was. What authentication has on its stream
	 * stays: a reset would overtake the close. */
	hostkey_free(&c->hostkey);
	auth_hush(c->auth);
	begin_close(c, FAILED);
}

/* These end a program that knows nothing of them; the server would wait for a client that is no more. */
static void
on_kill_signal(void *arg, int signo)
{
	struct client *c = arg;

	on_quit_signal(c, signo);
	c->signo = signo;
}

static void
on_winch(void *arg, int signo)
{
	struct client *c = arg;

	(void)signo;
	if (c->session && c->state == ST_RUNNING)
		session_resized(c->session);
}

static void
on_cont(void *arg, int signo)
{
	struct client *c = arg;

	(void)signo;
	if (c->session && c->state == ST_RUNNING)
		session_continued(c->session);
}

static int
add_signals(struct client *c)
{
	static const struct {
		int signo;
		ev_signal_fn *fn;
	} rows[NSIGNALS] = {
		/* NENDING rows */
		{SIGINT, on_quit_signal},
		{SIGTERM, on_quit_signal},
		{SIGHUP, on_quit_signal},
		{SIGQUIT, on_quit_signal},
		{SIGUSR1, on_kill_signal}, /* from rsync(1) when it fails */
		{SIGUSR2, on_kill_signal},
		{SIGALRM, on_kill_signal},
		{SIGWINCH, on_winch},
		{SIGCONT, on_cont},
	};

	for (size_t i = 0; i < NSIGNALS; i++) {
		struct sigaction old;
		int rc;

		/* nohup(1) and the like ignore on purpose. */
		if (i < NENDING && sigaction(rows[i].signo, NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		rc = ev_signal_new(&c->signals[i], c->ev, rows[i].signo, rows[i].fn, c);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- life ------------------------------------------------------------------------------ */

int
client_new(struct client **out, struct ev *ev, const struct cconf *conf, const struct plan *plan,
    struct stdio *io)
{
	struct client *c = calloc(1, sizeof(*c));
	int rc;

	*out = c;
	if (!c)
		return QERR_NOMEM;
	*c = (struct client){.ev = ev, .conf = conf, .plan = plan, .io = io, .status = FAILED};
	if (conf->token_file)
		(void)tokens_new(&c->tokens, conf->token_file);
	rc = connect_new(&c->connect, ev, conf, plan->pty, c->tokens, on_connected, c);
	if (rc < 0) {
		client_free(out);
		return rc;
	}
	rc = ev_timer_new(&c->prepare, ev, prepare, c);
	if (rc == 0)
		rc = ev_timer_new(&c->closing, ev, on_closing, c);
	if (rc == 0)
		rc = add_signals(c);
	if (rc < 0) {
		log_error("qsh: %s", qerr_str(rc));
		client_free(out);
		return rc;
	}
	ev_timer_at(c->prepare, ev_now(ev) + PREPARE);
	return 0;
}

int
client_status(const struct client *c)
{
	return c->status;
}

int
client_signal(const struct client *c)
{
	return c->signo;
}

void
client_free(struct client **cp)
{
	struct client *c = *cp;

	if (!c)
		return;
	hostkey_free(&c->hostkey);
	auth_free(&c->auth);
	session_free(&c->session);
	incoming_free(&c->incoming);
	contact_free(&c->contact);
	presence_free(&c->presence);
	tp_conn_free(&c->conn);
	connect_free(&c->connect);
	tokens_free(&c->tokens);
	keyring_free(&c->keys);
	pubkey_free(&c->hostkey_pub);
	ev_timer_free(&c->prepare);
	ev_timer_free(&c->closing);
	for (size_t i = 0; i < NSIGNALS; i++)
		ev_signal_free(&c->signals[i]);
	ev_signal_free(&c->stop);
	free(c);
	*cp = NULL;
}
