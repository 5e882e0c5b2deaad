/* Packet protection: RFC 9001's own packets, both implementations against each other, and what must not
 * be accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#include "common/base/err.h"
#include "quic/protect/impl.h"

#define PACKET_MAX 16384

/* Calls f for every implementation that this processor can use. */
static void
each(void (*f)(const struct protect_impl *impl))
{
	f(&protect_gnutls);
#ifdef HAVE_IPSEC_MB
	if ((protect_cpu() & PROTECT_CPU_MB) != 0)
		f(&protect_ipsecmb);
#endif
}

static size_t
hex(uint8_t *out, const char *s)
{
	size_t n;

	assert_int_equal(sodium_hex2bin(out, PACKET_MAX, s, strlen(s), " ", &n, NULL), 0);
	return n;
}

static void
check_hex(const uint8_t *p, size_t n, const char *want)
{
	uint8_t b[PACKET_MAX];

	assert_int_equal(hex(b, want), n);
	assert_memory_equal(p, b, n);
}

static struct protect_aead *
aead(const struct protect_impl *impl, enum protect_suite suite, const char *key)
{
	uint8_t k[PACKET_MAX];
	struct protect_aead *a;

	assert_int_equal(hex(k, key), protect_keylen(suite));
	assert_int_equal(impl->aead_new(&a, suite, k), 0);
	return a;
}

static void
check_mask(const struct protect_impl *impl, enum protect_suite suite, const char *key,
    const char *sample, const char *want)
{
	uint8_t k[PACKET_MAX], s[PACKET_MAX], m[PROTECT_MASK];
	struct protect_hp *h;
	int r;

	assert_int_equal(hex(k, key), protect_keylen(suite));
	assert_int_equal(hex(s, sample), PROTECT_SAMPLE);
	r = impl->hp_new(&h, suite, k);
	if (r == QERR_UNSUPPORTED && impl != &protect_gnutls)
		return;
	assert_int_equal(r, 0);
	assert_int_equal(protect_mask(h, m, s), 0);
	check_hex(m, sizeof(m), want);
	protect_hp_free(&h);
	assert_null(h);
}

/* Appendix A.2: the client's Initial, of 1162 bytes of frames, mostly padding. */
static void
client_initial(const struct protect_impl *impl)
{
	static const char crypto[] =
	    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868"
	    "04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578"
	    "616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
	    "04616c706e000500050100000000003300260024001d00209370b2c9caa47fba"
	    "baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400"
	    "0d0010000e0403050306030203080408050806002d00020101001c0002400100"
	    "3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
	    "75300901100f088394c8f03e51570806048000ffff";
	uint8_t p[PACKET_MAX] = {0}, aad[PACKET_MAX], nonce[PACKET_MAX], out[PACKET_MAX];
	struct protect_aead *a = aead(impl, PROTECT_AES_128_GCM, "1f369613dd76d5467730efcbe3b1a22d");
	size_t naad;

	assert_true(hex(p, crypto) < 1162);
	naad = hex(aad, "c300000001088394c8f03e5157080000449e00000002");
	hex(nonce, "fa044b2f42a3fd3b46fb255e"); /* the IV with packet number 2 */
	assert_int_equal(protect_seal(a, out, p, 1162, nonce, aad, naad), 0);
	check_hex(out, 16, "d1b1c98dd7689fb8ec11d242b123dc9b");
	check_hex(out + 1162, PROTECT_TAG, "e221af44860018ab0856972e194cd934");
	assert_int_equal(protect_open(a, out, out, 1162 + PROTECT_TAG, nonce, aad, naad), 0);
	assert_memory_equal(out, p, 1162);
	protect_aead_free(&a);
	assert_null(a);
	check_mask(impl, PROTECT_AES_128_GCM, "9f50449e04a0e810283a1e9933adedd2",
	    "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36");
}

/* Appendix A.3: the server's Initial, whole. */
static void
server_initial(const struct protect_impl *impl)
{
	uint8_t p[PACKET_MAX], aad[PACKET_MAX], nonce[PACKET_MAX], out[PACKET_MAX];
	struct protect_aead *a = aead(impl, PROTECT_AES_128_GCM, "cf3a5331653c364c88f0f379b6067e37");
	size_t n, naad;

	n = hex(p, "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b"
		   "9a045a1200130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311"
		   "bcf32bb9da1a002b00020304");
	naad = hex(aad, "c1000000010008f067a5502a4262b50040750001");
	hex(nonce, "0ac1493ca1905853b0bba03f"); /* the IV with packet number 1 */
	assert_int_equal(protect_seal(a, out, p, n, nonce, aad, naad), 0);
	check_hex(out, n + PROTECT_TAG,
	    "5a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6"
	    "ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850"
	    "abbdca3d20398c276456cbc42158407dd074ee");
	protect_aead_free(&a);
	check_mask(impl, PROTECT_AES_128_GCM, "c206b8d9b9f0f37644430b490eeaa314",
	    "2cd0991cd25b0aac406a5816b6394100", "2ec0d8356a");
}

/* Appendix A.4: a tag over nothing but additional data. */
static void
retry(const struct protect_impl *impl)
{
	uint8_t aad[PACKET_MAX], nonce[PACKET_MAX], tag[PROTECT_TAG];
	struct protect_aead *a = aead(impl, PROTECT_AES_128_GCM, "be0c690b9f66575a1d766b54e368c84e");
	size_t naad;

	naad = hex(aad, "088394c8f03e515708ff000000010008f067a5502a4262b5746f6b656e");
	hex(nonce, "461599d35d632bf2239825bb");
	assert_int_equal(protect_seal(a, tag, tag, 0, nonce, aad, naad), 0);
	check_hex(tag, sizeof(tag), "04a265ba2eff4d829058fb3f0f2496ba");
	protect_aead_free(&a);
}

/* Appendix A.5: a short header packet that holds a PING. */
static void
chacha_short(const struct protect_impl *impl)
{
	uint8_t p[PACKET_MAX], aad[PACKET_MAX], nonce[PACKET_MAX], out[PACKET_MAX];
	struct protect_aead *a = aead(impl, PROTECT_CHACHA20_POLY1305,
	    "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8");
	size_t n, naad;

	n = hex(p, "01");
	naad = hex(aad, "4200bff4");
	hex(nonce, "e0459b3474bdd0e46d417eb0");
	assert_int_equal(protect_seal(a, out, p, n, nonce, aad, naad), 0);
	check_hex(out, n + PROTECT_TAG, "655e5cd55c41f69080575d7999c25a5bfb");
	protect_aead_free(&a);
	check_mask(impl, PROTECT_CHACHA20_POLY1305,
	    "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
	    "5e5cd55c41f69080575d7999c25a5bfb", "aefefe7d03");
}

/* FIPS 197, appendix C.3: what header protection with AES-256 comes to. */
static void
aes_256_block(const struct protect_impl *impl)
{
	check_mask(impl, PROTECT_AES_256_GCM,
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	    "00112233445566778899aabbccddeeff", "8ea2b7ca51");
}

static void
test_rfc9001(void **state)
{
	(void)state;
	each(client_initial);
	each(server_initial);
	each(retry);
	each(chacha_short);
	each(aes_256_block);
}

/* What any one bit of a packet, its header, its nonce or its key changes, is refused. */
static void
tamper(const struct protect_impl *impl)
{
	uint8_t key[PROTECT_KEY_MAX], nonce[PROTECT_NONCE], aad[40], p[100], good[116], b[116], out[116];
	struct protect_aead *a, *other;
	unsigned i, s;

	for (s = 0; s < PROTECT_SUITES; s++) {
		randombytes_buf(key, sizeof(key));
		randombytes_buf(nonce, sizeof(nonce));
		randombytes_buf(aad, sizeof(aad));
		randombytes_buf(p, sizeof(p));
		assert_int_equal(impl->aead_new(&a, s, key), 0);
		assert_int_equal(protect_seal(a, good, p, 100, nonce, aad, 40), 0);
		assert_int_equal(protect_open(a, out, good, 116, nonce, aad, 40), 0);
		assert_memory_equal(out, p, 100);
		for (i = 0; i < 116 * 8; i++) {
			memcpy(b, good, 116);
			b[i / 8] ^= (uint8_t)(1 << i % 8);
			assert_int_equal(protect_open(a, out, b, 116, nonce, aad, 40), QERR_SIGNATURE);
		}
		for (i = 0; i < 40 * 8; i++) {
			aad[i / 8] ^= (uint8_t)(1 << i % 8);
			assert_int_equal(protect_open(a, out, good, 116, nonce, aad, 40), QERR_SIGNATURE);
			aad[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		for (i = 0; i < 12 * 8; i++) {
			nonce[i / 8] ^= (uint8_t)(1 << i % 8);
			assert_int_equal(protect_open(a, out, good, 116, nonce, aad, 40), QERR_SIGNATURE);
			nonce[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		for (i = 0; i < 116; i++)
			assert_int_equal(protect_open(a, out, good, i, nonce, aad, 40), QERR_SIGNATURE);
		assert_int_equal(protect_open(a, out, good, 116, nonce, aad, 39), QERR_SIGNATURE);
		key[3] ^= 16;
		assert_int_equal(impl->aead_new(&other, s, key), 0);
		assert_int_equal(protect_open(other, out, good, 116, nonce, aad, 40), QERR_SIGNATURE);
		assert_int_equal(protect_open(a, out, good, 116, nonce, aad, 40), 0);
		protect_aead_free(&other);
		protect_aead_free(&a);
	}
}

static void
test_tamper(void **state)
{
	(void)state;
	each(tamper);
}

#ifdef HAVE_IPSEC_MB
/* One packet of each implementation, in place and not: the same bytes, and read by the other. */
static void
cross(struct protect_aead *const a[2], const uint8_t *p, size_t n, size_t naad)
{
	uint8_t nonce[PROTECT_NONCE], aad[64], sealed[2][PACKET_MAX + PROTECT_TAG], b[PACKET_MAX + PROTECT_TAG];
	unsigned i;

	randombytes_buf(nonce, sizeof(nonce));
	randombytes_buf(aad, sizeof(aad));
	for (i = 0; i < 2; i++) {
		assert_int_equal(protect_seal(a[i], sealed[i], p, n, nonce, aad, naad), 0);
		memcpy(b, p, n);
		assert_int_equal(protect_seal(a[i], b, b, n, nonce, aad, naad), 0);
		assert_memory_equal(b, sealed[i], n + PROTECT_TAG);
	}
	assert_memory_equal(sealed[0], sealed[1], n + PROTECT_TAG);
	for (i = 0; i < 2; i++) {
		memset(b, 0, n);
		assert_int_equal(protect_open(a[i], b, sealed[1 - i], n + PROTECT_TAG, nonce, aad, naad), 0);
		assert_true(n == 0 || memcmp(b, p, n) == 0);
		memcpy(b, sealed[i], n + PROTECT_TAG);
		assert_int_equal(protect_open(a[i], b, b, n + PROTECT_TAG, nonce, aad, naad), 0);
		assert_true(n == 0 || memcmp(b, p, n) == 0);
	}
}

static void
cross_masks(enum protect_suite suite, const uint8_t *key)
{
	uint8_t sample[PROTECT_SAMPLE], m[2][PROTECT_MASK];
	struct protect_hp *h[2];
	unsigned i;
	int r = protect_ipsecmb.hp_new(&h[1], suite, key);

	if (r == QERR_UNSUPPORTED)
		return;
	assert_int_equal(r, 0);
	assert_int_equal(protect_gnutls.hp_new(&h[0], suite, key), 0);
	for (i = 0; i < 100; i++) {
		randombytes_buf(sample, sizeof(sample));
		assert_int_equal(protect_mask(h[0], m[0], sample), 0);
		assert_int_equal(protect_mask(h[1], m[1], sample), 0);
		assert_memory_equal(m[0], m[1], PROTECT_MASK);
	}
	protect_hp_free(&h[0]);
	protect_hp_free(&h[1]);
}
#endif

/* Every length of a small packet, and some of large ones. */
static void
test_cross(void **state)
{
#ifdef HAVE_IPSEC_MB
	static uint8_t p[PACKET_MAX];
	uint8_t key[PROTECT_KEY_MAX];
	struct protect_aead *a[2];
	unsigned s;
	size_t n;

	(void)state;
	if ((protect_cpu() & PROTECT_CPU_MB) == 0)
		skip();
	randombytes_buf(p, sizeof(p));
	for (s = 0; s < PROTECT_SUITES; s++) {
		randombytes_buf(key, sizeof(key));
		assert_int_equal(protect_gnutls.aead_new(&a[0], s, key), 0);
		assert_int_equal(protect_ipsecmb.aead_new(&a[1], s, key), 0);
		for (n = 0; n < 1500; n++)
			cross(a, p, n, 1 + n % 64);
		for (; n <= PACKET_MAX; n += 1 + randombytes_uniform(500))
			cross(a, p, n, 20);
		protect_aead_free(&a[0]);
		protect_aead_free(&a[1]);
		cross_masks(s, key);
	}
#else
	(void)state;
	skip();
#endif
}

/* What the processor has decides which library, and whether AES comes first; keys made before stay
 * what they were. */
static void
test_pick(void **state)
{
	static const uint8_t key[PROTECT_KEY_MAX], nonce[PROTECT_NONCE];
	uint8_t b[20 + PROTECT_TAG] = {0};
	struct protect_aead *before, *after;

	(void)state;
	protect_init(protect_cpu());
	assert_int_equal(protect_prefers_aes(), (protect_cpu() & PROTECT_CPU_AES) != 0);
#ifdef HAVE_IPSEC_MB
	if ((protect_cpu() & PROTECT_CPU_MB) != 0)
		assert_string_equal(protect_library(), "libipsec-mb");
#endif
	assert_int_equal(protect_aead_new(&before, PROTECT_AES_128_GCM, key), 0);
	protect_init(PROTECT_CPU_AES);
	assert_true(protect_prefers_aes());
	assert_string_equal(protect_library(), "GnuTLS");
	protect_init(0);
	assert_false(protect_prefers_aes());
	assert_string_equal(protect_library(), "GnuTLS");
	assert_int_equal(protect_aead_new(&after, PROTECT_AES_128_GCM, key), 0);
	assert_int_equal(protect_seal(before, b, b, 20, nonce, b, 0), 0);
	assert_int_equal(protect_open(after, b, b, sizeof(b), nonce, b, 0), 0);
	protect_aead_free(&before);
	protect_aead_free(&after);
	protect_init(protect_cpu());
}

/* A client's first packet does not wait for the library; what carries data is protected by it nevertheless. */
static void
test_later(void **state)
{
	static const uint8_t key[PROTECT_KEY_MAX], nonce[PROTECT_NONCE];
	uint8_t b[20 + PROTECT_TAG] = {0};
	struct protect_aead *before, *after;
	const char *chosen = protect_library();

	(void)state;
	protect_init_later(protect_cpu());
	assert_int_equal(protect_prefers_aes(), (protect_cpu() & PROTECT_CPU_AES) != 0);
	assert_string_equal(protect_library(), "GnuTLS");
	assert_int_equal(protect_aead_new(&before, PROTECT_AES_128_GCM, key), 0);
	protect_settle();
	assert_string_equal(protect_library(), chosen);
	protect_settle();
	assert_int_equal(protect_aead_new(&after, PROTECT_AES_128_GCM, key), 0);
	assert_int_equal(protect_seal(before, b, b, 20, nonce, b, 0), 0);
	assert_int_equal(protect_open(after, b, b, sizeof(b), nonce, b, 0), 0);
	protect_aead_free(&before);
	protect_aead_free(&after);
}

static int
setup(void **state)
{
	(void)state;
	if (sodium_init() < 0 || gnutls_global_init() != 0)
		return -1;
	protect_init(protect_cpu());
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc9001),
		cmocka_unit_test(test_tamper),
		cmocka_unit_test(test_cross),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_later),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
