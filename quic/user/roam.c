/* The client's path manager. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "quic/user/conn.h"
#include "quic/user/roam.h"

#define SETTLE      (20 * NS_PER_MS)  /* news of the network come in bursts */
#define DEAD_MIN    (2 * NS_PER_S)    /* silence that counts as a dead path; and this many probe timeouts */
#define DEAD_PTOS   4
#define PTO_MAX     (2 * NS_PER_S)
#define PROBE_MIN   (1 * NS_PER_S)    /* in SEEK: the probe interval at least, ... */
#define PROBE_PART  8                 /* ... and this part of the silence */
#define HOP_MIN     (10 * NS_PER_S)   /* in SEEK: new sockets, so that a translator or filter on the way, ... */
#define HOP_PART    2                 /* ... which has lost or blocked the old ones, is passed anew */
#define BRIEF       (3 * NS_PER_S)    /* a silence that was none, where the link that was left answers after all */
#define STAGGER     (250 * NS_PER_MS) /* from link to link */
#define SEEK_LINKS  4
#define SEEK_MOVES  5                 /* of the seven connection IDs there may be; the last ones ... */
#define ALL_MOVES   16                /* ... are for news of the network, as long as there are any */
#define LINGER      (1 * NS_PER_S)    /* for what is under way to a link that was left */
#define RETRY_MIN   (5 * NS_PER_S)    /* after a path that did not validate */
#define RETRY_MAX   (300 * NS_PER_S)
#define TRIES       5                 /* to validate a path that answers */
#define AGAIN       (1 * NS_PER_S)    /* until there is a connection ID, or the handshake is confirmed */

enum state { STEADY, PROBE, SEEK, CONFIRM };
enum use { FREE, IN_USE, TRIED, LEFT };

struct rlink {
	enum use use;
	struct tp_path real;
	uint64_t close_at; /* LEFT */
};

struct roam {
	struct tp_conn *c;
	struct roam_ops ops;
	enum state state;
	struct rlink link[ROAM_LINKS];
	struct tp_path name;   /* that is sent on; all links IN_USE stand behind it */
	bool proven;           /* it was validated */
	bool validating;       /* ngtcp2 validates: name, or ... */
	struct tp_path next;   /* ... this one, */
	unsigned next_link;    /* which is this link */
	uint16_t seq;          /* of names */

	bool stay;
	struct addr home;      /* stay: no other local address */
	struct addr remotes[ROAM_REMOTES]; /* the one in use first */
	size_t nremotes, turn;

	bool news, resumed;
	uint64_t news_at;      /* judged then */
	uint64_t retry_at, retry_in;
	/* SEEK */
	uint64_t since, probe_at, hop_at;
	bool moved;            /* has a connection ID of its own */
	unsigned primary;      /* the link that is tried now */
	unsigned sweep;        /* links to be tried one soon after the other */
	unsigned moves;
	/* CONFIRM, not validating */
	uint64_t confirm_at;
	unsigned tries;
	/* after it */
	uint64_t fresh;        /* no round trip was measured that began before this */
	uint64_t check_at;     /* whether that is so; 0: it is */
};

static bool
same_way(const struct tp_path *a, const struct tp_path *b)
{
	return addr_equal_host(&a->local, &b->local) && addr_equal(&a->remote, &b->remote);
}

static bool
same_name(const struct tp_path *a, const struct tp_path *b)
{
	return addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote);
}

/* Of probe timeouts: ngtcp2's may be anything after a silence. */
static uint64_t
timeouts(const struct roam *r, unsigned n)
{
	uint64_t pto = qconn_pto(r->c);

	return n * (pto < PTO_MAX ? pto : PTO_MAX);
}

static uint64_t
later(uint64_t now, uint64_t least, uint64_t n)
{
	return now + (n > least ? n : least);
}

/* ---- names and links ---- */

/* ngtcp2 compares addresses, and refuses to move to the local one that it is on. */
static void
new_name(struct roam *r, struct tp_path *name)
{
	*name = r->name;
	addr_parse(&name->local, "0.0.0.0", ++r->seq);
	if (same_name(name, &r->name))
		addr_set_port(&name->local, ++r->seq);
}

static void
close_link(struct roam *r, unsigned i)
{
	if (r->link[i].use != FREE)
		r->ops.close(r->ops.arg, i);
	r->link[i].use = FREE;
}

static void
leave_link(struct roam *r, unsigned i, uint64_t now)
{
	r->link[i].use = LEFT;
	r->link[i].close_at = later(now, LINGER, timeouts(r, 3));
}

/* The first link of this use, or ROAM_LINKS. */
static unsigned
first(const struct roam *r, enum use use)
{
	unsigned i;

	for (i = 0; i < ROAM_LINKS && r->link[i].use != use; i++)
		;
	return i;
}

static unsigned
count(const struct roam *r, enum use use)
{
	unsigned i, n = 0;

	for (i = 0; i < ROAM_LINKS; i++)
		n += r->link[i].use == use;
	return n;
}

/* A new link to this address, not in use yet; ROAM_LINKS: there is no way. */
static unsigned
open_link(struct roam *r, const struct addr *remote)
{
	unsigned i = first(r, FREE);

	if (i == ROAM_LINKS) {
		i = first(r, LEFT);
		if (i == ROAM_LINKS)
			return i;
		close_link(r, i);
	}
	r->link[i].real.remote = *remote;
	if (!r->ops.open(r->ops.arg, i, remote, &r->link[i].real.local))
		return ROAM_LINKS;
	r->link[i].use = TRIED;
	return i;
}

static bool
permitted(const struct roam *r, const struct tp_path *real)
{
	return !r->stay || (addr_equal_host(&real->local, &r->home) &&
	    addr_equal(&real->remote, &r->remotes[0]));
}

static void
prefer_remote(struct roam *r, const struct addr *a)
{
	size_t i;

	for (i = 0; i < r->nremotes && !addr_equal(&r->remotes[i], a); i++)
		;
	if (i == r->nremotes) {
		if (r->nremotes < ROAM_REMOTES)
			r->nremotes++;
		i = r->nremotes - 1;
	}
	memmove(&r->remotes[1], &r->remotes[0], i * sizeof(r->remotes[0]));
	r->remotes[0] = *a;
}

static void
tell(struct roam *r, enum tp_path_event ev, const struct tp_path *path)
{
	qconn_path_event(r->c, ev, path);
}

/* ---- SEEK ---- */

static unsigned
find_way(const struct roam *r, const struct tp_path *real, unsigned but)
{
	unsigned i;

	for (i = 0; i < ROAM_LINKS; i++) {
		if (i != but && r->link[i].use == IN_USE && same_way(&r->link[i].real, real))
			break;
	}
	return i;
}

/* One address of the server's: a link to it, unless there is one already. *other: it is another way. */
static void
add_way(struct roam *r, const struct addr *remote, bool fresh, bool *other)
{
	unsigned i = open_link(r, remote), old;

	if (i == ROAM_LINKS)
		return;
	old = find_way(r, &r->link[i].real, i);
	if (!permitted(r, &r->link[i].real) || (old != ROAM_LINKS && !fresh)) {
		close_link(r, i);
		return;
	}
	r->link[i].use = IN_USE;
	if (old != ROAM_LINKS) {
		if (r->primary == old)
			r->primary = i;
		close_link(r, old);
		return;
	}
	tell(r, TP_PATH_TRY, &r->link[i].real);
	if (!*other)
		r->primary = i; /* tried first */
	*other = true;
}

/* Puts links behind the name, to the server's addresses in turn, and takes away those whose address is
 * gone. fresh: with new sockets. True: there is another way than before. */
static bool
fill(struct roam *r, bool fresh)
{
	bool other = false;
	size_t k, rest;
	unsigned i;

	for (i = 0; i < ROAM_LINKS; i++) {
		if (r->link[i].use == IN_USE && !r->ops.here(r->ops.arg, &r->link[i].real.local))
			close_link(r, i);
	}
	add_way(r, &r->remotes[0], fresh, &other);
	rest = r->nremotes - 1;
	for (k = 0; k < rest && count(r, IN_USE) < SEEK_LINKS; k++)
		add_way(r, &r->remotes[1 + (r->turn + k) % rest], fresh, &other);
	if (fresh && rest > SEEK_LINKS - 1)
		r->turn += SEEK_LINKS - 1; /* there are more than we try at a time */
	return other;
}

/* A connection ID of its own, and congestion window and timers anew, for what is sought or was found. */
static int
move_now(struct roam *r, uint64_t now)
{
	struct tp_path old = r->name;
	int rc;

	new_name(r, &r->name);
	rc = qconn_move(r->c, &r->name, false, now);
	if (rc != 0) {
		r->name = old;
		return rc;
	}
	r->validating = true;
	r->proven = false;
	r->next = r->name;
	r->next_link = ROAM_LINKS;
	return 0;
}

static void
seek_move(struct roam *r, uint64_t now, unsigned most)
{
	if (count(r, IN_USE) == 0 || r->moves >= most || move_now(r, now) != 0)
		return;
	r->moved = true;
	r->moves++;
}

static void
begin_sweep(struct roam *r, uint64_t now)
{
	unsigned n = count(r, IN_USE);

	r->sweep = n > 0 ? n - 1 : 0;
	r->probe_at = now + (r->sweep > 0 ? STAGGER : PROBE_MIN);
}

static void
seek_begin(struct roam *r, uint64_t now)
{
	unsigned i = first(r, IN_USE), tried = first(r, TRIED);
	struct tp_path old = r->link[i].real;
	bool other, gone = !r->ops.here(r->ops.arg, &old.local);

	tell(r, TP_PATH_LOST, &old);
	if (r->state != CONFIRM)
		r->moves = 0;
	r->state = SEEK;
	qconn_mute(r->c, true);
	r->since = now;
	r->moved = false;
	r->hop_at = now + HOP_MIN;
	r->primary = i;
	if (tried != ROAM_LINKS) {
		r->link[tried].use = IN_USE;
		r->primary = tried;
	}
	other = fill(r, false) || tried != ROAM_LINKS;
	begin_sweep(r, now);
	if (gone && r->stay && count(r, IN_USE) == 0)
		tell(r, TP_PATH_KEPT, &old);
	if (other)
		seek_move(r, now, ALL_MOVES);
	if (count(r, IN_USE) > 0)
		(void)qconn_probe(r->c, now);
}

static void
seek_probe(struct roam *r, uint64_t now)
{
	if (r->sweep > 0 && --r->sweep > 0)
		r->probe_at = now + STAGGER;
	else
		r->probe_at = later(now, PROBE_MIN, (now - r->since) / PROBE_PART);
	if (count(r, IN_USE) == 0 && !fill(r, false))
		return;
	if (qconn_probe(r->c, now) == QERR_AGAIN)
		seek_move(r, now, SEEK_MOVES);
}

/* The next link that is there. */
static void
turn(struct roam *r)
{
	unsigned i, k;

	for (i = 1; i <= ROAM_LINKS; i++) {
		k = (r->primary + i) % ROAM_LINKS;
		if (r->link[k].use == IN_USE) {
			r->primary = k;
			return;
		}
	}
}

/* Routes or addresses changed, or it is time for new sockets: all that there is now is tried at once. */
static void
seek_news(struct roam *r, bool fresh, uint64_t now)
{
	bool other = fill(r, fresh);

	if (!r->moved && (other || fresh))
		seek_move(r, now, ALL_MOVES);
	if (count(r, IN_USE) > 0 && qconn_probe(r->c, now) == QERR_AGAIN)
		seek_move(r, now, fresh ? SEEK_MOVES : ALL_MOVES);
	begin_sweep(r, now);
}

static void
seek_run(struct roam *r, uint64_t now)
{
	if (r->news && now >= r->news_at) {
		r->news = r->resumed = false;
		seek_news(r, false, now);
	} else if (now >= r->hop_at) {
		r->hop_at = later(now, HOP_MIN, (now - r->since) / HOP_PART);
		seek_news(r, true, now);
	} else if (now >= r->probe_at) {
		turn(r);
		seek_probe(r, now);
	}
}

/* An answer. */
static void
seek_found(struct roam *r, unsigned link, uint64_t now)
{
	unsigned i;

	for (i = 0; i < ROAM_LINKS; i++) {
		if (i != link && (r->link[i].use == IN_USE || r->link[i].use == TRIED))
			leave_link(r, i, now);
	}
	r->link[link].use = IN_USE;
	prefer_remote(r, &r->link[link].real.remote);
	r->state = r->proven && now - r->since < BRIEF ? STEADY : CONFIRM;
	r->validating = false;
	qconn_mute(r->c, false);
	r->confirm_at = now;
	r->tries = 0;
	r->fresh = r->since;
	r->check_at = r->state == STEADY ? now : 0;
	tell(r, TP_PATH_BACK, &r->link[link].real);
}

/* ---- STEADY, PROBE ---- */

/* The route goes from another address than we do: see whether that path works before we take it. */
static void
probe_begin(struct roam *r, unsigned link, uint64_t now)
{
	int rc;

	if (!permitted(r, &r->link[link].real)) {
		tell(r, TP_PATH_KEPT, &r->link[link].real);
		close_link(r, link);
		return;
	}
	new_name(r, &r->next);
	r->next_link = link;
	rc = qconn_move(r->c, &r->next, true, now);
	if (rc == 0) {
		r->validating = true;
		r->state = PROBE;
		tell(r, TP_PATH_PROBE, &r->link[link].real);
		return;
	}
	close_link(r, link);
	if (rc == QERR_AGAIN)
		r->retry_at = now + AGAIN;
}

static bool
silent(const struct roam *r, uint64_t now)
{
	uint64_t asked = qconn_asked(r->c);

	return asked != 0 && now - asked > timeouts(r, 2);
}

static void
judge_news(struct roam *r, uint64_t now)
{
	unsigned cur = first(r, IN_USE), tried = first(r, TRIED), link;
	bool resumed = r->resumed;

	r->news = r->resumed = false;
	if (tried != ROAM_LINKS && !r->ops.here(r->ops.arg, &r->link[tried].real.local)) {
		close_link(r, tried);
		r->state = STEADY; /* ngtcp2 will say that it was not validated */
	}
	if (!r->ops.here(r->ops.arg, &r->link[cur].real.local)) {
		seek_begin(r, now);
		return;
	}
	if (r->validating) {
		r->retry_at = now + AGAIN;
		return;
	}
	link = open_link(r, &r->link[cur].real.remote);
	if (link == ROAM_LINKS) {
		seek_begin(r, now); /* there is no route any more */
	} else if (same_way(&r->link[link].real, &r->link[cur].real)) {
		close_link(r, link);
		qconn_network_event(r->c);
		if (resumed)
			(void)qconn_probe(r->c, now);
	} else if ((resumed || silent(r, now)) && permitted(r, &r->link[link].real)) {
		seek_begin(r, now);
	} else {
		probe_begin(r, link, now);
	}
}

/* ---- CONFIRM ---- */

/* The link has answered. Another move, for its own sake: what was measured while probes went ahead of their
 * time means nothing, and ngtcp2 may have given the validation up. The connection ID will be replaced. Answers
 * to older probes may come after it still, and be measured as the whole time that was skipped: then once more. */
static void
confirm(struct roam *r, uint64_t now)
{
	int rc;

	if (r->tries++ >= TRIES) { /* it works nevertheless */
		r->state = STEADY;
		return;
	}
	rc = move_now(r, now);
	r->fresh = now;
	if (rc == QERR_AGAIN)
		r->confirm_at = now + AGAIN;
	else if (rc != 0)
		r->state = STEADY;
}

static void
confirmed(struct roam *r, uint64_t now)
{
	if (qconn_rtt_false(r->c, now - r->fresh)) {
		r->confirm_at = now;
		return;
	}
	r->state = STEADY;
	r->moves = 0;
	r->check_at = later(now, LINGER, timeouts(r, 3));
}

static void
check(struct roam *r, uint64_t now)
{
	r->check_at = 0;
	if (qconn_rtt_false(r->c, now - r->fresh)) {
		r->state = CONFIRM;
		r->confirm_at = now;
	}
}

/* ---- from outside ---- */

void
roam_changed(struct roam *r, bool resumed, uint64_t now)
{
	if (!r->news)
		r->news_at = now + SETTLE;
	r->news = true;
	r->resumed |= resumed;
}

void
roam_heard(struct roam *r, unsigned link, uint64_t now)
{
	if (r->state == SEEK && r->link[link].use != FREE)
		seek_found(r, link, now);
}

static void
probe_over(struct roam *r, bool validated, uint64_t now)
{
	unsigned old = first(r, IN_USE), link = r->next_link;

	r->state = STEADY;
	if (validated) {
		leave_link(r, old, now);
		r->link[link].use = IN_USE;
		r->retry_in = r->retry_at = 0;
		return;
	}
	tell(r, TP_PATH_STAY, &r->link[link].real);
	close_link(r, link);
	r->retry_in = r->retry_in == 0 ? RETRY_MIN : r->retry_in * 2;
	if (r->retry_in > RETRY_MAX)
		r->retry_in = RETRY_MAX;
	r->retry_at = now + r->retry_in;
}

void
roam_result(struct roam *r, bool validated, uint64_t now)
{
	if (!r->validating)
		return;
	r->validating = false;
	r->confirm_at = now + AGAIN;
	if (r->state == PROBE)
		probe_over(r, validated, now);
	if (!validated)
		return;
	qconn_name(r->c, &r->name);
	r->proven = true;
	if (r->state == CONFIRM)
		confirmed(r, now);
}

static uint64_t
dead_at(const struct roam *r)
{
	uint64_t asked = qconn_asked(r->c);

	if (asked == 0 || r->state == SEEK || !qconn_is_confirmed(r->c))
		return UINT64_MAX;
	return later(asked, DEAD_MIN, timeouts(r, DEAD_PTOS));
}

static void
close_left(struct roam *r, uint64_t now)
{
	unsigned i;

	for (i = 0; i < ROAM_LINKS; i++) {
		if (r->link[i].use == LEFT && now >= r->link[i].close_at)
			close_link(r, i);
	}
}

/* Not to be asked for more just now: until that is done, only the loss of the link counts. */
static void
news_meanwhile(struct roam *r, uint64_t now)
{
	if (r->ops.here(r->ops.arg, &r->link[first(r, IN_USE)].real.local))
		r->news_at = now + AGAIN;
	else
		seek_begin(r, now);
}

static void
run(struct roam *r, uint64_t now)
{
	bool news = r->news && now >= r->news_at;

	close_left(r, now);
	if (!qconn_is_confirmed(r->c)) { /* RFC 9000 section 9: no moves before that */
		if (news)
			r->news_at = now + AGAIN;
		return;
	}
	if (r->retry_at != 0 && now >= r->retry_at) {
		r->retry_at = 0;
		r->news = true;
		r->news_at = now;
	}
	if (now >= dead_at(r))
		seek_begin(r, now);
	else if (r->state == SEEK)
		seek_run(r, now);
	else if (r->state == CONFIRM && !r->validating && now >= r->confirm_at)
		confirm(r, now);
	else if (r->state == STEADY && r->check_at != 0 && now >= r->check_at)
		check(r, now);
	else if (r->state == CONFIRM && news)
		news_meanwhile(r, now);
	else if (news)
		judge_news(r, now);
}

int
roam_run(struct roam *r, uint64_t now)
{
	struct tp_conn *c = r->c;

	qconn_enter(c, now); /* the layer above may free it, and with it r */
	if (!qconn_is_over(c))
		run(r, now);
	return qconn_leave(c);
}

static void
earlier(uint64_t *t, uint64_t u)
{
	if (u < *t)
		*t = u;
}

uint64_t
roam_due(const struct roam *r)
{
	uint64_t t = dead_at(r);
	unsigned i;

	if (qconn_is_over(r->c))
		return UINT64_MAX;
	for (i = 0; i < ROAM_LINKS; i++) {
		if (r->link[i].use == LEFT)
			earlier(&t, r->link[i].close_at);
	}
	if (r->news)
		earlier(&t, r->news_at);
	if (r->retry_at != 0)
		earlier(&t, r->retry_at);
	if (r->state == SEEK) {
		earlier(&t, r->probe_at);
		earlier(&t, r->hop_at);
	}
	if (r->state == CONFIRM && !r->validating)
		earlier(&t, r->confirm_at);
	if (r->state == STEADY && r->check_at != 0)
		earlier(&t, r->check_at);
	return t;
}

bool
roam_link(const struct roam *r, const struct tp_path *name, unsigned *link)
{
	unsigned i;

	if (r->validating && r->next_link < ROAM_LINKS && same_name(name, &r->next)) {
		*link = r->next_link;
		return r->link[r->next_link].use != FREE;
	}
	i = r->state == SEEK && r->link[r->primary].use == IN_USE ? r->primary : first(r, IN_USE);
	*link = i;
	return i < ROAM_LINKS;
}

void
roam_name(const struct roam *r, unsigned link, struct tp_path *name)
{
	*name = r->link[link].use == TRIED && r->state == PROBE ? r->next : r->name;
}

void
roam_real(const struct roam *r, const struct tp_path *name, struct tp_path *real)
{
	unsigned link;

	if (roam_link(r, name, &link))
		*real = r->link[link].real;
	else
		*real = *name;
}

uint64_t
roam_seeking(const struct roam *r, uint64_t now)
{
	return r->state == SEEK ? now - r->since : 0;
}

void
roam_set_remotes(struct roam *r, const struct addr *v, size_t n)
{
	struct addr cur = r->remotes[0];

	r->nremotes = n < ROAM_REMOTES ? n : ROAM_REMOTES;
	memcpy(r->remotes, v, r->nremotes * sizeof(*v));
	if (r->nremotes == 0)
		r->nremotes = 1;
	r->turn = 0;
	prefer_remote(r, &cur);
}

int
roam_new(struct roam **out, struct tp_conn *c, const struct tp_path *path, bool stay,
    const struct roam_ops *ops)
{
	struct roam *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return QERR_NOMEM;
	r->c = c;
	r->ops = *ops;
	r->stay = stay;
	r->home = path->local;
	r->name = path->local.len != 0 ? *path : (struct tp_path){.remote = path->remote};
	r->proven = true;
	r->link[0].use = IN_USE;
	r->link[0].real = *path;
	r->remotes[0] = path->remote;
	r->nremotes = 1;
	r->next_link = ROAM_LINKS;
	*out = r;
	return 0;
}

void
roam_free(struct roam **rp)
{
	free(*rp);
	*rp = NULL;
}
