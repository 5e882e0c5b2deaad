/* Hashed host names of known_hosts. */
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/keys/knownhosts_hash.h"

#define MAGIC "|1|"
#define SHA1_LEN 20

static int
hmac_sha1(uint8_t out[SHA1_LEN], const uint8_t salt[SHA1_LEN], const char *host)
{
	unsigned n = SHA1_LEN;

	if (!HMAC(EVP_sha1(), salt, SHA1_LEN, (const unsigned char *)host, strlen(host), out, &n))
		return QERR_CRYPTO;
	return n == SHA1_LEN ? 0 : QERR_CRYPTO;
}

/* n characters of base 64 that have to stand for SHA1_LEN bytes. */
static int
decode(uint8_t out[SHA1_LEN], const char *s, size_t n)
{
	size_t len = 0;

	uint8_t *p = str_b64_decode(s, n, &len);
	int err = p && len == SHA1_LEN ? 0 : QERR_FORMAT;
	if (!err)
		memcpy(out, p, SHA1_LEN);
	free(p);
	return err;
}

int
kh_hash_match(const char *hashed, const char *host)
{
	uint8_t salt[SHA1_LEN], want[SHA1_LEN], have[SHA1_LEN];

	if (strncmp(hashed, MAGIC, strlen(MAGIC)) != 0)
		return QERR_FORMAT;
	const char *s = hashed + strlen(MAGIC);
	size_t n = strcspn(s, "|");
	if (s[n] != '|' || decode(salt, s, n) != 0)
		return QERR_FORMAT;
	s += n + 1;
	if (decode(want, s, strlen(s)) != 0)
		return QERR_FORMAT;
	int err = hmac_sha1(have, salt, host);
	if (err)
		return err;
	return memcmp(want, have, sizeof(have)) == 0;
}

char *
kh_hash_new(const char *host)
{
	uint8_t salt[SHA1_LEN], mac[SHA1_LEN];
	char *s = NULL;

	if (sodium_init() < 0)
		return NULL;
	randombytes_buf(salt, sizeof(salt));
	if (hmac_sha1(mac, salt, host) != 0)
		return NULL;
	char *b64salt = str_b64(salt, sizeof(salt));
	char *b64mac = str_b64(mac, sizeof(mac));
	if (b64salt && b64mac)
		s = str_printf(MAGIC "%s|%s", b64salt, b64mac);
	free(b64salt);
	free(b64mac);
	return s;
}
