/* Private keys in other formats: recognised, so that a message can say what a file is. */
#include <string.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/keys/keyfile.h"

/* First lines, and the key type where they say it. */
static const struct format {
	const char *head;
	const char *type;
	bool der; /* the body may show the type */
} formats[] = {
	{"-----BEGIN RSA PRIVATE KEY-----", "ssh-rsa", false},
	{"-----BEGIN DSA PRIVATE KEY-----", "ssh-dss", false},
	{"-----BEGIN EC PRIVATE KEY-----", "ecdsa-sha2-", true},
	{"-----BEGIN PRIVATE KEY-----", "", true},
	{"-----BEGIN ENCRYPTED PRIVATE KEY-----", "", false},
	{"PuTTY-User-Key-File-", "", false},
	{"SSH PRIVATE KEY FILE FORMAT 1.1\n", "", false},
	{"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", "", false},
};

/* Object identifiers in DER. Curves before the identifier for elliptic curves in general. */
#define OID_MAX 11
static const struct oid {
	uint8_t n, der[OID_MAX];
	const char *type;
} oids[] = {
	{10, {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, "ecdsa-sha2-nistp256"},
	{7, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, "ecdsa-sha2-nistp384"},
	{7, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}, "ecdsa-sha2-nistp521"},
	{11, {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}, "ssh-rsa"},
	{9, {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01}, "ssh-dss"},
	{5, {0x06, 0x03, 0x2b, 0x65, 0x70}, KEY_ED25519_NAME},
};

static bool
contains(const uint8_t *p, size_t n, const uint8_t *what, size_t len)
{
	for (size_t i = 0; i + len <= n; i++)
		if (memcmp(p + i, what, len) == 0)
			return true;
	return false;
}

/* Decodes the body as far as it is base 64 and looks for an identifier. */
static const char *
type_in_der(const uint8_t *body, size_t n)
{
	const char *type = NULL;
	size_t len = 0;

	if (sodium_init() < 0)
		return NULL;
	uint8_t *der = sodium_malloc(n + 1);
	if (!der)
		return NULL;
	const char *end;
	sodium_base642bin(der, n + 1, (const char *)body, n, " \t\r\n", &len, &end,
	    sodium_base64_VARIANT_ORIGINAL);
	for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]) && !type; i++)
		if (contains(der, len, oids[i].der, oids[i].n))
			type = oids[i].type;
	sodium_free(der);
	return type;
}

int
keyfile_other_format(struct pubkey *pub, const uint8_t *text, size_t n)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const struct format *f = &formats[i];
		size_t len = strlen(f->head);
		if (n < len || memcmp(text, f->head, len) != 0)
			continue;
		const char *type = f->der ? type_in_der(text + len, n - len) : NULL;
		memset(pub, 0, sizeof(*pub));
		strncpy(pub->type, type ? type : f->type, sizeof(pub->type) - 1);
		return QERR_UNSUPPORTED;
	}
	return QERR_FORMAT;
}
