/* Key types by name, and the size of keys. */
#include <string.h>

#include "common/keys/keys.h"
#include "common/keys/keytype.h"

#define CERT "-cert-v01@openssh.com"

static const struct keytype types[] = {
	{"ssh-ed25519", "ED25519", KEYTYPE_FIXED, 256, false},
	{"ssh-ed25519" CERT, "ED25519-CERT", KEYTYPE_FIXED, 256, true},
	{"sk-ssh-ed25519@openssh.com", "ED25519-SK", KEYTYPE_FIXED, 256, false},
	{"sk-ssh-ed25519" CERT, "ED25519-SK-CERT", KEYTYPE_FIXED, 256, true},
	{"ecdsa-sha2-nistp256", "ECDSA", KEYTYPE_FIXED, 256, false},
	{"ecdsa-sha2-nistp256" CERT, "ECDSA-CERT", KEYTYPE_FIXED, 256, true},
	{"ecdsa-sha2-nistp384", "ECDSA", KEYTYPE_FIXED, 384, false},
	{"ecdsa-sha2-nistp384" CERT, "ECDSA-CERT", KEYTYPE_FIXED, 384, true},
	{"ecdsa-sha2-nistp521", "ECDSA", KEYTYPE_FIXED, 521, false},
	{"ecdsa-sha2-nistp521" CERT, "ECDSA-CERT", KEYTYPE_FIXED, 521, true},
	{"sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK", KEYTYPE_FIXED, 256, false},
	{"sk-ecdsa-sha2-nistp256" CERT, "ECDSA-SK-CERT", KEYTYPE_FIXED, 256, true},
	{"ssh-rsa", "RSA", KEYTYPE_RSA, 0, false},
	{"ssh-rsa" CERT, "RSA-CERT", KEYTYPE_RSA, 0, true},
	{"ssh-dss", "DSA", KEYTYPE_DSA, 0, false},
	{"ssh-dss" CERT, "DSA-CERT", KEYTYPE_DSA, 0, true},
};

const struct keytype *
keytype_find(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

const char *
pubkey_short_type(const struct pubkey *k)
{
	const struct keytype *t = keytype_find(k->type);

	if (t)
		return t->short_name;
	if (strncmp(k->type, "ecdsa-sha2-", 11) == 0) /* a curve that a PEM file did not show */
		return "ECDSA";
	return k->type;
}

static unsigned
mpint_bits(struct bytes b)
{
	while (b.n > 0 && b.p[0] == 0) {
		b.p++;
		b.n--;
	}
	if (b.n == 0)
		return 0;
	unsigned top = 8;
	while (!(b.p[0] >> (top - 1)))
		top--;
	return (unsigned)(8 * (b.n - 1)) + top;
}

unsigned
pubkey_bits(const struct pubkey *k)
{
	const struct keytype *t = keytype_find(k->type);
	struct rd r;

	if (!t)
		return 0;
	if (t->size == KEYTYPE_FIXED)
		return t->bits;
	rd_init(&r, k->blob, k->bloblen);
	rd_sshstr(&r, sizeof(k->type));
	if (t->cert)
		rd_sshstr(&r, KEY_BLOB_MAX);
	struct bytes first = rd_sshstr(&r, KEY_BLOB_MAX);
	if (t->size == KEYTYPE_DSA)
		return r.err ? 0 : mpint_bits(first);
	struct bytes second = rd_sshstr(&r, KEY_BLOB_MAX);
	return r.err ? 0 : mpint_bits(second);
}
