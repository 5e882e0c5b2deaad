#include "client/contact.h"

#include <stdlib.h>
#include <string.h>

#include "client/connect.h"
#include "client/netwatch.h"
#include "client/resolve.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "quic/quic.h"

#define LOOK_UP_AFTER (2 * NS_PER_S)   /* behind the 3 s after which we are told of silence */
#define LOOK_UP_NEWS  (1 * NS_PER_S)   /* after news of the network, while silent */
#define LOOK_UP_MAX   (300 * NS_PER_S) /* between two look-ups; they begin with LOOK_UP_AFTER, doubling */

struct contact {
	struct ev *ev;
	const struct cconf *conf;
	struct tp_conn *conn;
	uint16_t port;
	bool looks;              /* for other addresses of the server's, when it is silent */
	bool silent, screen;
	bool lost;               /* the path does not answer */
	bool told;               /* that it waits for it */
	struct addr from;        /* where that path began */
	struct netwatch *watch;
	struct resolve *resolve;
	struct ev_timer *timer;  /* the next look-up */
	uint64_t wait;
};

/* ---- the server's addresses ---- */

static void
on_resolved(void *arg, const struct addr *found, size_t n)
{
	struct contact *c = arg;
	struct addr v[RESOLVE_MAX];
	char at[ADDR_STRLEN];

	if (n == 0)
		log_debug("%s: no address was found for it now", c->conf->hostname);
	for (size_t i = 0; i < n; i++) {
		v[i] = found[i];
		addr_set_port(&v[i], c->port);
		log_debug("%s is now at %s", c->conf->hostname, addr_host(&v[i], at));
	}
	resolve_free(&c->resolve); /* and found with it */
	if (n == 0)
		return;
	quic_client_set_remotes(c->conn, v, n);
}

static void
look_up(void *arg)
{
	struct contact *c = arg;

	ev_timer_at(c->timer, ev_now(c->ev) + c->wait);
	c->wait = c->wait * 2 < LOOK_UP_MAX ? c->wait * 2 : LOOK_UP_MAX;
	if (c->resolve)
		return;
	log_debug("Looking %s up again", c->conf->hostname);
	if (resolve_new(&c->resolve, c->ev, c->conf->hostname, connect_family(c->conf), on_resolved,
		c) < 0)
		log_debug("cannot look %s up", c->conf->hostname);
}

void
contact_silent(struct contact *c, bool silent)
{
	c->silent = silent;
	log_debug(silent ? "Nothing heard from %s for 3 s" : "%s is heard again",
	    c->conf->hostname);
	ev_timer_stop(c->timer);
	c->wait = LOOK_UP_AFTER;
	if (!silent)
		resolve_free(&c->resolve);
	else if (c->looks)
		ev_timer_at(c->timer, ev_now(c->ev) + c->wait);
}

static void
on_news(void *arg, bool resumed)
{
	struct contact *c = arg;

	quic_client_network_event(c->conn, resumed);
	if (c->silent && c->looks) {
		c->wait = LOOK_UP_AFTER;
		ev_timer_at(c->timer, ev_now(c->ev) + LOOK_UP_NEWS);
	}
}

/* ---- in words ---- */

/* What keeps the session from leaving a path; NULL: nothing. */
static const char *
keeper(const struct cconf *conf)
{
	return !conf->migrate       ? "Migrate no" :
	    conf->bind_address      ? "BindAddress (-b)" :
	    conf->bind_interface    ? "BindInterface (-B)" :
				      NULL;
}

static void
follow(struct contact *c, enum tp_path_event ev, const struct tp_path *path)
{
	char at[ADDR_STRLEN];

	if (ev == TP_PATH_LOST) {
		c->lost = true;
		c->from = path->local;
	} else if (ev == TP_PATH_BACK) {
		c->lost = c->told = false;
	} else if (ev == TP_PATH_KEPT && c->lost && !c->screen && !c->told) {
		c->told = true;
		log_info("qsh: %s is gone, and Migrate no keeps the session to %s from going on over another "
			 "network: it waits for the address",
		    addr_host(&c->from, at), c->conf->hostname);
	}
}

void
contact_end(struct contact *c)
{
	const char *why = c != NULL && c->lost ? keeper(c->conf) : NULL;
	char at[ADDR_STRLEN];

	if (why != NULL)
		log_info("qsh: the path from %s does not answer, and %s kept the session from taking another",
		    addr_host(&c->from, at), why);
}

void
contact_path_event(struct contact *c, enum tp_path_event ev, const struct tp_path *path)
{
	static const char *const texts[] = {
		[TP_PATH_PROBE] = "Trying another path, from %s to %s, beside the one in use",
		[TP_PATH_STAY] = "No answer on the path from %s to %s: staying on the old one",
		[TP_PATH_LOST] = "The path from %s to %s is gone or does not answer",
		[TP_PATH_TRY] = "Trying the path from %s to %s",
		[TP_PATH_BACK] = "An answer came on the path from %s to %s",
		[TP_PATH_KEPT] = "Not leaving the path for the one from %s to %s: Migrate is no",
	};

	follow(c, ev, path);
	if ((size_t)ev < sizeof(texts) / sizeof(texts[0]))
		log_debug(texts[ev], addr_show(&path->local), addr_show(&path->remote));
}

void
contact_moved(struct contact *c, const struct tp_path *from, const struct tp_path *to)
{
	(void)c;
	log_debug("The connection moved from %s to %s, server %s", addr_show(&from->local),
	    addr_show(&to->local), addr_show(&to->remote));
}

/* ---- life ---- */

int
contact_new(struct contact **out, struct ev *ev, const struct cconf *conf, struct tp_conn *conn,
    const struct addr *remote, bool screen)
{
	struct contact *c = calloc(1, sizeof(*c));
	struct addr a;
	int rc;

	*out = c;
	if (!c)
		return QERR_NOMEM;
	*c = (struct contact){.ev = ev, .conf = conf, .conn = conn, .port = addr_port(remote), .screen = screen};
	/* Only where there is a name to look up, and the connection can go elsewhere. */
	c->looks = conf->migrate && addr_parse(&a, conf->hostname, 0) != 0 && quic_client_moves(conn);
	rc = ev_timer_new(&c->timer, ev, look_up, c);
	if (rc < 0) {
		contact_free(out);
		return rc;
	}
	rc = netwatch_new(&c->watch, ev, on_news, c);
	if (rc < 0)
		log_debug("changes of the network are not noticed: %s", qerr_str(rc));
	return 0;
}

void
contact_free(struct contact **cp)
{
	struct contact *c = *cp;

	if (!c)
		return;
	netwatch_free(&c->watch);
	resolve_free(&c->resolve);
	ev_timer_free(&c->timer);
	free(c);
	*cp = NULL;
}
