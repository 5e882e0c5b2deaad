/* What the listener does with datagrams, without sockets, processes or time of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ngtcp2/ngtcp2.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "server/listener/cid.h"
#include "server/listener/front.h"
#include "server/listener/reply.h"

#define START (1000 * NS_PER_S)
#define LOG_MAX 4096

/* What the front asked for last, and how often. */
struct world {
	struct front *front;
	uint64_t now;
	unsigned sent, admitted, delivered, expired, released;
	bool refuse_admission;
	uint8_t out[2048];
	size_t outlen;
	struct tp_path out_path;
	struct smsg_admit admit;  /* cids copied to cid[] */
	struct quic_cid cid[FRONT_CIDS];
	struct slot *slot, *to;   /* admitted; delivered to */
	char log[LOG_MAX];
};

static void
on_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct world *w = arg;

	assert_int_equal(ecn, 0);
	assert_true(n <= sizeof(w->out));
	memcpy(w->out, p, n);
	w->outlen = n;
	w->out_path = *path;
	w->sent++;
}

static int
on_admit(void *arg, struct slot *s, const struct smsg_admit *m)
{
	struct world *w = arg;

	if (w->refuse_admission)
		return QERR_SYS;
	assert_int_equal(m->cids.n, FRONT_CIDS);
	w->admit = *m;
	memcpy(w->cid, m->cids.v, sizeof(w->cid));
	w->slot = s;
	w->admitted++;
	return 0;
}

static void
on_deliver(void *arg, struct slot *s, const struct smsg_dgram *d)
{
	struct world *w = arg;

	assert_true(d->data.n > 0);
	w->to = s;
	w->delivered++;
}

static void
on_expire(void *arg, struct slot *s)
{
	struct world *w = arg;

	assert_false(s->validated);
	w->expired++;
}

static void
on_release(void *arg, struct slot *s)
{
	struct world *w = arg;

	(void)s;
	w->released++;
}

static const struct front_ops ops = {on_send, on_admit, on_deliver, on_expire, on_release};

static void
on_line(void *arg, enum log_level level, const char *line)
{
	struct world *w = arg;
	size_t n = strlen(w->log);

	(void)level;
	(void)snprintf(w->log + n, sizeof(w->log) - n, "%s\n", line);
}

static void
init_keys(struct smsg_linit *init)
{
	*init = (struct smsg_linit){.limits = {.startups_begin = 10, .startups_rate = 30,
	    .startups_full = 100, .unvalidated_max = 10, .unvalidated_ns = 3 * NS_PER_S}};
	memset(init->route_key, 1, sizeof(init->route_key));
	memset(init->slot_key, 2, sizeof(init->slot_key));
	memset(init->token_key, 3, sizeof(init->token_key));
	memset(init->reset_key, 4, sizeof(init->reset_key));
	memset(init->server_id, 5, sizeof(init->server_id));
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct smsg_linit init;

	init_keys(&init);
	w->now = START;
	*state = w;
	log_to_sink(on_line, w);
	log_set_level(LOG_L_DEBUG3);
	return front_new(&w->front, &init, w->now, &ops, w);
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	front_free(&w->front);
	log_to_stderr();
	free(w);
	return 0;
}

static void
set_limits(struct world *w, uint32_t begin, uint32_t rate, uint32_t full, uint32_t unvalidated)
{
	const struct smsg_limits l = {begin, rate, full, unvalidated, 3 * NS_PER_S, LOG_L_DEBUG3};

	front_set_limits(w->front, &l);
}

/* ---- packets ---- */

struct packet {
	struct tp_path path;
	uint8_t dcid[QUIC_CID_MAX], scid[8];
	size_t dcidlen;
	uint8_t token[256];
	size_t tokenlen;
	uint32_t version;
	size_t size; /* of the datagram */
};

/* Client n: an address and connection IDs of its own. */
static struct packet
client(unsigned n)
{
	struct packet k = {.dcidlen = 8, .version = NGTCP2_PROTO_VER_V1, .size = 1200};
	char ip[32];

	(void)snprintf(ip, sizeof(ip), "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
	assert_int_equal(addr_parse(&k.path.remote, ip, (uint16_t)(1024 + n % 60000)), 0);
	assert_int_equal(addr_parse(&k.path.local, "192.0.2.1", 22), 0);
	memcpy(k.dcid, &n, sizeof(n));
	memset(k.dcid + sizeof(n), 0xd, sizeof(k.dcid) - sizeof(n));
	memset(k.scid, 0x5c, sizeof(k.scid));
	memcpy(k.scid, &n, sizeof(n));
	return k;
}

static size_t
write_initial(uint8_t *p, const struct packet *k)
{
	size_t n = 0, rest;

	p[n++] = 0xc3;
	for (int i = 3; i >= 0; i--)
		p[n++] = (uint8_t)(k->version >> 8 * i);
	p[n++] = (uint8_t)k->dcidlen;
	memcpy(p + n, k->dcid, k->dcidlen);
	n += k->dcidlen;
	p[n++] = sizeof(k->scid);
	memcpy(p + n, k->scid, sizeof(k->scid));
	n += sizeof(k->scid);
	p[n++] = (uint8_t)(0x40 | k->tokenlen >> 8);
	p[n++] = (uint8_t)k->tokenlen;
	memcpy(p + n, k->token, k->tokenlen);
	n += k->tokenlen;
	rest = k->size - n - 2;
	p[n++] = (uint8_t)(0x40 | rest >> 8);
	p[n++] = (uint8_t)rest;
	memset(p + n, 0xee, rest);
	return k->size;
}

static void
give(struct world *w, const struct tp_path *path, const uint8_t *p, size_t n)
{
	const struct smsg_dgram d = {.path = *path, .data = {p, n}};

	w->to = NULL;
	w->outlen = 0;
	front_input(w->front, &d, w->now);
}

static void
give_initial(struct world *w, const struct packet *k)
{
	uint8_t p[2048];

	give(w, &k->path, p, write_initial(p, k));
}

static void
give_short(struct world *w, const struct tp_path *path, const struct quic_cid *cid, size_t n)
{
	uint8_t p[1500] = {0x43};

	memcpy(p + 1, cid->id, cid->len);
	memset(p + 1 + cid->len, 0x77, sizeof(p) - 1 - cid->len);
	give(w, path, p, n);
}

/* Reads a Retry: the client comes again with what it says. */
static void
take_retry(const struct world *w, struct packet *k)
{
	const uint8_t *p = w->out;
	size_t n = 5;

	assert_true(w->outlen > 0 && w->outlen < k->size);
	assert_int_equal(p[0] & 0xf0, 0xf0);
	assert_int_equal(p[n], sizeof(k->scid));
	assert_memory_equal(p + n + 1, k->scid, sizeof(k->scid));
	n += 1 + sizeof(k->scid);
	k->dcidlen = p[n++];
	assert_int_equal(k->dcidlen, QUIC_CID_LEN);
	memcpy(k->dcid, p + n, k->dcidlen);
	n += k->dcidlen;
	k->tokenlen = w->outlen - n - 16;
	memcpy(k->token, p + n, k->tokenlen);
}

static bool
sent_close(const struct world *w)
{
	/* An Initial packet; what it says is enciphered. */
	return w->outlen > 0 && (w->out[0] & 0xf0) == 0xc0 && w->outlen < 100;
}

static bool
sent_retry(const struct world *w)
{
	return w->outlen > 0 && (w->out[0] & 0xf0) == 0xf0;
}

static struct front_stats
stats(const struct world *w)
{
	struct front_stats st;

	front_stats(w->front, &st);
	return st;
}

/* ---- tests ---- */

static void
first_packet_is_admitted(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);

	give_initial(w, &k);
	assert_int_equal(w->admitted, 1);
	assert_int_equal(w->delivered, 1);
	assert_ptr_equal(w->to, w->slot);
	assert_int_equal(w->sent, 0);
	assert_false(w->admit.validated);
	assert_false(w->admit.steered);
	assert_int_equal(w->admit.odcid.len, k.dcidlen);
	assert_memory_equal(w->admit.odcid.id, k.dcid, k.dcidlen);
	assert_int_equal(w->admit.retry_scid.len, 0);
	assert_memory_equal(w->admit.client_scid.id, k.scid, sizeof(k.scid));
	assert_int_equal(w->admit.version, NGTCP2_PROTO_VER_V1);
	assert_true(addr_equal(&w->admit.path.remote, &k.path.remote));
	/* The rest of the flight, and what is repeated, goes to the same process. */
	give_initial(w, &k);
	assert_int_equal(w->admitted, 1);
	assert_int_equal(w->delivered, 2);
	/* The same ID from elsewhere is somebody else. */
	k.path.remote = client(2).path.remote;
	give_initial(w, &k);
	assert_int_equal(w->admitted, 2);
}

static void
retry_past_the_limit(void **state)
{
	struct world *w = *state;
	struct packet k;
	struct quic_cid first;

	for (unsigned i = 0; i < 10; i++) {
		k = client(i);
		give_initial(w, &k);
	}
	assert_int_equal(w->admitted, 10);
	k = client(10);
	give_initial(w, &k);
	assert_int_equal(w->admitted, 10);
	assert_true(sent_retry(w));
	assert_true(addr_equal(&w->out_path.remote, &k.path.remote));
	memcpy(first.id, k.dcid, 8);
	take_retry(w, &k);
	give_initial(w, &k);
	assert_int_equal(w->admitted, 11);
	assert_true(w->admit.validated);
	assert_int_equal(w->admit.odcid.len, 8);
	assert_memory_equal(w->admit.odcid.id, first.id, 8);
	assert_int_equal(w->admit.retry_scid.len, QUIC_CID_LEN);
	assert_memory_equal(w->admit.retry_scid.id, k.dcid, QUIC_CID_LEN);
	assert_ptr_equal(w->to, w->slot);
	give_initial(w, &k);
	assert_int_equal(w->admitted, 11);
	assert_ptr_equal(w->to, w->slot);
	assert_int_equal(stats(w).unvalidated, 10);
	assert_int_equal(stats(w).starting, 1);
	/* One who is real makes room for the next. */
	front_validated(w->front, w->slot);
	assert_int_equal(stats(w).unvalidated, 10);
	front_gone(w->front, w->admit.slot);
	assert_int_equal(stats(w).starting, 0);
	assert_int_equal(w->released, 1);
}

static void
tokens_are_checked(void **state)
{
	struct world *w = *state;
	struct packet k = client(1), other;

	set_limits(w, 10, 30, 100, 0);
	give_initial(w, &k);
	assert_true(sent_retry(w));
	take_retry(w, &k);
	/* another address */
	other = k;
	other.path.remote = client(2).path.remote;
	give_initial(w, &other);
	assert_true(sent_close(w));
	/* another port */
	other = k;
	addr_set_port(&other.path.remote, 9);
	give_initial(w, &other);
	assert_true(sent_close(w));
	/* another connection ID */
	other = k;
	other.dcid[5] ^= 1;
	give_initial(w, &other);
	assert_true(sent_close(w));
	/* changed, cut, and of no kind that we know */
	other = k;
	other.token[other.tokenlen / 2] ^= 1;
	give_initial(w, &other);
	assert_true(sent_close(w));
	other = k;
	other.tokenlen--;
	give_initial(w, &other);
	assert_true(sent_close(w));
	other = k;
	other.token[0] = 0x36;
	give_initial(w, &other);
	assert_true(sent_retry(w));
	assert_int_equal(w->admitted, 0);
	/* in time */
	w->now += 9 * NS_PER_S;
	give_initial(w, &k);
	assert_int_equal(w->admitted, 1);
	front_gone(w->front, w->admit.slot);
	/* too late */
	w->now += 2 * NS_PER_S;
	give_initial(w, &k);
	assert_true(sent_close(w));
	assert_int_equal(w->admitted, 1);
	assert_string_equal(w->log, "");
}

static void
a_flood_starts_little_and_keeps_nobody_out(void **state)
{
	struct world *w = *state;
	struct packet k;

	/* 10,000 a second for 10 s from as many addresses; who is not validated in 3 s is ended. */
	for (unsigned i = 0; i < 100000; i++) {
		w->now += NS_PER_S / 10000;
		k = client(1000 + i);
		give_initial(w, &k);
		if (i % 10000 == 0)
			(void)front_tick(w->front, w->now);
		assert_true(stats(w).slots <= 11);
		if (i % 9999 != 0)
			continue;
		k = client(i / 9999);
		give_initial(w, &k);
		if (sent_retry(w)) {
			take_retry(w, &k);
			give_initial(w, &k);
		}
		assert_non_null(w->to);
		front_validated(w->front, w->to);
		front_authed(w->front, w->to->id);
		front_gone(w->front, w->to->id);
	}
	assert_true(w->admitted <= 30);
	/* No forged address is in the log. */
	assert_string_equal(w->log, "");
}

static void
expiry(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);
	uint32_t slow;

	give_initial(w, &k);
	slow = w->admit.slot;
	w->now += NS_PER_S;
	k = client(2);
	give_initial(w, &k);
	front_validated(w->front, w->slot);
	assert_true(front_tick(w->front, w->now) == START + 3 * NS_PER_S);
	assert_int_equal(w->expired, 0);
	w->now = START + 3 * NS_PER_S;
	assert_true(front_tick(w->front, w->now) == UINT64_MAX);
	assert_int_equal(w->expired, 1);
	(void)front_tick(w->front, w->now);
	assert_int_equal(w->expired, 1);
	/* It counts until it is gone, and gets nothing any more. */
	assert_int_equal(stats(w).unvalidated, 1);
	k = client(1);
	give_initial(w, &k);
	assert_null(w->to);
	front_gone(w->front, slow);
	assert_int_equal(stats(w).unvalidated, 0);
	assert_int_equal(stats(w).slots, 1);
}

static void
max_startups(void **state)
{
	struct world *w = *state;
	struct packet k;
	uint32_t one;

	set_limits(w, 2, 100, 2, 0);
	for (unsigned i = 0; i < 2; i++) {
		k = client(i);
		give_initial(w, &k);
		take_retry(w, &k);
		give_initial(w, &k);
	}
	assert_int_equal(w->admitted, 2);
	one = w->admit.slot;
	k = client(2);
	give_initial(w, &k);
	/* Nobody is told before the address is known to be real. */
	assert_true(sent_retry(w));
	assert_string_equal(w->log, "");
	take_retry(w, &k);
	give_initial(w, &k);
	assert_true(sent_close(w));
	assert_int_equal(w->admitted, 2);
	assert_non_null(strstr(w->log, "refused connection from 10.0.0.2 port 1026"));
	assert_non_null(strstr(w->log, "MaxStartups 2:100:2"));
	/* Who is logged in does not count. */
	front_authed(w->front, one);
	front_authed(w->front, one);
	front_authed(w->front, 12345);
	assert_int_equal(stats(w).starting, 1);
	give_initial(w, &k);
	assert_int_equal(w->admitted, 3);
	front_gone(w->front, one);
	assert_int_equal(stats(w).starting, 2);
}

/* A process for a forged address is never started where real clients are near their limit. */
static void
near_the_limit_all_get_retry(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);

	set_limits(w, 1, 30, 100, 10);
	give_initial(w, &k);
	front_validated(w->front, w->slot);
	k = client(2);
	give_initial(w, &k);
	assert_true(sent_retry(w));
	assert_int_equal(w->admitted, 1);
}

static bool
knows_client(const struct world *w, unsigned n)
{
	struct packet k = client(n);

	return slot_knows_remote(w->slot, &k.path.remote);
}

static void
steering(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);
	struct tp_path moved = client(77).path;

	give_initial(w, &k);
	for (size_t i = 0; i < FRONT_CIDS; i++) {
		give_short(w, &moved, &w->cid[i], 40);
		assert_ptr_equal(w->to, w->slot);
	}
	/* Addresses that a connection was heard from are those that it may be answered on. */
	assert_true(slot_knows_remote(w->slot, &k.path.remote));
	assert_true(slot_knows_remote(w->slot, &moved.remote));
	assert_false(knows_client(w, 78));
	for (unsigned i = 0; i < 20; i++) {
		struct tp_path p = client(100 + i).path;

		give_short(w, &p, &w->cid[0], 40);
	}
	assert_false(slot_knows_remote(w->slot, &moved.remote));
	assert_true(knows_client(w, 119));
	assert_true(slot_knows_remote(w->slot, &k.path.remote));
	/* A Handshake packet has a long header. */
	k.dcidlen = QUIC_CID_LEN;
	memcpy(k.dcid, w->cid[3].id, QUIC_CID_LEN);
	give_initial(w, &k);
	assert_ptr_equal(w->to, w->slot);
	assert_int_equal(w->sent, 0);
}

static void
more_cids(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);
	struct smsg_cids c;

	give_initial(w, &k);
	assert_int_equal(front_cids(w->front, w->slot, 1000000, &c), 0);
	assert_int_equal(c.n, SMSG_CIDS_MAX);
	give_short(w, &k.path, &c.v[5], 40);
	assert_ptr_equal(w->to, w->slot);
	smsg_free_cids(&c);
}

static void
stateless_reset(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);
	struct quic_cid gone, strange = {.len = QUIC_CID_LEN, .id = {CID_FIRST, 1, 2, 3}};

	give_initial(w, &k);
	gone = w->cid[0];
	front_gone(w->front, w->admit.slot);
	give_short(w, &k.path, &gone, 100);
	assert_true(w->outlen >= 21 && w->outlen < 100);
	assert_int_equal(w->out[0] & 0xc0, 0x40);
	assert_memory_equal(w->out + w->outlen - 16, gone.reset, 16);
	/* Always smaller than what triggers it, so that two hosts do not keep each other busy. */
	for (size_t n = 18; n < 60; n++) {
		give_short(w, &k.path, &gone, n);
		assert_true(w->outlen < n);
	}
	give_short(w, &k.path, &gone, 21);
	assert_int_equal(w->outlen, 0);
	/* After a reboot nothing of the ID can be read; its form is enough. */
	w->now += NS_PER_S;
	give_short(w, &k.path, &strange, 100);
	assert_true(w->outlen > 0);
	strange.id[0] ^= 1;
	give_short(w, &k.path, &strange, 100);
	assert_int_equal(w->outlen, 0);
	/* Not without end. */
	strange.id[0] ^= 1;
	w->sent = 0;
	for (unsigned i = 0; i < 1000; i++)
		give_short(w, &k.path, &strange, 100);
	assert_true(w->sent <= 101);
	w->now += NS_PER_S;
	give_short(w, &k.path, &strange, 100);
	assert_true(w->outlen > 0);
}

/* The host key has changed while a connection lived: which key its token is of, nobody knows. */
static void
stateless_reset_after_another_key(void **state)
{
	struct world *w = *state;
	struct packet k = client(1), l = client(2);
	struct quic_cid old, new;
	uint8_t key[32];

	give_initial(w, &k);
	old = w->cid[0];
	front_gone(w->front, w->admit.slot);
	memset(key, 4, sizeof(key)); /* as it was: nothing changes */
	front_set_reset_key(w->front, key);
	w->sent = 0;
	give_short(w, &k.path, &old, 100);
	assert_int_equal(w->sent, 1);
	memset(key, 44, sizeof(key));
	front_set_reset_key(w->front, key);
	w->sent = 0;
	give_short(w, &k.path, &old, 100);
	assert_int_equal(w->sent, 2);
	assert_memory_equal(w->out + w->outlen - 16, old.reset, 16); /* the former one is the last */
	give_initial(w, &l);
	new = w->cid[0];
	front_gone(w->front, w->admit.slot);
	front_free(&w->front);
	struct smsg_linit init;
	init_keys(&init);
	memset(init.reset_key, 44, sizeof(init.reset_key));
	assert_int_equal(front_new(&w->front, &init, w->now, &ops, w), 0);
	w->sent = 0;
	give_short(w, &k.path, &new, 100);
	assert_int_equal(w->sent, 1);
	assert_memory_equal(w->out + w->outlen - 16, new.reset, 16);
}

/* Who was here before need not prove its address again, as long as it is the same; the port may be another. */
static void
known_addresses(void **state)
{
	struct world *w = *state;
	struct packet k = client(1), other;
	uint8_t token[REPLY_KNOWN_MAX];
	ssize_t n;

	give_initial(w, &k);
	n = front_token(w->front, w->slot, w->now, token);
	assert_true(n > 0 && n <= REPLY_KNOWN_MAX);
	front_validated(w->front, w->slot);
	set_limits(w, 0, 0, 100, 0); /* everybody gets a Retry */
	k = client(2);
	give_initial(w, &k);
	assert_true(sent_retry(w));
	w->admitted = 0;
	other = client(2);
	memcpy(other.token, token, (size_t)n);
	other.tokenlen = (size_t)n;
	give_initial(w, &other); /* another address's */
	assert_true(sent_retry(w));
	k = client(3);
	k.path.remote = client(1).path.remote;
	addr_set_port(&k.path.remote, 7777);
	memcpy(k.token, token, (size_t)n);
	k.tokenlen = (size_t)n;
	give_initial(w, &k);
	assert_int_equal(w->admitted, 1);
	assert_true(w->admit.validated);
	assert_int_equal(w->admit.retry_scid.len, 0);
	assert_memory_equal(w->admit.odcid.id, k.dcid, k.dcidlen);
	/* One that was changed is none: no reason to end anything. */
	k = client(1);
	k.dcid[7] ^= 1;
	memcpy(k.token, token, (size_t)n);
	k.tokenlen = (size_t)n;
	k.token[20] ^= 1;
	give_initial(w, &k);
	assert_true(sent_retry(w));
	/* It does not go round MaxStartups, and it gets old. */
	k.token[20] ^= 1;
	set_limits(w, 1, 100, 1, 0);
	w->outlen = 0;
	give_initial(w, &k);
	assert_true(sent_close(w));
	set_limits(w, 0, 0, 100, 0);
	w->now += REPLY_KNOWN_TIME;
	give_initial(w, &k);
	assert_true(sent_retry(w));
	assert_int_equal(w->admitted, 1);
}

/* Handshakes that end at once are not many at a time, but still work for us. */
static void
retry_by_rate(void **state)
{
	struct world *w = *state;
	unsigned retries = 0;

	for (unsigned i = 0; i < 200; i++) {
		struct packet k = client(i);

		give_initial(w, &k);
		if (sent_retry(w))
			retries++;
		else
			front_gone(w->front, w->admit.slot);
	}
	assert_int_equal(w->admitted, 100);
	assert_int_equal(retries, 100);
	w->now += NS_PER_S;
	w->admitted = 0;
	for (unsigned i = 0; i < 200; i++) {
		struct packet k = client(i);

		give_initial(w, &k);
		if (!sent_retry(w))
			front_gone(w->front, w->admit.slot);
	}
	assert_int_equal(w->admitted, 50);
}

/* A former listener's connections live on where this one does not see them. */
static void
former_listeners_connections_are_left_alone(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);
	struct smsg_linit init;
	struct quic_cid old;

	give_initial(w, &k);
	old = w->cid[0];
	front_free(&w->front);
	init_keys(&init);
	init.orphan_ns = 15 * NS_PER_S;
	assert_int_equal(front_new(&w->front, &init, w->now, &ops, w), 0);
	give_initial(w, &k);
	w->sent = 0;
	give_short(w, &k.path, &old, 100);
	assert_null(w->to);
	assert_int_equal(w->sent, 0);
	/* Who has not come by now will not come. */
	w->now += 15 * NS_PER_S;
	give_short(w, &k.path, &old, 100);
	assert_int_equal(w->sent, 1);
	assert_memory_equal(w->out + w->outlen - 16, old.reset, 16);
}

static struct smsg_adopt
adopted(const struct packet *k, uint32_t slot, bool authed, bool steered)
{
	return (struct smsg_adopt){
	    .slot = slot, .path = k->path, .authed = authed, .steered = steered};
}

/* ... or they are adopted, with their numbers and connection IDs. */
static void
former_listeners_connections_are_adopted(void **state)
{
	struct world *w = *state;
	struct packet k = client(1), elsewhere = client(2);
	struct smsg_adopt m;
	struct quic_cid old;
	struct smsg_cids more;
	struct slot *s, *again;
	struct smsg_linit init;

	give_initial(w, &k);
	old = w->cid[0];
	m = adopted(&k, w->admit.slot, true, false);
	front_free(&w->front);
	init_keys(&init);
	assert_int_equal(front_new(&w->front, &init, w->now, &ops, w), 0);
	assert_int_equal(front_adopt(w->front, &m, w->now, &s), 0);
	assert_int_equal(s->id, m.slot);
	give_short(w, &elsewhere.path, &old, 100);
	assert_ptr_equal(w->to, s);
	assert_true(slot_knows_remote(s, &k.path.remote));
	assert_true(slot_knows_remote(s, &elsewhere.path.remote));
	assert_int_equal(front_cids(w->front, s, 4, &more), 0);
	give_short(w, &elsewhere.path, &more.v[3], 100);
	assert_ptr_equal(w->to, s);
	smsg_free_cids(&more);
	/* Its socket counts, its login does not; and it never expires. */
	assert_int_equal(stats(w).connected, 1);
	assert_int_equal(stats(w).starting + stats(w).unvalidated, 0);
	w->now += 1000 * NS_PER_S;
	assert_true(front_tick(w->front, w->now) == UINT64_MAX);
	/* It is one, as long as its channel lives; when that ends it is gone. */
	assert_int_equal(front_adopt(w->front, &m, w->now, &again), QERR_EXISTS);
	w->released = 0;
	front_hung_up(w->front, s);
	assert_int_equal(w->released, 1);
	assert_int_equal(stats(w).slots + stats(w).connected, 0);
	m.slot = 0;
	assert_int_equal(front_adopt(w->front, &m, w->now, &again), QERR_INVAL);
}

/* One whose user is not known counts under MaxStartups until he is, or until it has ended. */
static void
adopted_logins_count(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);
	struct smsg_adopt m = adopted(&k, 77, false, true);
	struct slot *s;

	assert_int_equal(front_adopt(w->front, &m, w->now, &s), 0);
	assert_int_equal(stats(w).starting, 1);
	assert_int_equal(stats(w).connected, 0);
	front_hung_up(w->front, s); /* the supervisor says when it has ended */
	assert_int_equal(stats(w).starting, 1);
	assert_int_equal(front_adopt(w->front, &m, w->now, &s), 0);
	assert_int_equal(stats(w).slots, 1);
	front_authed(w->front, 77);
	assert_int_equal(stats(w).starting, 0);
	m.slot = 78;
	assert_int_equal(front_adopt(w->front, &m, w->now, &s), 0);
	front_gone(w->front, 78);
	assert_int_equal(stats(w).starting, 0);
	assert_int_equal(stats(w).slots, 1);
}

/* A number that is in use is not given out again. */
static void
adopted_numbers_are_taken(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);
	struct smsg_adopt m;
	struct slot *s;
	uint32_t first;

	give_initial(w, &k);
	first = w->admit.slot;
	for (uint32_t i = 1; i <= 5; i++) {
		m = adopted(&k, first + i, true, true);
		assert_int_equal(m.slot == 0 ? 0 : front_adopt(w->front, &m, w->now, &s), 0);
	}
	k = client(2);
	give_initial(w, &k);
	assert_int_equal(w->admitted, 2);
	assert_int_not_equal(w->admit.slot, 0);
	assert_true(w->admit.slot - first > 5);
}

/* A connection over TCP: its address is its own, it takes no socket, and it counts as one that starts. */
static void
tcp_connections(void **state)
{
	struct world *w = *state;
	struct packet k[] = {client(1), client(2), client(3)};
	struct slot *first, *second, *s;
	struct smsg_adopt m;

	first = front_tcp(w->front, &k[1].path, w->now);
	assert_non_null(first);
	assert_true(first->validated && first->steered);
	m = adopted(&k[0], first->id + 1, true, true);
	assert_int_equal(m.slot == 0 ? 0 : front_adopt(w->front, &m, w->now, &s), 0);
	second = front_tcp(w->front, &k[2].path, w->now);
	assert_non_null(second);
	assert_int_not_equal(second->id, 0);
	assert_int_not_equal(second->id, m.slot);
	assert_int_equal(stats(w).starting, 2);
	assert_int_equal(stats(w).connected, 0);
	front_authed(w->front, first->id);
	assert_int_equal(stats(w).starting, 1);
	front_gone(w->front, second->id);
	assert_int_equal(stats(w).starting, 0);
}

static void
tcp_connections_past_max_startups(void **state)
{
	struct world *w = *state;
	struct packet k[] = {client(1), client(2)};

	set_limits(w, 1, 100, 1, 10);
	assert_non_null(front_tcp(w->front, &k[0].path, w->now));
	assert_null(front_tcp(w->front, &k[1].path, w->now));
	assert_non_null(strstr(w->log, "refused connection from 10.0.0.2"));
	assert_int_equal(stats(w).slots, 1);
}

static void
versions(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);

	k.version = 0x5a5a5a5a;
	give_initial(w, &k);
	assert_true(w->outlen > 0);
	assert_memory_equal(w->out + 1, "\0\0\0\0", 4);
	assert_int_equal(w->out[5], 8);
	assert_memory_equal(w->out + 6, k.scid, 8);
	assert_int_equal(w->out[14], 8);
	assert_memory_equal(w->out + 15, k.dcid, 8);
	assert_memory_equal(w->out + w->outlen - 4, "\0\0\0\1", 4);
	/* One that the library knows, and we do not offer. */
	k.version = NGTCP2_PROTO_VER_V2;
	give_initial(w, &k);
	assert_memory_equal(w->out + 1, "\0\0\0\0", 4);
	/* Small datagrams are not answered: they could be forged to have others flooded. */
	k.size = 1199;
	give_initial(w, &k);
	assert_int_equal(w->outlen, 0);
	k.version = 0x5a5a5a5a;
	give_initial(w, &k);
	assert_int_equal(w->outlen, 0);
	/* Version Negotiation itself is never answered. */
	k.version = 0;
	k.size = 1200;
	give_initial(w, &k);
	assert_int_equal(w->outlen, 0);
	assert_int_equal(w->admitted, 0);
}

static void
small_initials_are_nothing(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);

	k.size = 1199;
	give_initial(w, &k);
	k.size = 1200;
	k.dcidlen = 7;
	give_initial(w, &k);
	assert_int_equal(w->admitted + w->sent, 0);
}

static void
foreign_datagrams(void **state)
{
	struct world *w = *state;
	struct packet a = client(1), b = client(2), c = client(3);
	struct slot *sa, *sb;
	struct quic_cid of_a;
	uint8_t p[2048];
	struct smsg_dgram d = {.path = a.path, .data = {p, 0}};

	give_initial(w, &a);
	sa = w->slot;
	of_a = w->cid[0];
	give_initial(w, &b);
	sb = w->slot;
	/* What reached a and is b's. */
	p[0] = 0x43;
	memcpy(p + 1, w->cid[1].id, QUIC_CID_LEN);
	d.data.n = 60;
	w->to = NULL;
	front_foreign(w->front, sa, &d, w->now);
	assert_ptr_equal(w->to, sb);
	/* What a does not know although it is in its name goes no further: no circle. */
	memcpy(p + 1, of_a.id, QUIC_CID_LEN);
	w->to = NULL;
	front_foreign(w->front, sa, &d, w->now);
	assert_null(w->to);
	/* A new client on a's path: its address is a's word alone, so a Retry; then it is steered. */
	c.path = a.path;
	d.data.n = write_initial(p, &c);
	w->admitted = 0;
	front_foreign(w->front, sa, &d, w->now);
	assert_int_equal(w->admitted, 0);
	assert_true(sent_retry(w));
	take_retry(w, &c);
	d.data.n = write_initial(p, &c);
	front_foreign(w->front, sa, &d, w->now);
	assert_int_equal(w->admitted, 1);
	assert_true(w->admit.steered);
	assert_ptr_equal(w->to, w->slot);
}

static void
one_socket_a_path(void **state)
{
	struct world *w = *state;
	struct packet a = client(1), b = client(2);
	uint32_t first;

	give_initial(w, &a);
	assert_false(w->admit.steered);
	first = w->admit.slot;
	b.path = a.path;
	give_initial(w, &b);
	assert_true(w->admit.steered);
	front_gone(w->front, w->admit.slot);
	front_gone(w->front, first);
	assert_int_equal(stats(w).connected, 0);
	give_initial(w, &b);
	assert_false(w->admit.steered);
}

static void
past_a_limit_all_are_steered(void **state)
{
	struct world *w = *state;

	set_limits(w, 5000, 30, 5000, 5000);
	for (unsigned i = 0; i < FRONT_CONNECTED; i++) {
		struct packet k = client(i);

		w->now += NS_PER_S / 50; /* slow enough not to be sent a Retry */
		give_initial(w, &k);
		assert_false(w->admit.steered);
	}
	struct packet k = client(FRONT_CONNECTED);
	w->now += NS_PER_S / 50;
	give_initial(w, &k);
	assert_true(w->admit.steered);
	assert_int_equal(stats(w).connected, FRONT_CONNECTED);
}

static void
failed_admission_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct packet k = client(1);

	w->refuse_admission = true;
	give_initial(w, &k);
	assert_int_equal(stats(w).slots, 0);
	assert_int_equal(stats(w).unvalidated, 0);
	assert_int_equal(stats(w).connected, 0);
	assert_non_null(strstr(w->log, "cannot admit"));
	assert_null(strstr(w->log, "10.0.0.1"));
}

static void
garbage(void **state)
{
	struct world *w = *state;
	struct tp_path path = client(1).path;
	uint8_t p[1500];

	for (unsigned i = 0; i < 20000; i++) {
		size_t n = randombytes_uniform(sizeof(p));

		randombytes_buf(p, sizeof(p));
		if (i % 2 == 0)
			memcpy(p, "\xc0\0\0\0\1", 5);
		give(w, &path, p, n);
	}
	assert_true(stats(w).slots <= 10);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(first_packet_is_admitted), T(retry_past_the_limit), T(tokens_are_checked),
		T(a_flood_starts_little_and_keeps_nobody_out), T(expiry), T(max_startups),
		T(near_the_limit_all_get_retry), T(steering), T(more_cids), T(stateless_reset),
		T(stateless_reset_after_another_key), T(known_addresses), T(retry_by_rate),
		T(former_listeners_connections_are_left_alone),
		T(former_listeners_connections_are_adopted), T(adopted_logins_count),
		T(adopted_numbers_are_taken), T(tcp_connections),
		T(tcp_connections_past_max_startups), T(versions),
		T(small_initials_are_nothing), T(foreign_datagrams), T(one_socket_a_path),
		T(past_a_limit_all_are_steered), T(failed_admission_leaves_nothing), T(garbage),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
