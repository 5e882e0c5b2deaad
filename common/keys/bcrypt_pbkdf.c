/* bcrypt_pbkdf: PBKDF2 whose pseudorandom function is bcrypt over SHA-512 hashes of password
 * and salt, and whose blocks are interleaved in the output. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the Blowfish block function has no newer interface */
#include <string.h>
#include <openssl/blowfish.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/keys/blowfish_pi.h"
#include "common/keys/keys.h"

#define HASH_WORDS   8
#define HASH_LEN     (4 * HASH_WORDS)
#define KEY_WORDS    (crypto_hash_sha512_BYTES / 4)
#define COST_LOG2    6 /* expansions of the state, and encryptions of the text: 2^6 */
#define SALT_MAX     (1u << 20)

_Static_assert(sizeof(((BF_KEY *)0)->P) == 4 * BLOWFISH_P_WORDS, "OpenSSL's P array");
_Static_assert(sizeof(((BF_KEY *)0)->S) == 4 * BLOWFISH_S_WORDS, "OpenSSL's S boxes");

static uint32_t
get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
words_from_hash(uint32_t w[KEY_WORDS], const uint8_t h[crypto_hash_sha512_BYTES])
{
	for (size_t i = 0; i < KEY_WORDS; i++)
		w[i] = get_be32(h + 4 * i);
}

/* Runs the cipher over its own state; with a salt, its words are mixed into the chain. */
static void
rekey(BF_KEY *bf, BF_LONG *state, size_t n, BF_LONG chain[2], const uint32_t *salt, size_t *at)
{
	for (size_t i = 0; i < n; i += 2) {
		if (salt) {
			chain[0] ^= salt[(*at)++ % KEY_WORDS];
			chain[1] ^= salt[(*at)++ % KEY_WORDS];
		}
		BF_encrypt(chain, bf);
		state[i] = chain[0];
		state[i + 1] = chain[1];
	}
}

/* Blowfish's key schedule, and (salt given) Eksblowfish's first step. */
static void
expand(BF_KEY *bf, const uint32_t key[KEY_WORDS], const uint32_t *salt)
{
	BF_LONG chain[2] = {0, 0};
	size_t at = 0;

	for (size_t i = 0; i < BLOWFISH_P_WORDS; i++)
		bf->P[i] ^= key[i % KEY_WORDS];
	rekey(bf, bf->P, BLOWFISH_P_WORDS, chain, salt, &at);
	rekey(bf, bf->S, BLOWFISH_S_WORDS, chain, salt, &at);
	sodium_memzero(chain, sizeof(chain));
}

static void
bcrypt_hash(uint8_t out[HASH_LEN], const uint8_t pass[crypto_hash_sha512_BYTES],
    const uint8_t salt[crypto_hash_sha512_BYTES])
{
	static const uint8_t text[HASH_LEN + 1] = "OxychromaticBlowfishSwatDynamite";
	uint32_t pw[KEY_WORDS], sw[KEY_WORDS];
	BF_LONG c[HASH_WORDS];
	BF_KEY bf;

	words_from_hash(pw, pass);
	words_from_hash(sw, salt);
	memcpy(bf.P, blowfish_pi, sizeof(bf.P));
	memcpy(bf.S, blowfish_pi + BLOWFISH_P_WORDS, sizeof(bf.S));
	expand(&bf, pw, sw);
	for (unsigned i = 0; i < 1u << COST_LOG2; i++) {
		expand(&bf, sw, NULL);
		expand(&bf, pw, NULL);
	}
	for (size_t i = 0; i < HASH_WORDS; i++)
		c[i] = get_be32(text + 4 * i);
	for (unsigned i = 0; i < 1u << COST_LOG2; i++)
		for (size_t j = 0; j < HASH_WORDS; j += 2)
			BF_encrypt(c + j, &bf);
	for (size_t i = 0; i < HASH_LEN; i++) /* unlike all else, little endian */
		out[i] = (uint8_t)(c[i / 4] >> (8 * (i % 4)));
	sodium_memzero(&bf, sizeof(bf));
	sodium_memzero(c, sizeof(c));
	sodium_memzero(pw, sizeof(pw));
	sodium_memzero(sw, sizeof(sw));
}

/* SHA-512 of the salt and a block's number. */
static void
first_salt(uint8_t h[crypto_hash_sha512_BYTES], const uint8_t *salt, size_t n, uint32_t block)
{
	const uint8_t be[4] = {(uint8_t)(block >> 24), (uint8_t)(block >> 16),
	    (uint8_t)(block >> 8), (uint8_t)block};
	crypto_hash_sha512_state st;

	crypto_hash_sha512_init(&st);
	crypto_hash_sha512_update(&st, salt, n);
	crypto_hash_sha512_update(&st, be, sizeof(be));
	crypto_hash_sha512_final(&st, h);
	sodium_memzero(&st, sizeof(st));
}

int
bcrypt_pbkdf(const void *pass, size_t passlen, const uint8_t *salt, size_t saltlen, uint8_t *key,
    size_t keylen, unsigned rounds)
{
	uint8_t hpass[crypto_hash_sha512_BYTES], hsalt[crypto_hash_sha512_BYTES];
	uint8_t sum[HASH_LEN], last[HASH_LEN];

	if (passlen == 0 || saltlen == 0 || saltlen > SALT_MAX || keylen == 0 ||
	    keylen > HASH_LEN * HASH_LEN || rounds == 0 || rounds > BCRYPT_ROUNDS_MAX)
		return QERR_INVAL;
	crypto_hash_sha512(hpass, pass, passlen);
	/* Byte i of block b is byte i * blocks + b of the key: no part of the key can be had
	 * without computing every block. */
	size_t blocks = (keylen + HASH_LEN - 1) / HASH_LEN;
	for (size_t b = 0; b < blocks; b++) {
		first_salt(hsalt, salt, saltlen, (uint32_t)b + 1);
		bcrypt_hash(last, hpass, hsalt);
		memcpy(sum, last, sizeof(sum));
		for (unsigned r = 1; r < rounds; r++) {
			crypto_hash_sha512(hsalt, last, sizeof(last));
			bcrypt_hash(last, hpass, hsalt);
			for (size_t i = 0; i < HASH_LEN; i++)
				sum[i] ^= last[i];
		}
		for (size_t i = 0; i < HASH_LEN && i * blocks + b < keylen; i++)
			key[i * blocks + b] = sum[i];
	}
	sodium_memzero(hpass, sizeof(hpass));
	sodium_memzero(hsalt, sizeof(hsalt));
	sodium_memzero(sum, sizeof(sum));
	sodium_memzero(last, sizeof(last));
	return 0;
}
