/* Keys in live connections: which suite is agreed on, both implementations at the two ends, key updates
 * and their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "quic/protect/protect.h"
#include "quic/user/conn_int.h"
#include "tests/sim/simpeer.h"
#include "tests/unit/quic_raw.h"

#define AES PROTECT_CPU_AES
#define MB PROTECT_CPU_MB
#define BYTES 200000
#define MAX_PACKETS 250 /* with one key */

static void
connect_as(struct simpair *p, unsigned client_cpu, unsigned server_cpu)
{
	simpair_init(p, 1);
	p->cll.conn_window = p->svl.conn_window = UINT64_C(1) << 24;
	protect_init(client_cpu);
	simpair_connect(p); /* makes the client; its first datagram makes the server */
	protect_init(server_cpu);
	simpair_run(p, NS_PER_S);
	protect_init(protect_cpu());
	assert_int_equal(p->cl.done, 1);
	assert_int_equal(p->sv.done, 1);
}

/* All of it, as the stream takes it. */
static void
write_all(struct simpair *p, struct tp_stream *s, const uint8_t *b)
{
	size_t off = 0;
	int i;

	for (i = 0; i < 100 && off < BYTES; i++) {
		off += tp_stream_write(s, b + off, BYTES - off);
		simpair_run(p, 100 * NS_PER_MS);
	}
	assert_int_equal(off, BYTES);
}

/* Bytes up and down. */
static void
carry(struct simpair *p)
{
	static uint8_t b[BYTES];
	struct simstream *st, *up;
	size_t i;

	for (i = 0; i < BYTES; i++)
		b[i] = (uint8_t)(i * 7 + i / 253);
	assert_int_equal(simpeer_open(&p->cl, false, TP_PRIO_BULK, &st), 0);
	write_all(p, st->s, b);
	up = simpeer_find(&p->sv, st->id);
	assert_non_null(up);
	assert_int_equal(up->n, BYTES);
	assert_memory_equal(up->data, b, BYTES);
	write_all(p, up->s, b);
	assert_int_equal(st->n, BYTES);
	assert_memory_equal(st->data, b, BYTES);
}

static void
agree(unsigned client_cpu, unsigned server_cpu, const char *want)
{
	struct tp_stats st;
	struct simpair p;

	connect_as(&p, client_cpu, server_cpu);
	tp_conn_stats(simpeer_conn(&p.cl), &st);
	assert_string_equal(st.cipher, want);
	tp_conn_stats(simpeer_conn(&p.sv), &st);
	assert_string_equal(st.cipher, want);
	carry(&p);
	simpair_free(&p);
}

/* ChaCha20 where one end lacks AES instructions, whichever it is. */
static void
test_suites(void **state)
{
	(void)state;
	agree(AES, AES, "AES-128-GCM");
	agree(0, AES, "CHACHA20-POLY1305");
	agree(AES, 0, "CHACHA20-POLY1305");
	agree(0, 0, "CHACHA20-POLY1305");
}

/* One end on each implementation. */
static void
test_mixed(void **state)
{
	const unsigned here = protect_cpu();

	(void)state;
	agree(here, here & AES, (here & AES) ? "AES-128-GCM" : "CHACHA20-POLY1305");
	agree(here & AES, here, (here & AES) ? "AES-128-GCM" : "CHACHA20-POLY1305");
	agree(here & MB, here & ~MB, "CHACHA20-POLY1305");
	agree(here & ~MB, here & MB, "CHACHA20-POLY1305");
}

static void
limits(unsigned cpu, uint64_t encryption, uint64_t failure)
{
	const ngtcp2_crypto_ctx *ctx;
	struct simpair p;

	connect_as(&p, cpu, cpu);
	ctx = ngtcp2_conn_get_crypto_ctx(simpeer_conn(&p.cl)->ng);
	assert_true(ctx->max_encryption == encryption);
	assert_true(ctx->max_decryption_failure == failure);
	assert_int_equal(ctx->aead.max_overhead, PROTECT_TAG);
	simpair_free(&p);
}

/* RFC 9001 section 6.6, with packets of up to 64 KiB. */
static void
test_limits(void **state)
{
	(void)state;
	limits(AES, UINT64_C(1) << 23, UINT64_C(1) << 52);
	limits(0, UINT64_C(1) << 62, UINT64_C(1) << 36);
}

/* There is no call to change it once the handshake is over. */
static void
shorten(ngtcp2_conn *ng)
{
	const ngtcp2_crypto_ctx *ctx = ngtcp2_conn_get_crypto_ctx(ng);

	((ngtcp2_crypto_ctx *)(uintptr_t)ctx)->max_encryption = MAX_PACKETS;
}

static bool
count_packets(void *arg, int from, uint8_t *p, size_t *n)
{
	(void)p;
	(void)n;
	((unsigned *)arg)[from]++;
	return true;
}

/* A key that has protected as many packets as it may is replaced, by either side, and nothing is lost. */
static void
update(unsigned cpu)
{
	struct simpeer *end[2];
	unsigned packets[2] = {0, 0};
	struct simpair p;
	int i;

	connect_as(&p, cpu, cpu);
	end[SIM_CLIENT] = &p.cl;
	end[SIM_SERVER] = &p.sv;
	for (i = 0; i < 2; i++)
		shorten(simpeer_conn(end[i])->ng);
	p.net.tap = count_packets;
	p.net.tap_arg = packets;
	for (i = 0; i < 5; i++)
		carry(&p);
	/* Past the limit without an update ngtcp2 would have closed. */
	assert_true(packets[SIM_CLIENT] > 2 * MAX_PACKETS && packets[SIM_SERVER] > 2 * MAX_PACKETS);
	assert_int_equal(p.cl.closed, 0);
	assert_int_equal(p.sv.closed, 0);
	simpair_free(&p);
}

static void
test_update(void **state)
{
	(void)state;
	update(protect_cpu());
	update(AES);
	update(0);
}

/* The peer's keys, of ngtcp2's own schedule, are renewed three times: each needs our answer under the
 * key before. */
static void
test_update_by_other(void **state)
{
	static const uint8_t ping[] = {1};
	struct rawpair r;
	int i, j;

	(void)state;
	raw_server_init(&r, QUIC_ALPN);
	raw_run(&r, 20);
	assert_int_equal(r.peer.done, 1);
	for (i = 0; i < 3; i++) {
		r.now += 10 * NS_PER_S;
		raw_inject(&r, ping, sizeof(ping));
		raw_run(&r, 20);
		assert_int_equal(ngtcp2_conn_initiate_key_update(r.ng, r.now), 0);
		for (j = 0; j < 4; j++)
			raw_inject(&r, ping, sizeof(ping));
		raw_run(&r, 20);
	}
	assert_int_equal(r.peer.closed, 0);
	raw_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_update_by_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
