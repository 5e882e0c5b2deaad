/* The listener's way of a datagram: steps of an operation, a length and that many bytes. Some steps put
 * a connection ID or a token that the listener made into the datagram, which no input could guess. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "server/listener/front.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum {
	OP_FOREIGN = 1,   /* a connection passes it back */
	OP_CID_SHORT = 2, /* a connection ID of ours where a short header has it */
	OP_CID_LONG = 4,  /* and where a long one does */
	OP_EVENT = 8,     /* no datagram: what happens to a slot */
	OP_RETRY = 16,    /* the last Retry's ID and token, in front of the bytes */
	OP_PAD = 32,      /* to 1,200 bytes */
};

struct world {
	struct front *front;
	struct slot *slots[16];
	struct quic_cid cid;
	uint8_t retry[256];
	size_t retrylen;
	uint64_t now;
};

static void
on_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	(void)path;
	(void)ecn;
	if (n == 0 || n > 1200)
		abort();
	if ((p[0] & 0xf0) == 0xf0 && n <= sizeof(w->retry)) {
		memcpy(w->retry, p, n);
		w->retrylen = n;
	}
}

static int
on_admit(void *arg, struct slot *s, const struct smsg_admit *m)
{
	struct world *w = arg;

	w->cid = m->cids.v[m->cids.n - 1];
	for (size_t i = 0; i < 16; i++)
		if (w->slots[i] == NULL) {
			w->slots[i] = s;
			return 0;
		}
	return -1;
}

static void
on_deliver(void *arg, struct slot *s, const struct smsg_dgram *d)
{
	(void)arg;
	if (s->expired || d->data.n == 0)
		abort();
}

static void
on_expire(void *arg, struct slot *s)
{
	(void)arg;
	if (s->validated)
		abort();
}

static void
on_release(void *arg, struct slot *s)
{
	struct world *w = arg;

	for (size_t i = 0; i < 16; i++)
		if (w->slots[i] == s)
			w->slots[i] = NULL;
}

/* Of a former listener; or its channel ends. */
static void
adoption(struct world *w, uint8_t what)
{
	struct slot **s = &w->slots[what & 15];
	struct smsg_adopt m = {.slot = what & 7, .authed = 1, .steered = what & 8};

	if (what & 0x80 && *s != NULL) {
		front_hung_up(w->front, *s);
		return;
	}
	(void)addr_parse(&m.path.local, "192.0.2.1", 22);
	(void)addr_parse(&m.path.remote, "198.51.100.9", (uint16_t)(1000 + what));
	if (*s == NULL && front_adopt(w->front, &m, w->now, s) != 0)
		*s = NULL;
}

static void
event(struct world *w, uint8_t what)
{
	struct slot *s = w->slots[what & 15];

	if (what & 0x40) {
		adoption(w, what);
		return;
	}
	switch (what >> 4 & 3) {
	case 0:
		if (s != NULL)
			front_validated(w->front, s);
		break;
	case 1:
		front_authed(w->front, s != NULL ? s->id : what);
		break;
	case 2:
		front_gone(w->front, s != NULL ? s->id : what);
		break;
	default:
		w->now += NS_PER_S;
		(void)front_tick(w->front, w->now);
		break;
	}
}

/* Version, IDs, token of an Initial that answers the Retry. */
static size_t
answer_retry(const struct world *w, uint8_t *d, size_t max)
{
	const uint8_t *p = w->retry;
	size_t to = p[5], from = 6 + to, id = p[from], token = from + 1 + id, n = 0;
	size_t tokenlen = w->retrylen - token - 16;

	if (w->retrylen < token + 16 || id + tokenlen + 64 > max)
		return 0;
	d[n++] = 0xc0;
	memcpy(d + n, p + 1, 4);
	n += 4;
	memcpy(d + n, p + from, 1 + id);
	n += 1 + id;
	memcpy(d + n, p + 5, 1 + to);
	n += 1 + to;
	d[n++] = (uint8_t)(0x40 | tokenlen >> 8);
	d[n++] = (uint8_t)tokenlen;
	memcpy(d + n, p + token, tokenlen);
	return n + tokenlen;
}

static void
datagram(struct world *w, uint8_t op, uint8_t who, const uint8_t *p, size_t n)
{
	static uint8_t d[4096];
	struct smsg_dgram m = {.ecn = who & 3};
	size_t len = 0;

	(void)addr_parse(&m.path.local, "192.0.2.1", 22);
	(void)addr_parse(&m.path.remote, who & 4 ? "2001:db8::7" : "198.51.100.7",
	    (uint16_t)(1000 + (who >> 3)));
	memset(d, 0, sizeof(d));
	if (op & OP_RETRY && w->retrylen > 0)
		len = answer_retry(w, d, sizeof(d));
	if (n > sizeof(d) - len)
		n = sizeof(d) - len;
	memcpy(d + len, p, n);
	len += n;
	if (op & OP_CID_SHORT)
		memcpy(d + 1, w->cid.id, w->cid.len);
	if (op & OP_CID_LONG)
		memcpy(d + 6, w->cid.id, w->cid.len);
	if (op & OP_PAD && len < 1200)
		len = 1200;
	m.data = (struct bytes){d, len};
	if (op & OP_FOREIGN && w->slots[who & 15] != NULL)
		front_foreign(w->front, w->slots[who & 15], &m, w->now);
	else
		front_input(w->front, &m, w->now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct front_ops ops = {on_send, on_admit, on_deliver, on_expire, on_release};
	const struct smsg_linit init = {.limits = {.startups_begin = 4, .startups_rate = 50,
	    .startups_full = 8, .unvalidated_max = 3, .unvalidated_ns = 2 * NS_PER_S}};
	struct world w = {.now = NS_PER_S};
	struct front_stats st;

	log_set_level(LOG_L_QUIET);
	if (sodium_init() < 0 || front_new(&w.front, &init, w.now, &ops, &w) != 0)
		abort();
	while (n >= 4) {
		size_t len = (size_t)p[2] << 8 | p[3];

		if (len > n - 4)
			len = n - 4;
		w.now += NS_PER_MS;
		if (p[0] & OP_EVENT)
			event(&w, p[1]);
		else
			datagram(&w, p[0], p[1], p + 4, len);
		p += 4 + len;
		n -= 4 + len;
		front_stats(w.front, &st);
		if (st.unvalidated > 3 || st.starting > 11 || st.slots > 24 || st.connected > st.slots)
			abort();
	}
	front_free(&w.front);
	return 0;
}
