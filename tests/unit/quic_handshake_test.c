/* Handshakes: keys, exporters, round trips, and peers that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "tests/sim/simpeer.h"
#include "tests/unit/quic_raw.h"

/* ---- exporters and keys ---- */

static uint8_t exported[2][32];
static int early_result, early_key;

static void
try_early(struct simpeer *p)
{
	uint8_t key[32];

	early_result = tp_conn_export(simpeer_conn(p), "EXPORTER-qsh-auth", exported[0], 32);
	early_key = tp_conn_peer_key(simpeer_conn(p), key);
}

static void
try_done(struct simpeer *p)
{
	if (tp_conn_export(simpeer_conn(p), "EXPORTER-qsh-auth", exported[p->side], 32) != 0)
		abort();
}

/* GnuTLS would give a constant before the handshake's end: then one signature would do for every
 * connection. So there is none, and later it differs from connection to connection. */
static void
test_exporter(void **state)
{
	uint8_t last[32] = {0}, again[32], key[32];
	struct simpair p;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		simpair_init(&p, 1);
		p.sv.on_early = try_early;
		p.cl.on_done = p.sv.on_done = try_done;
		simpair_connect(&p);
		assert_int_equal(tp_conn_export(simpeer_conn(&p.cl), "x", again, 32), QERR_AGAIN);
		assert_int_equal(tp_conn_peer_key(simpeer_conn(&p.cl), key), QERR_AGAIN);
		simpair_run(&p, NS_PER_S);
		assert_int_equal(p.sv.early, 1);
		assert_int_equal(early_result, QERR_AGAIN);
		assert_int_equal(early_key, QERR_AGAIN);
		assert_memory_equal(exported[0], exported[1], 32);
		assert_memory_not_equal(exported[0], last, 32);
		memcpy(last, exported[0], 32);
		assert_int_equal(
		    tp_conn_export(simpeer_conn(&p.cl), "EXPORTER-qsh-auth", again, 32), 0);
		assert_memory_equal(again, last, 32);
		assert_int_equal(tp_conn_export(simpeer_conn(&p.cl), "EXPORTER-other", again, 32), 0);
		assert_memory_not_equal(again, last, 32);
		assert_int_equal(tp_conn_peer_key(simpeer_conn(&p.cl), key), 0);
		assert_memory_equal(key, p.net.pk, 32);
		simpair_free(&p);
	}
}

/* ---- one flight ---- */

static void
send_settings(struct simpeer *p)
{
	struct simstream *st;
	uint8_t settings[64];

	memset(settings, 1, sizeof(settings));
	assert_int_equal(simpeer_open(p, true, TP_PRIO_CONTROL, &st), 0);
	assert_int_equal(tp_stream_write(st->s, settings, sizeof(settings)), sizeof(settings));
}

/* As a client does: authentication, a channel and its input, all at once. */
static void
send_all(struct simpeer *p)
{
	struct simstream *st;
	uint8_t b[300];

	memset(b, 2, sizeof(b));
	assert_int_equal(simpeer_open(p, false, TP_PRIO_CONTROL, &st), 0);
	assert_int_equal(tp_stream_write(st->s, b, 300), 300);
	assert_int_equal(simpeer_open(p, false, TP_PRIO_INTERACTIVE, &st), 0);
	assert_int_equal(tp_stream_write(st->s, b, 200), 200);
	assert_int_equal(simpeer_open(p, true, TP_PRIO_INTERACTIVE, &st), 0);
	assert_int_equal(tp_stream_write(st->s, b, 100), 100);
	tp_stream_fin(st->s);
}

static void
answer(struct simpeer *p, struct simstream *st)
{
	struct simstream *control = simpeer_find(p, 0), *chan = simpeer_find(p, 4),
			 *in = simpeer_find(p, 2);

	(void)st;
	if (control == NULL || chan == NULL || in == NULL || control->n != 300 || chan->n != 200 ||
	    !in->fin)
		return;
	assert_int_equal(tp_stream_write(chan->s, "done", 4), 4);
}

static bool
answered(void *arg)
{
	struct simpeer *p = arg;
	struct simstream *chan = simpeer_find(p, 4);

	return chan != NULL && chan->n == 4;
}

/* The client asks twice and is answered twice: handshake, request. The server's handshake with its
 * SETTINGS is one datagram. */
static void
test_one_flight(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	p.net.link[0].delay = p.net.link[1].delay = 25 * NS_PER_MS;
	p.sv.on_early = send_settings;
	p.sv.on_data = answer;
	p.cl.on_done = send_all;
	simpair_connect(&p);
	simpair_run(&p, 26 * NS_PER_MS);
	assert_int_equal(p.net.end[SIM_SERVER].sent, 1);
	assert_true(p.net.end[SIM_SERVER].sent_bytes <= 1200);
	assert_true(simnet_run(&p.net, NS_PER_S, answered, &p.cl));
	assert_int_equal(p.net.end[SIM_CLIENT].trips, 4); /* counted from packets: 2 round trips */
	assert_int_equal(simnet_now(&p.net) - SIM_START, 100 * NS_PER_MS);
	assert_int_equal(simpeer_find(&p.cl, 3)->n, 64); /* SETTINGS */
	simpair_free(&p);
}

static bool
lose_first(void *arg, int from, uint8_t *p, size_t *n)
{
	unsigned *left = arg;

	(void)p;
	(void)n;
	if (from != SIM_CLIENT || *left == 0)
		return true;
	--*left;
	return false;
}

/* A lost first packet is sent again soon, not after a second. */
static void
test_first_packet_lost(void **state)
{
	struct simpair p;
	unsigned lose = 1;

	(void)state;
	simpair_init(&p, 1);
	p.net.tap = lose_first;
	p.net.tap_arg = &lose;
	simpair_connect(&p);
	simpair_run(&p, 400 * NS_PER_MS);
	assert_int_equal(p.cl.done, 1);
	simpair_free(&p);
}

/* ---- no answer ---- */

static void
test_timeout(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	p.cll.handshake_timeout = 5 * NS_PER_S;
	p.net.link[SIM_CLIENT].down = true;
	simpair_connect(&p);
	simpair_run(&p, 4900 * NS_PER_MS);
	assert_int_equal(p.cl.closed, 0);
	simpair_run(&p, 200 * NS_PER_MS);
	assert_int_equal(p.cl.closed, 1);
	assert_int_equal(p.cl.why.by, TP_CLOSED_HANDSHAKE_TIMEOUT);
	assert_int_equal(p.cl.done, 0);
	simpair_free(&p);
	/* The server waits no longer for a client that has gone. */
	simpair_init(&p, 2);
	p.svl.handshake_timeout = 3 * NS_PER_S;
	p.net.link[SIM_SERVER].down = true;
	simpair_connect(&p);
	simpair_run(&p, 4 * NS_PER_S);
	assert_int_equal(p.sv.closed, 1);
	assert_int_equal(p.sv.why.by, TP_CLOSED_HANDSHAKE_TIMEOUT);
	simpair_free(&p);
}

/* An address translator that forgets just after the handshake leaves a client that is never heard
 * again: it gives up, it does not hang. */
static void
test_unconfirmed(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	p.cll.handshake_timeout = 5 * NS_PER_S;
	p.cl.on_done = send_all;
	simpair_connect(&p);
	simpair_run(&p, 25 * NS_PER_MS); /* the client has its keys, the server not its Finished */
	assert_int_equal(p.cl.done, 1);
	assert_int_equal(p.sv.done, 0);
	p.net.link[SIM_SERVER].down = true;
	simpair_run(&p, 6 * NS_PER_MS);
	assert_int_equal(p.sv.done, 1);
	simpair_run(&p, 10 * NS_PER_S);
	assert_int_equal(p.cl.closed, 1);
	assert_int_equal(p.cl.why.by, TP_CLOSED_HANDSHAKE_TIMEOUT);
	simpair_free(&p);
}

/* ---- other versions, Retry ---- */

struct sniffer {
	uint8_t first[1500];
	size_t n;
};

static bool
sniff(void *arg, int from, uint8_t *p, size_t *n)
{
	struct sniffer *s = arg;

	if (from == SIM_CLIENT && s->n == 0) {
		memcpy(s->first, p, *n);
		s->n = *n;
	}
	return true;
}

static size_t
version_packet(const struct sniffer *s, uint32_t version, uint8_t *dst, size_t dstlen)
{
	ngtcp2_version_cid vc;
	ngtcp2_ssize n;

	assert_int_equal(ngtcp2_pkt_decode_version_cid(&vc, s->first, s->n, 0), 0);
	n = ngtcp2_pkt_write_version_negotiation(dst, dstlen, 7, vc.scid, vc.scidlen, vc.dcid,
	    vc.dcidlen, &version, 1);
	assert_true(n > 0);
	return (size_t)n;
}

static void
test_version(void **state)
{
	struct sniffer s = {.n = 0};
	struct simpair p;
	uint8_t vn[200];
	size_t n;

	(void)state;
	simpair_init(&p, 1);
	p.net.tap = sniff;
	p.net.tap_arg = &s;
	p.net.link[SIM_CLIENT].down = true;
	simpair_connect(&p);
	simpair_run(&p, NS_PER_MS);
	/* Of a list that names our own version nothing follows (RFC 9000 section 6.2). */
	n = version_packet(&s, 1, vn, sizeof(vn));
	simnet_inject(&p.net, SIM_CLIENT, vn, n);
	simpair_run(&p, NS_PER_MS);
	assert_int_equal(p.cl.closed, 0);
	n = version_packet(&s, 0xfaceb002, vn, sizeof(vn));
	simnet_inject(&p.net, SIM_CLIENT, vn, n);
	simpair_run(&p, NS_PER_MS);
	assert_int_equal(p.cl.closed, 1);
	assert_int_equal(p.cl.why.by, TP_CLOSED_VERSION);
	assert_true(p.cl.why.remote);
	simpair_free(&p);
}

static void
test_retry(void **state)
{
	struct simpair p;

	(void)state;
	simpair_init(&p, 1);
	p.net.retry = true;
	simpair_connect(&p);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.net.retries, 1);
	assert_int_equal(p.cl.done, 1);
	assert_int_equal(p.sv.done, 1);
	simpair_free(&p);
}

/* A server that is full says so in the first packet. */
static void
test_busy(void **state)
{
	struct sniffer s = {.n = 0};
	struct simpair p;
	ngtcp2_version_cid vc;
	ngtcp2_cid dcid, scid;
	uint8_t pkt[1300];
	ngtcp2_ssize n;

	(void)state;
	simpair_init(&p, 1);
	p.net.tap = sniff;
	p.net.tap_arg = &s;
	p.net.link[SIM_CLIENT].down = true;
	simpair_connect(&p);
	simpair_run(&p, NS_PER_MS);
	assert_int_equal(ngtcp2_pkt_decode_version_cid(&vc, s.first, s.n, 0), 0);
	ngtcp2_cid_init(&dcid, vc.scid, vc.scidlen);
	ngtcp2_cid_init(&scid, vc.dcid, vc.dcidlen);
	n = ngtcp2_crypto_write_connection_close(pkt, sizeof(pkt), 1, &dcid, &scid,
	    NGTCP2_CONNECTION_REFUSED, (const uint8_t *)"too\x1bmany", 8);
	assert_true(n > 0);
	simnet_inject(&p.net, SIM_CLIENT, pkt, (size_t)n);
	simpair_run(&p, NS_PER_MS);
	assert_int_equal(p.cl.closed, 1);
	assert_int_equal(p.cl.why.by, TP_CLOSED_REFUSED);
	assert_true(p.cl.why.remote);
	assert_string_equal(p.cl.why.reason, "too\\033many");
	simpair_free(&p);
}

/* ---- peers that do not fit ---- */

static void
test_alpn_client(void **state)
{
	struct rawpair r;

	(void)state;
	raw_server_init(&r, "h3");
	raw_run(&r, 20);
	assert_true(r.raw_closed);
	assert_int_equal(r.peer_code, NGTCP2_CRYPTO_ERROR | 120);
	assert_int_equal(r.peer.closed, 1);
	assert_int_equal(r.peer.why.by, TP_CLOSED_TLS);
	assert_int_equal(r.peer.why.code, 120);
	assert_false(r.peer.why.remote);
	assert_int_equal(r.peer.done, 0);
	raw_free(&r);
	/* To see that nothing but the name is in the way. */
	raw_server_init(&r, QUIC_ALPN);
	raw_run(&r, 20);
	assert_int_equal(r.peer.done, 1);
	assert_int_equal(r.peer.closed, 0);
	raw_free(&r);
}

/* Silence is over when something of the peer's comes, and not when anybody writes the connection's ID on a
 * datagram: who ends a connection for silence is not to be kept from it. */
static void
test_forged_sign_of_life(void **state)
{
	static const uint8_t ping[] = {0x01};
	const ngtcp2_cid *cid;
	uint8_t forged[64];
	struct tp_stats st;
	struct rawpair r;
	uint64_t before;

	(void)state;
	raw_server_init(&r, QUIC_ALPN);
	raw_run(&r, 20);
	assert_int_equal(r.peer.done, 1);
	tp_conn_stats(r.c, &st);
	before = st.last_rx_ns;
	r.now += 10 * NS_PER_S;
	cid = ngtcp2_conn_get_dcid(r.ng);
	memset(forged, 0x5a, sizeof(forged));
	forged[0] = 0x40;
	memcpy(forged + 1, cid->data, cid->datalen);
	assert_true(qconn_owns(r.c, forged, sizeof(forged)));
	assert_int_equal(qconn_input(r.c, &r.path, 0, forged, sizeof(forged), r.now), 0);
	tp_conn_stats(r.c, &st);
	assert_true(st.last_rx_ns == before);
	raw_inject(&r, ping, sizeof(ping));
	raw_deliver(&r);
	assert_non_null(r.c);
	tp_conn_stats(r.c, &st);
	assert_true(st.last_rx_ns == r.now);
	raw_free(&r);
}

/* The monitor refuses to sign: the handshake ends, nothing else does. */
static void
test_no_signature(void **state)
{
	struct rawpair r;

	(void)state;
	raw_server_init(&r, QUIC_ALPN);
	r.sign_result = QERR_DENIED;
	raw_run(&r, 20);
	assert_int_equal(r.signs, 1);
	assert_true(r.raw_closed);
	assert_int_equal(r.peer.why.by, TP_CLOSED_TLS);
	assert_int_equal(r.peer.done, 0);
	raw_free(&r);
}

#define PRIO_X509 "NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE"

static gnutls_certificate_credentials_t
x509_cred(void)
{
	gnutls_certificate_credentials_t cred;
	gnutls_x509_privkey_t key = raw_key(GNUTLS_PK_EDDSA_ED25519, 0);
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, "\1", 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, 0), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, 0x7fffffff), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA512, 0), 0);
	assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
	assert_int_equal(gnutls_certificate_set_x509_key(cred, &crt, 1, key), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return cred;
}

static void
refused_by_client(const char *alpn, const char *prio, unsigned flags,
    gnutls_certificate_credentials_t cred)
{
	struct rawpair r;

	raw_client_init(&r, alpn, prio, flags, cred);
	raw_run(&r, 20);
	assert_int_equal(r.peer.done, 0);
	assert_int_equal(r.peer.closed, 1);
	assert_int_equal(r.peer.why.by, TP_CLOSED_TLS);
	assert_true(r.peer.why.reason[0] != '\0');
	raw_free(&r);
}

static void
test_server_keys(void **state)
{
	struct rawpair r;

	(void)state;
	raw_client_init(&r, QUIC_ALPN, RAW_PRIORITY, GNUTLS_ENABLE_RAWPK,
	    raw_cred(GNUTLS_PK_EDDSA_ED25519, 0));
	raw_run(&r, 20);
	assert_int_equal(r.peer.done, 1);
	raw_free(&r);
	refused_by_client(QUIC_ALPN, RAW_PRIORITY, GNUTLS_ENABLE_RAWPK,
	    raw_cred(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)));
	refused_by_client(QUIC_ALPN, RAW_PRIORITY, GNUTLS_ENABLE_RAWPK, raw_cred(GNUTLS_PK_RSA, 2048));
	refused_by_client(QUIC_ALPN, PRIO_X509, 0, x509_cred());
	refused_by_client("h3", RAW_PRIORITY, GNUTLS_ENABLE_RAWPK, raw_cred(GNUTLS_PK_EDDSA_ED25519, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exporter),
		cmocka_unit_test(test_one_flight),
		cmocka_unit_test(test_first_packet_lost),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_unconfirmed),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_alpn_client),
		cmocka_unit_test(test_forged_sign_of_life), cmocka_unit_test(test_no_signature),
		cmocka_unit_test(test_server_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
