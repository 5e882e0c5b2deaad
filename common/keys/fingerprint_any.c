/* Fingerprints with MD5 too, from libcrypto. */
#include <strings.h>
#include <openssl/evp.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/keys/keys.h"

#define MD5_LEN 16

char *
pubkey_fingerprint_any(const struct pubkey *k, const char *hash)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char text[MD5_LEN * 3 + 1];
	unsigned n = 0;

	if (!hash || strcasecmp(hash, "md5") != 0)
		return pubkey_fingerprint(k, hash);
	if (EVP_Digest(k->blob, k->bloblen, digest, &n, EVP_md5(), NULL) != 1 || n != MD5_LEN)
		return NULL;
	for (size_t i = 0; i < MD5_LEN; i++) {
		static const char hex[] = "0123456789abcdef";
		text[3 * i] = hex[digest[i] >> 4];
		text[3 * i + 1] = hex[digest[i] & 15];
		text[3 * i + 2] = ':';
	}
	text[sizeof(text) - 2] = '\0'; /* the last colon */
	return str_printf("MD5:%s", text);
}
