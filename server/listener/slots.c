#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/err.h"
#include "server/listener/slots.h"

#define BUCKETS 4096 /* a power of two */

struct slots {
	struct slot *by_id[BUCKETS];
	/* By the remote address alone: one chain has all of a client. */
	struct slot *by_flow[BUCKETS];
	struct slot *oldest, *newest;
	size_t n;
	/* Clients choose addresses; which chain that makes is not theirs to choose. */
	uint8_t key[crypto_shorthash_KEYBYTES];
};

int
slots_new(struct slots **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return QERR_NOMEM;
	crypto_shorthash_keygen((*out)->key);
	return 0;
}

void
slots_free(struct slots **t)
{
	if (*t == NULL)
		return;
	while ((*t)->oldest != NULL) {
		struct slot *s = (*t)->oldest;

		slots_remove(*t, &s);
	}
	free(*t);
	*t = NULL;
}

static size_t
flow_bucket(const struct slots *t, const struct addr *remote)
{
	uint8_t in[18] = {0}, out[crypto_shorthash_BYTES];
	uint16_t port = addr_port(remote), h;

	if (remote->u.sa.sa_family == AF_INET)
		memcpy(in, &remote->u.in.sin_addr, 4);
	else
		memcpy(in, &remote->u.in6.sin6_addr, 16);
	memcpy(in + 16, &port, sizeof(port));
	crypto_shorthash(out, in, sizeof(in), t->key);
	memcpy(&h, out, sizeof(h));
	return h % BUCKETS;
}

struct slot *
slots_add(struct slots *t, uint32_t id, const struct tp_path *path, const struct quic_cid *dcid)
{
	struct slot *s = calloc(1, sizeof(*s));
	size_t f = flow_bucket(t, &path->remote);

	if (s == NULL)
		return NULL;
	s->id = id;
	s->path = *path;
	s->dcid = *dcid;
	s->next_id = t->by_id[id % BUCKETS];
	t->by_id[id % BUCKETS] = s;
	s->next_flow = t->by_flow[f];
	t->by_flow[f] = s;
	s->older = t->newest;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = s;
	t->newest = s;
	t->n++;
	return s;
}

void
slots_remove(struct slots *t, struct slot **sp)
{
	struct slot *s = *sp, **at;

	if (s == NULL)
		return;
	for (at = &t->by_id[s->id % BUCKETS]; *at != s; at = &(*at)->next_id)
		;
	*at = s->next_id;
	for (at = &t->by_flow[flow_bucket(t, &s->path.remote)]; *at != s;
	     at = &(*at)->next_flow)
		;
	*at = s->next_flow;
	*(s->older != NULL ? &s->older->newer : &t->oldest) = s->newer;
	*(s->newer != NULL ? &s->newer->older : &t->newest) = s->older;
	t->n--;
	free(s);
	*sp = NULL;
}

struct slot *
slots_find(const struct slots *t, uint32_t id)
{
	struct slot *s = t->by_id[id % BUCKETS];

	while (s != NULL && s->id != id)
		s = s->next_id;
	return s;
}

static bool
same_path(const struct tp_path *a, const struct tp_path *b)
{
	return addr_equal(&a->remote, &b->remote) && addr_equal(&a->local, &b->local);
}

struct slot *
slots_find_flow(
    const struct slots *t, const struct tp_path *path, const uint8_t *dcid, size_t n)
{
	struct slot *s = t->by_flow[flow_bucket(t, &path->remote)];

	for (; s != NULL; s = s->next_flow)
		if (s->dcid.len == n && memcmp(s->dcid.id, dcid, n) == 0 &&
		    same_path(&s->path, path))
			return s;
	return NULL;
}

bool
slots_has_path(const struct slots *t, const struct tp_path *path)
{
	const struct slot *s = t->by_flow[flow_bucket(t, &path->remote)];

	while (s != NULL && (s->steered || !same_path(&s->path, path)))
		s = s->next_flow;
	return s != NULL;
}

size_t
slots_count(const struct slots *t)
{
	return t->n;
}

struct slot *
slots_oldest(const struct slots *t)
{
	return t->oldest;
}

bool
slot_knows_remote(const struct slot *s, const struct addr *remote)
{
	unsigned n = s->nremotes < SLOT_REMOTES ? s->nremotes : SLOT_REMOTES;

	if (addr_equal(&s->path.remote, remote))
		return true;
	for (unsigned i = 0; i < n; i++)
		if (addr_equal(&s->remotes[i], remote))
			return true;
	return false;
}

void
slot_note_remote(struct slot *s, const struct addr *remote)
{
	if (!slot_knows_remote(s, remote))
		s->remotes[s->nremotes++ % SLOT_REMOTES] = *remote;
}
