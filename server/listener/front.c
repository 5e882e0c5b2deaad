#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/listener/cid.h"
#include "server/listener/front.h"
#include "server/listener/limits.h"
#include "server/listener/reply.h"

#define INITIAL_MIN 1200 /* RFC 9000 section 14.1 */
#define SHORT_BIT   0x80 /* clear in packets with a short header */
#define TRUST_RATE  50 /* handshakes a second without a Retry, */
#define TRUST_BURST 100 /* and so many at once */

struct front {
	const struct front_ops *ops;
	void *arg;
	struct cid_keys *cids;
	struct slots *slots;
	struct smsg_limits limits;
	uint8_t token_key[REPLY_TOKEN_KEY];
	uint32_t next_id;	    /* slot given last */
	uint64_t orphans_until;	    /* connections of a former listener may still come to be adopted */
	uint32_t unvalidated;	    /* slots without a validated address */
	uint32_t starting;	    /* validated, user not known yet: what MaxStartups counts */
	uint32_t connected;	    /* slots with a connected socket */
	struct budget resets, versions, closes, lines, trust;
};

/* A datagram on its way through. */
struct input {
	const struct smsg_dgram *d;
	const struct slot *from; /* who passed it back; NULL: a socket of ours */
	uint64_t now;
};

int
front_new(struct front **out, const struct smsg_linit *init, uint64_t now,
    const struct front_ops *ops, void *arg)
{
	struct front *f = calloc(1, sizeof(*f));
	int err;

	if (f == NULL)
		return QERR_NOMEM;
	f->ops = ops;
	f->arg = arg;
	f->limits = init->limits;
	memcpy(f->token_key, init->token_key, sizeof(f->token_key));
	/* Numbers differ from those of a former listener, whose connections may live on. */
	f->next_id = randombytes_random();
	f->orphans_until = now + init->orphan_ns;
	budget_init(&f->resets, 100, 100, now);
	budget_init(&f->versions, 100, 100, now);
	budget_init(&f->closes, 1000, 100, now);
	budget_init(&f->lines, 1, 10, now);
	budget_init(&f->trust, TRUST_RATE, TRUST_BURST, now);
	if ((err = cid_keys_new(&f->cids, init)) != 0 || (err = slots_new(&f->slots)) != 0) {
		front_free(&f);
		return err;
	}
	*out = f;
	return 0;
}

void
front_free(struct front **fp)
{
	struct front *f = *fp;

	if (f == NULL)
		return;
	if (f->slots != NULL)
		for (struct slot *s = slots_oldest(f->slots); s != NULL; s = s->newer)
			f->ops->release(f->arg, s);
	slots_free(&f->slots);
	cid_keys_free(&f->cids);
	sodium_memzero(f, sizeof(*f));
	free(f);
	*fp = NULL;
}

void
front_set_limits(struct front *f, const struct smsg_limits *l)
{
	f->limits = *l;
}

void
front_set_reset_key(struct front *f, const uint8_t key[32])
{
	cid_keys_set_reset(f->cids, key);
}

/* Answers go back the way the datagram came. */
static void
answer(struct front *f, const struct input *in, const uint8_t *p, ssize_t n)
{
	if (n > 0)
		f->ops->send(f->arg, &in->d->path, 0, p, (size_t)n);
}

static void
deliver(struct front *f, struct slot *s, const struct input *in)
{
	if (s == in->from || s->expired)
		return; /* what its owner does not know is nobody's */
	slot_note_remote(s, &in->d->path.remote);
	f->ops->deliver(f->arg, s, in->d);
}

/* ---- slots ---- */

static void
forget(struct front *f, struct slot *s)
{
	if (!s->validated)
		f->unvalidated--;
	else if (!s->authed)
		f->starting--;
	if (!s->steered)
		f->connected--;
	slots_remove(f->slots, &s);
}

/* 0 is in the connection IDs of Retry, which are nobody's; others may be adopted connections'. */
static void
pick_id(struct front *f)
{
	do
		f->next_id++;
	while (f->next_id == 0 || slots_find(f->slots, f->next_id) != NULL);
}

static struct slot *
make_slot(struct front *f, const struct input *in, const struct quic_cid *dcid, bool validated)
{
	struct slot *s;

	pick_id(f);
	/* A path that another connection's socket takes already can only be steered. */
	bool steered = in->from != NULL || f->connected >= FRONT_CONNECTED ||
		       slots_has_path(f->slots, &in->d->path);

	s = slots_add(f->slots, f->next_id, &in->d->path, dcid);
	if (s == NULL)
		return NULL;
	s->steered = steered;
	s->validated = validated;
	s->expires = in->now + f->limits.unvalidated_ns;
	if (!validated)
		f->unvalidated++;
	else
		f->starting++;
	if (!s->steered)
		f->connected++;
	return s;
}

int
front_cids(struct front *f, const struct slot *s, uint32_t count, struct smsg_cids *out)
{
	int err = 0;

	*out = (struct smsg_cids){0};
	if (count == 0 || count > SMSG_CIDS_MAX)
		count = SMSG_CIDS_MAX;
	out->v = calloc(count, sizeof(*out->v));
	if (out->v == NULL)
		return QERR_NOMEM;
	out->n = count;
	for (size_t i = 0; i < out->n && err == 0; i++)
		err = cid_mint(f->cids, s->id, &out->v[i]);
	if (err != 0)
		smsg_free_cids(out);
	return err;
}

ssize_t
front_token(const struct front *f, const struct slot *s, uint64_t now, uint8_t *dst)
{
	return reply_new_token(dst, &s->path.remote, f->token_key, now);
}

void
front_validated(struct front *f, struct slot *s)
{
	if (s->validated || s->expired)
		return;
	s->validated = true;
	f->unvalidated--;
	if (!s->authed)
		f->starting++;
}

void
front_authed(struct front *f, uint32_t id)
{
	struct slot *s = slots_find(f->slots, id);

	if (s == NULL || s->authed)
		return;
	front_validated(f, s);
	if (s->validated)
		f->starting--;
	s->authed = true;
}

void
front_gone(struct front *f, uint32_t id)
{
	struct slot *s = slots_find(f->slots, id);

	if (s == NULL)
		return;
	f->ops->release(f->arg, s);
	forget(f, s);
}

static struct slot *
new_adopted(struct front *f, const struct smsg_adopt *m, uint64_t now)
{
	const struct quic_cid none = {0};
	struct slot *s = slots_add(f->slots, m->slot, &m->path, &none);

	if (s == NULL)
		return NULL;
	s->adopted = s->validated = true;
	s->authed = m->authed != 0;
	s->steered = m->steered != 0;
	s->expires = now;
	if (!s->authed)
		f->starting++;
	if (!s->steered)
		f->connected++;
	return s;
}

int
front_adopt(struct front *f, const struct smsg_adopt *m, uint64_t now, struct slot **out)
{
	struct slot *s = slots_find(f->slots, m->slot);

	if (m->slot == 0)
		return QERR_INVAL;
	if (s != NULL && !s->hung_up)
		return QERR_EXISTS;
	if (s == NULL && (s = new_adopted(f, m, now)) == NULL)
		return QERR_NOMEM;
	if (m->authed)
		front_authed(f, m->slot);
	slot_note_remote(s, &m->path.remote);
	s->hung_up = false;
	*out = s;
	return 0;
}

void
front_hung_up(struct front *f, struct slot *s)
{
	s->hung_up = true;
	if (s->adopted && s->authed)
		front_gone(f, s->id);
}

uint64_t
front_tick(struct front *f, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	if (f->unvalidated == 0)
		return next;
	for (struct slot *s = slots_oldest(f->slots); s != NULL; s = s->newer) {
		if (s->validated || s->expired)
			continue;
		if (s->expires <= now) {
			s->expired = true;
			f->ops->expire(f->arg, s);
		} else if (s->expires < next) {
			next = s->expires;
		}
	}
	return next;
}

void
front_stats(const struct front *f, struct front_stats *st)
{
	st->slots = (uint32_t)slots_count(f->slots);
	st->unvalidated = f->unvalidated;
	st->starting = f->starting;
	st->connected = f->connected;
}

/* ---- new connections ---- */

static void
set_cid(struct quic_cid *dst, const ngtcp2_cid *src)
{
	memset(dst, 0, sizeof(*dst));
	dst->len = (uint8_t)src->datalen;
	memcpy(dst->id, src->data, src->datalen);
}

/* odcid: the client's first choice, where a Retry has come between; else NULL. validated: by either kind of
 * token. */
static void
admit(struct front *f, const struct input *in, const ngtcp2_pkt_hd *hd,
    const struct quic_cid *odcid, bool validated)
{
	struct smsg_admit m = {
	    .path = in->d->path, .version = hd->version, .validated = validated};
	struct quic_cid dcid;
	struct slot *s;
	int err = QERR_NOMEM;

	set_cid(&dcid, &hd->dcid);
	set_cid(&m.client_scid, &hd->scid);
	m.odcid = odcid != NULL ? *odcid : dcid;
	if (odcid != NULL)
		m.retry_scid = dcid;
	s = make_slot(f, in, &dcid, m.validated);
	if (s != NULL) {
		m.slot = s->id;
		m.steered = s->steered;
		if ((err = front_cids(f, s, FRONT_CIDS, &m.cids)) == 0)
			err = f->ops->admit(f->arg, s, &m);
		smsg_free_cids(&m.cids);
	}
	if (err == 0) {
		deliver(f, s, in);
		return;
	}
	if (s != NULL)
		forget(f, s);
	if (budget_take(&f->lines, in->now))
		log_error("cannot admit a connection: %s", qerr_str(err));
}

static void
close_initial(struct front *f, const struct input *in, const ngtcp2_pkt_hd *hd, uint64_t code,
    const char *reason)
{
	uint8_t out[REPLY_MAX];

	if (budget_take(&f->closes, in->now))
		answer(f, in, out, reply_close(out, hd, code, reason));
}

static void
retry(struct front *f, const struct input *in, const ngtcp2_pkt_hd *hd)
{
	uint8_t out[REPLY_MAX];
	struct quic_cid scid;

	if (cid_mint(f->cids, 0, &scid) == 0)
		answer(f, in, out,
		    reply_retry(out, hd, &in->d->path.remote, &scid, f->token_key, in->now));
}

/* MaxStartups. The address is the client's own: it may be told, and logged. */
static bool
overfull(struct front *f, const struct tp_path *path, uint64_t now)
{
	const struct smsg_limits *l = &f->limits;

	if (!startups_refuse(l, f->starting, randombytes_uniform(100)))
		return false;
	if (budget_take(&f->lines, now))
		log_info("refused connection from %s on %s: %u not authenticated yet "
			 "(MaxStartups %u:%u:%u)",
		    addr_show(&path->remote), addr_show(&path->local), f->starting,
		    l->startups_begin, l->startups_rate, l->startups_full);
	return true;
}

static bool
refuse(struct front *f, const struct input *in, const ngtcp2_pkt_hd *hd)
{
	if (!overfull(f, &in->d->path, in->now))
		return false;
	close_initial(f, in, hd, NGTCP2_CONNECTION_REFUSED, "too many connections, try again");
	return true;
}

struct slot *
front_tcp(struct front *f, const struct tp_path *path, uint64_t now)
{
	struct quic_cid none = {0};
	struct slot *s;

	if (overfull(f, path, now))
		return NULL;
	pick_id(f);
	s = slots_add(f->slots, f->next_id, path, &none);
	if (s == NULL) {
		log_error("cannot admit a connection: %s", qerr_str(QERR_NOMEM));
		return NULL;
	}
	s->steered = s->validated = true;
	f->starting++;
	return s;
}

/* May a process be started for an address that anybody can have forged? Not while real ones are
 * near their limit, nor faster than people come; and not because another connection says that it came
 * from there. */
static bool
may_trust(struct front *f, const struct input *in)
{
	return in->from == NULL && f->unvalidated < f->limits.unvalidated_max &&
	       f->starting < f->limits.startups_begin && budget_take(&f->trust, in->now);
}

static void
input_initial(struct front *f, const struct input *in)
{
	struct quic_cid odcid;
	ngtcp2_pkt_hd hd;
	struct slot *s;

	if (in->d->data.n < INITIAL_MIN ||
	    ngtcp2_accept(&hd, in->d->data.p, in->d->data.n) != 0 ||
	    hd.type != NGTCP2_PKT_INITIAL)
		return;
	s = slots_find_flow(f->slots, &in->d->path, hd.dcid.data, hd.dcid.datalen);
	if (s != NULL) {
		deliver(f, s, in);
		return;
	}
	switch (reply_token_check(&hd, &in->d->path.remote, f->token_key, in->now, &odcid)) {
	case TOKEN_INVALID:
		close_initial(f, in, &hd, NGTCP2_INVALID_TOKEN, "token is not valid");
		break;
	case TOKEN_NONE:
		if (may_trust(f, in))
			admit(f, in, &hd, NULL, false);
		else
			retry(f, in, &hd);
		break;
	case TOKEN_VALID:
		if (!refuse(f, in, &hd))
			admit(f, in, &hd, &odcid, true);
		break;
	case TOKEN_KNOWN:
		if (!refuse(f, in, &hd))
			admit(f, in, &hd, NULL, true);
		break;
	}
}

/* ---- the way of a datagram ---- */

static void
input_version(struct front *f, const struct input *in, const ngtcp2_version_cid *vc)
{
	uint8_t out[2 * UINT8_MAX + REPLY_MAX];

	if (in->d->data.n >= INITIAL_MIN && budget_take(&f->versions, in->now))
		answer(f, in, out, reply_versions(out, sizeof(out), vc));
}

/* A packet of a connection that nobody here has. Connections of a former listener live on in their
 * own processes, and their monitors are on their way here: until they have had the time for it, no
 * reset ends one. */
static void
input_orphan(struct front *f, const struct input *in, const ngtcp2_version_cid *vc, bool ours)
{
	uint8_t out[REPLY_MAX], token[QUIC_TOKEN_LEN];

	if (vc->dcid[0] != CID_FIRST || in->d->data.n <= REPLY_RESET_MIN)
		return;
	if (ours && in->now < f->orphans_until)
		return;
	if (!budget_take(&f->resets, in->now))
		return;
	cid_reset_token(f->cids, vc->dcid, vc->dcidlen, token);
	answer(f, in, out, reply_reset(out, in->d->data.n, token));
	/* Which key its token is of does not show. Both together are less than twice what came, and only the
	 * right one ends anything. */
	if (cid_former_reset_token(f->cids, vc->dcid, vc->dcidlen, token))
		answer(f, in, out, reply_reset(out, in->d->data.n, token));
}

static void
input(struct front *f, const struct input *in)
{
	const struct bytes *p = &in->d->data;
	ngtcp2_version_cid vc;
	struct slot *s = NULL;
	uint32_t id = 0;
	bool ours;
	int err;

	if (p->n == 0)
		return;
	err = ngtcp2_pkt_decode_version_cid(&vc, p->p, p->n, QUIC_CID_LEN);
	if (err != 0 && err != NGTCP2_ERR_VERSION_NEGOTIATION)
		return;
	ours = cid_slot(f->cids, vc.dcid, vc.dcidlen, &id) == 0;
	if (ours)
		s = slots_find(f->slots, id);
	if (s != NULL && err == 0)
		deliver(f, s, in);
	else if ((p->p[0] & SHORT_BIT) == 0)
		input_orphan(f, in, &vc, ours);
	else if (vc.version == 0)
		return; /* Version Negotiation is for clients; answering could go on for ever */
	else if (err != 0 || vc.version != NGTCP2_PROTO_VER_V1)
		input_version(f, in, &vc);
	else
		input_initial(f, in);
}

void
front_input(struct front *f, const struct smsg_dgram *d, uint64_t now)
{
	const struct input in = {.d = d, .now = now};

	input(f, &in);
}

void
front_foreign(struct front *f, struct slot *from, const struct smsg_dgram *d, uint64_t now)
{
	const struct input in = {.d = d, .from = from, .now = now};

	input(f, &in);
}
