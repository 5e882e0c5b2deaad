#include "client/connect.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fdpass.h"
#include "client/netwatch.h"
#include "client/proxycmd.h"
#include "client/race.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/tracefile.h"
#include "quic/quic.h"
#include "quic/trace.h"

#define PORTS_MAX 8
/* Output that was sent and not shown yet. An interrupt does not take it back, so on a slow terminal this much
 * comes after Ctrl-C; on a long way it bounds the speed (5 MB/s at 100 ms). */
#define WATCHED_WINDOW (512 * 1024)

/* Of the ways that are tried the later ones only begin when the first has had time to answer. */
enum { LANE_UDP, LANE_TCP, NLANES };
#define TCP_DELAY_NS (300 * NS_PER_MS)
/* News of the network have an attempt begun anew that has heard nothing for so long, at first; it doubles. */
#define PATIENCE (1 * NS_PER_S)
/* A command may ask for a password before it leads anywhere. */
#define COMMAND_TIMEOUT (600 * NS_PER_S)

struct attempt {
	struct connect *owner;
	unsigned lane;
	struct addr addr;
	struct tp_conn *conn;
	uint64_t began, patience; /* ns */
	bool started, over;
};

struct lane {
	struct connect *owner;
	struct ev_timer *next;
	size_t at, end; /* attempts: the next to be started, behind the last */
};

struct connect {
	struct ev *ev;
	const struct cconf *conf;
	struct tokens *tokens;
	connect_done_fn *done;
	void *arg;
	struct addr bind4, bind6;
	struct ev_timer *deadline, *anew;
	struct netwatch *watch;
	uint64_t news;            /* the last, ns; 0: none, or dealt with */
	struct lane lanes[NLANES];
	struct attempt attempts[NLANES * RACE_MAX];
	size_t n, nover;
	struct proxycmd *command; /* NULL: none */
	struct fdpass *fdpass;    /* NULL: none, or no longer */
	struct quic_client_cfg passed; /* for the connection that it passes */
	struct tp_close why; /* the failure that tells most */
	const struct attempt *whose;
	bool failed, finished, watched;
};

static void start_next(void *arg);

/* The server may be found there later too, when this machine is elsewhere. */
static void
tell_addresses(struct connect *c, struct tp_conn *conn, const struct addr *used)
{
	struct addr v[RACE_MAX];
	size_t n = 0;

	for (size_t i = 0; i < c->lanes[LANE_UDP].end; i++)
		if (addr_port(&c->attempts[i].addr) == addr_port(used))
			v[n++] = c->attempts[i].addr;
	quic_client_set_remotes(conn, v, n);
}

#define STRANGER "what answers there"

static bool
by_command(const struct connect *c)
{
	return c->conf->proxy_command != NULL;
}

static void
say_failure(const struct connect *c)
{
	char reason[300];
	const char *text = race_reason(&c->why, reason, sizeof(reason));

	if (by_command(c))
		log_error("qsh: connect to host %s by ProxyCommand: %s%s", c->conf->hostname, text,
		    strncmp(text, STRANGER, strlen(STRANGER)) == 0
			? ": the command has to lead to qshd, to its TcpListenAddress or \"qshd -i\""
			: "");
	else
		log_error("qsh: connect to host %s port %u%s: %s", c->conf->hostname,
		    addr_port(&c->whose->addr), c->whose->lane == LANE_TCP ? " by TCP" : "", text);
}

static void
finish(struct connect *c, struct attempt *winner)
{
	struct tp_conn *conn = NULL;

	c->finished = true;
	for (size_t i = 0; i < NLANES; i++)
		ev_timer_stop(c->lanes[i].next);
	ev_timer_stop(c->deadline);
	ev_timer_stop(c->anew);
	netwatch_free(&c->watch);
	if (winner) {
		conn = winner->conn;
		winner->conn = NULL;
	}
	for (size_t i = 0; i < c->n; i++) {
		struct attempt *a = &c->attempts[i];

		if (a->conn && a->lane == LANE_TCP)
			tp_conn_free(&a->conn); /* the stream's end says it */
		else if (a->conn)
			tp_conn_close(a->conn, TP_E_CANCELLED, "another path was faster");
	}
	if (!conn)
		say_failure(c);
	else if (winner->lane == LANE_UDP && !by_command(c))
		tell_addresses(c, conn, &winner->addr);
	c->done(c->arg, conn, winner ? &winner->addr : NULL);
}

static void
attempt_failed(struct attempt *a, const struct tp_close *why)
{
	struct connect *c = a->owner;
	struct lane *lane = &c->lanes[a->lane];
	char reason[300];

	a->over = true;
	c->nover++;
	if (c->finished)
		return;
	log_debug("connect to address %s: %s", addr_show(&a->addr),
	    race_reason(why, reason, sizeof(reason)));
	if (!c->failed || race_tells_more(why, &c->why)) {
		c->why = *why;
		c->whose = a;
	}
	c->failed = true;
	if (lane->at < lane->end) {
		ev_timer_at(lane->next, 0); /* RFC 8305 section 5: a failure starts the next at once */
		return;
	}
	lane = &c->lanes[LANE_TCP];
	if (c->nover == c->n)
		finish(c, NULL);
	else if (lane->at < lane->end && c->nover == lane->at)
		ev_timer_at(lane->next, 0); /* nothing else is left */
}

static void
on_handshake_done(void *arg)
{
	struct attempt *a = arg;

	if (!a->owner->finished)
		finish(a->owner, a);
}

/* Adds how the command failed, where that may be why nothing came from it. */
static void
add_status(struct connect *c, struct tp_close *why)
{
	size_t n = strlen(why->reason);
	char how[64];

	if (c->command && strncmp(why->reason, STRANGER, strlen(STRANGER)) != 0 &&
	    *proxycmd_ended(c->command, how, sizeof(how)))
		snprintf(why->reason + n, sizeof(why->reason) - n, " (%s)", how);
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct attempt *a = arg;
	struct tp_close said = *why;

	tp_conn_free(&a->conn);
	if (why->by == TP_CLOSED_CARRIER)
		add_status(a->owner, &said);
	attempt_failed(a, &said);
}

static const struct tp_conn_ops attempt_ops = {
	.handshake_done = on_handshake_done,
	.closed = on_closed,
};

/* What did not work on this side, where the user named it. */
static void
say_local(char *dst, size_t n, const struct cconf *conf, int rc)
{
	const char *what = qerr_str(rc);

	if (rc == QERR_SYS && errno == EADDRNOTAVAIL && conf->bind_address)
		snprintf(dst, n, "cannot send from %s: %s", conf->bind_address, what);
	else if (rc == QERR_SYS && conf->bind_interface && errno != ECONNREFUSED)
		snprintf(dst, n, "cannot send through %s: %s", conf->bind_interface, what);
	else
		snprintf(dst, n, "%s", what);
}

/* What this attempt is recorded in. What cannot be made was logged; the login goes on without. */
static int
start_trace(struct quic_trace **out, const struct connect *c, const struct attempt *a)
{
	const char *path = c->conf->key_log_file;
	int keys = path ? tracefile_keys(path) : -1;

	if (keys >= 0 && a == &c->attempts[0] && a->conn == NULL)
		log_info("Warning: the keys of this connection are written to %s (KeyLogFile): who reads "
			 "them can read all of it.",
		    path);
	return quic_trace_new(out, keys, -1, c->conf->qlog_dir);
}

static void
attempt_failed_here(struct attempt *a, int rc)
{
	struct tp_close why = {.by = TP_CLOSED_SYS, .code = (uint64_t)-rc};
	char text[sizeof(why.reason)];

	if (rc == QERR_SYS && errno == ECONNREFUSED)
		why.by = TP_CLOSED_REFUSED;
	say_local(text, sizeof(text), a->owner->conf, rc);
	str_vis(why.reason, sizeof(why.reason), text, strlen(text));
	attempt_failed(a, &why);
}

static void
on_passed(void *arg, struct quic_carrier *via, const char *text)
{
	struct attempt *a = arg;
	struct connect *c = a->owner;
	struct tp_close why = {.by = TP_CLOSED_CARRIER};
	int rc;

	fdpass_free(&c->fdpass);
	if (c->finished && via)
		fd_close(&via->in);
	if (c->finished)
		return;
	if (!via) {
		snprintf(why.reason, sizeof(why.reason), "%s", text);
		add_status(c, &why);
		attempt_failed(a, &why);
		return;
	}
	rc = quic_client_stream_new(&a->conn, c->ev, &c->passed, via, &attempt_ops, a);
	c->passed.trace = NULL;
	if (rc < 0)
		attempt_failed_here(a, rc);
}

/* The same for a command that passes a connection. */
static int
start_fdpass(struct connect *c, struct attempt *a, const struct quic_client_cfg *cfg)
{
	int sock, rc = proxycmd_start_fdpass(&c->command, c->conf->proxy_run, &sock);

	c->passed = *cfg;
	return rc < 0 ? rc : fdpass_new(&c->fdpass, c->ev, sock, on_passed, a);
}

static int
start_command(struct connect *c, struct attempt *a, const struct quic_client_cfg *cfg)
{
	struct quic_carrier via = {.kind = QUIC_CARRIER_COMMAND};
	int fds[2], rc;

	if (c->conf->proxy_fdpass)
		return start_fdpass(c, a, cfg);
	rc = proxycmd_start(&c->command, c->conf->proxy_run, fds);
	if (rc < 0) {
		struct quic_trace *trace = cfg->trace;
		int saved = errno;

		quic_trace_free(&trace);
		errno = saved;
		return rc;
	}
	via.in = fds[0];
	via.out = fds[1];
	return quic_client_stream_new(&a->conn, c->ev, cfg, &via, &attempt_ops, a);
}

static int
start(struct connect *c, struct attempt *a, const struct quic_client_cfg *cfg)
{
	char at[ADDR_STRLEN];

	if (by_command(c))
		return start_command(c, a, cfg);
	log_debug("Connecting to %s [%s] port %u%s.", c->conf->hostname, addr_host(&a->addr, at),
	    addr_port(&a->addr), a->lane == LANE_TCP ? " by TCP" : "");
	return a->lane == LANE_TCP ? quic_client_tcp_new(&a->conn, c->ev, cfg, &attempt_ops, a) :
				     quic_client_new(&a->conn, c->ev, cfg, &attempt_ops, a);
}

/* Leaves a->conn, and what it was, where it fails. */
static int
begin(struct connect *c, struct attempt *a)
{
	struct quic_client_cfg cfg = {.remote = a->addr,
	    .bind_device = c->conf->bind_interface,
	    .sni = c->conf->send_sni ? c->conf->hostname : NULL,
	    .tokens = c->tokens ? &tokens_ops : NULL,
	    .stay = !c->conf->migrate,
	    .tokens_arg = c->tokens};
	int rc;

	quic_limits_client(&cfg.limits);
	quic_limits_buffer(&cfg.limits, c->conf->connection_buffer);
	cfg.limits.conn_window = c->conf->connection_buffer;
	if (c->watched && cfg.limits.uni_window > WATCHED_WINDOW)
		cfg.limits.uni_window = WATCHED_WINDOW;
	cfg.limits.cc = (enum tp_cc)c->conf->congestion_control;
	if (c->conf->connect_timeout)
		cfg.limits.handshake_timeout = c->conf->connect_timeout * NS_PER_S;
	else if (by_command(c))
		cfg.limits.handshake_timeout = COMMAND_TIMEOUT;
	cfg.bind = a->addr.u.sa.sa_family == AF_INET ? c->bind4 : c->bind6;
	rc = start_trace(&cfg.trace, c, a);
	if (rc == 0)
		rc = start(c, a, &cfg);
	if (rc == 0)
		a->began = ev_now(c->ev);
	return rc;
}

/* ---- the network changes meanwhile ---- */

/* An address that has gone, or packets that a link without a carrier has swallowed: what has begun so waits for long,
 * for nothing. The old attempt stays where there is no way for a new one; the next news will bring it. */
static void
begin_anew(struct connect *c, struct attempt *a)
{
	struct tp_conn *old = a->conn;

	log_debug("The network has changed, and nothing was heard from %s: once more", addr_show(&a->addr));
	if (begin(c, a) < 0) {
		a->conn = old;
		return;
	}
	a->patience *= 2;
	tp_conn_free(&old);
}

/* When it is begun anew for the last news; 0: it need not be. */
static uint64_t
anew_at(const struct connect *c, const struct attempt *a)
{
	struct tp_stats st;

	if (a->conn == NULL || a->over)
		return 0;
	tp_conn_stats(a->conn, &st);
	if (st.last_rx_ns > c->news || a->began > c->news)
		return 0;
	return (st.received == 0 ? a->began : c->news) + a->patience;
}

static void
on_anew(void *arg)
{
	struct connect *c = arg;
	uint64_t next = 0, at;

	for (size_t i = 0; i < c->n; i++) {
		at = anew_at(c, &c->attempts[i]);
		if (at != 0 && at <= ev_now(c->ev))
			begin_anew(c, &c->attempts[i]);
		else if (at != 0 && (next == 0 || at < next))
			next = at;
	}
	if (next != 0)
		ev_timer_at(c->anew, next);
}

static void
on_news(void *arg, bool resumed)
{
	struct connect *c = arg;

	(void)resumed;
	c->news = ev_now(c->ev);
	ev_timer_at(c->anew, 0);
}

static void
start_watch(struct connect *c)
{
	int rc;

	if (c->watch != NULL || by_command(c))
		return;
	rc = netwatch_new(&c->watch, c->ev, on_news, c);
	if (rc < 0)
		log_debug("changes of the network are not noticed while connecting: %s", qerr_str(rc));
}

static void
start_next(void *arg)
{
	struct lane *lane = arg;
	struct connect *c = lane->owner;
	struct attempt *a = &c->attempts[lane->at];
	int rc;

	if (c->finished || lane->at >= lane->end)
		return;
	lane->at++;
	a->started = true;
	a->patience = PATIENCE;
	if (lane->at < lane->end)
		ev_timer_at(lane->next, ev_now(c->ev) + RACE_DELAY_NS);
	rc = begin(c, a);
	if (rc < 0)
		attempt_failed_here(a, rc);
	else
		start_watch(c);
}

static void
on_deadline(void *arg)
{
	struct connect *c = arg;

	if (c->finished)
		return;
	if (!c->failed || c->why.by == TP_CLOSED_SYS) {
		c->why = (struct tp_close){.by = TP_CLOSED_HANDSHAKE_TIMEOUT};
		c->whose = &c->attempts[0];
	}
	finish(c, NULL);
}

static int
resolve(const char *host, int family, int flags, struct addr *out, size_t max, size_t *n)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM, .ai_flags = flags};
	struct addrinfo *res = NULL;
	int rc;

	*n = 0;
	errno = 0;
	rc = getaddrinfo(host, NULL, &hints, &res);
	if (rc != 0)
		return rc;
	for (struct addrinfo *ai = res; ai && *n < max; ai = ai->ai_next) {
		struct addr a;
		bool seen = false;

		if (addr_from_sa(&a, ai->ai_addr, ai->ai_addrlen) < 0)
			continue;
		for (size_t i = 0; i < *n; i++)
			seen = seen || addr_equal_host(&out[i], &a);
		if (!seen)
			out[(*n)++] = a;
	}
	freeaddrinfo(res);
	return *n ? 0 : EAI_NONAME;
}

int
connect_family(const struct cconf *conf)
{
	switch (conf->address_family) {
	case CCONF_AF_INET:
		return AF_INET;
	case CCONF_AF_INET6:
		return AF_INET6;
	default:
		return AF_UNSPEC;
	}
}

static int
resolve_bind(struct connect *c)
{
	struct addr v[RACE_MAX];
	size_t n;
	int rc;

	if (!c->conf->bind_address)
		return 0;
	rc = resolve(c->conf->bind_address, connect_family(c->conf), AI_PASSIVE, v, RACE_MAX, &n);
	if (rc != 0) {
		log_error("qsh: bind address %s: %s", c->conf->bind_address, gai_strerror(rc));
		return QERR_INVAL;
	}
	for (size_t i = n; i-- > 0;)
		*(v[i].u.sa.sa_family == AF_INET ? &c->bind4 : &c->bind6) = v[i];
	return 0;
}

/* Nothing leaves from another address than the one that was asked for: what the bind address has no
 * family for is not tried. Returns how many of the n addresses are left. */
static size_t
drop_unbound(const struct connect *c, struct addr *v, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		const struct addr *from = v[i].u.sa.sa_family == AF_INET ? &c->bind4 : &c->bind6;

		if (from->len != 0)
			v[k++] = v[i];
	}
	return k;
}

static int
list_ports(const struct cconf *conf, unsigned ports[PORTS_MAX], size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < conf->quic_ports.n && *n < PORTS_MAX; i++) {
		long long v;

		if (str_to_int(conf->quic_ports.v[i], 1, 65535, &v) < 0) {
			log_error("qsh: QuicPort: bad port '%s'", conf->quic_ports.v[i]);
			return QERR_INVAL;
		}
		ports[(*n)++] = (unsigned)v;
	}
	if (*n == 0)
		ports[(*n)++] = conf->port;
	return 0;
}

static void
fill_lane(struct connect *c, unsigned i, const struct addr *v, size_t n, const unsigned *ports,
    size_t nports)
{
	struct addr plan[RACE_MAX];
	size_t k = race_plan(v, n, ports, nports, plan, RACE_MAX);

	c->lanes[i].at = c->n;
	for (size_t p = 0; p < k; p++)
		c->attempts[c->n++] = (struct attempt){.owner = c, .lane = i, .addr = plan[p]};
	c->lanes[i].end = c->n;
}

static int
prepare(struct connect *c)
{
	struct addr v[RACE_MAX];
	unsigned ports[PORTS_MAX];
	size_t n, nports;
	int rc;

	if (by_command(c)) { /* which finds the way itself */
		c->attempts[0] = (struct attempt){.owner = c};
		c->n = c->lanes[LANE_UDP].end = 1;
		return 0;
	}
	rc = list_ports(c->conf, ports, &nports);
	if (rc < 0)
		return rc;
	rc = resolve(c->conf->hostname, connect_family(c->conf), 0, v, RACE_MAX, &n);
	if (rc != 0) {
		log_error("qsh: Could not resolve hostname %s: %s", c->conf->hostname,
		    rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
		return QERR_NOTFOUND;
	}
	rc = resolve_bind(c);
	if (rc < 0)
		return rc;
	if (c->conf->bind_address) {
		n = drop_unbound(c, v, n);
		if (n == 0) {
			log_error("qsh: bind address %s: %s has no address of that family",
			    c->conf->bind_address, c->conf->hostname);
			return QERR_INVAL;
		}
	}
	race_interleave(v, n);
	fill_lane(c, LANE_UDP, v, n, ports, nports);
	if (c->conf->tcp_port != 0)
		fill_lane(c, LANE_TCP, v, n, &c->conf->tcp_port, 1);
	return 0;
}

int
connect_new(struct connect **out, struct ev *ev, const struct cconf *conf, bool watched,
    struct tokens *tokens, connect_done_fn *done, void *arg)
{
	struct connect *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return QERR_NOMEM;
	*c = (struct connect){.ev = ev,
	    .conf = conf,
	    .watched = watched,
	    .tokens = tokens,
	    .done = done,
	    .arg = arg};
	rc = prepare(c);
	if (rc == 0)
		rc = ev_timer_new(&c->anew, ev, on_anew, c);
	for (size_t i = 0; i < NLANES && rc == 0; i++) {
		c->lanes[i].owner = c;
		rc = ev_timer_new(&c->lanes[i].next, ev, start_next, &c->lanes[i]);
	}
	if (rc == 0)
		rc = ev_timer_new(&c->deadline, ev, on_deadline, c);
	if (rc < 0) {
		connect_free(&c);
		return rc;
	}
	if (conf->connect_timeout)
		ev_timer_at(c->deadline, ev_now(ev) + conf->connect_timeout * NS_PER_S);
	ev_timer_at(c->lanes[LANE_UDP].next, 0);
	if (c->conf->tcp_port != 0)
		ev_timer_at(c->lanes[LANE_TCP].next, ev_now(ev) + TCP_DELAY_NS);
	*out = c;
	return 0;
}

void
connect_free(struct connect **cp)
{
	struct connect *c = *cp;

	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		tp_conn_free(&c->attempts[i].conn);
	for (size_t i = 0; i < NLANES; i++)
		ev_timer_free(&c->lanes[i].next);
	ev_timer_free(&c->deadline);
	ev_timer_free(&c->anew);
	netwatch_free(&c->watch);
	fdpass_free(&c->fdpass);
	quic_trace_free(&c->passed.trace);
	proxycmd_free(&c->command);
	free(c);
	*cp = NULL;
}
