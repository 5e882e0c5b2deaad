/* Public keys: wire form, text form. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/keys/keys.h"

/* Names are ASCII without blanks, commas and control characters (RFC 4251 section 6). */
static bool
name_ok(struct bytes name)
{
	if (name.n == 0)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ',' || name.p[i] == '"')
			return false;
	return true;
}

static int
parse(struct pubkey *k, const uint8_t *blob, size_t n)
{
	struct rd r;

	if (n > KEY_BLOB_MAX)
		return QERR_TOOBIG;
	rd_init(&r, blob, n);
	struct bytes type = rd_sshstr(&r, sizeof(k->type) - 1);
	if (r.err)
		return r.err;
	if (!name_ok(type))
		return QERR_FORMAT;
	memcpy(k->type, type.p, type.n);
	k->type[type.n] = '\0';
	if (strcmp(k->type, KEY_ED25519_NAME) == 0) {
		struct bytes pk = rd_sshstr(&r, sizeof(k->pk));
		int err = rd_end(&r);
		if (err)
			return err;
		if (pk.n != sizeof(k->pk))
			return QERR_FORMAT;
		memcpy(k->pk, pk.p, pk.n);
		k->ed25519 = true;
	}
	k->blob = mem_dup(blob, n);
	if (!k->blob)
		return QERR_NOMEM;
	k->bloblen = n;
	return 0;
}

int
pubkey_from_blob(struct pubkey *k, const uint8_t *blob, size_t n)
{
	memset(k, 0, sizeof(*k));
	int err = parse(k, blob, n);
	if (err)
		memset(k, 0, sizeof(*k));
	return err;
}

int
pubkey_from_ed25519(struct pubkey *k, const uint8_t pk[32])
{
	struct buf b;

	buf_init(&b, KEY_BLOB_MAX);
	buf_put_sshstr(&b, KEY_ED25519_NAME, strlen(KEY_ED25519_NAME));
	buf_put_sshstr(&b, pk, 32);
	int err = b.err;
	if (err)
		memset(k, 0, sizeof(*k));
	else
		err = pubkey_from_blob(k, buf_data(&b), buf_len(&b));
	buf_free(&b);
	return err;
}

int
pubkey_from_text(struct pubkey *k, const char *s, const char **rest)
{
	size_t bloblen;

	memset(k, 0, sizeof(*k));
	s += strspn(s, " \t");
	size_t typelen = strcspn(s, " \t");
	const char *b64 = s + typelen + strspn(s + typelen, " \t");
	size_t b64len = strcspn(b64, " \t\r\n");
	if (typelen == 0 || b64len == 0 || b64len > 2 * KEY_BLOB_MAX)
		return QERR_FORMAT;
	uint8_t *blob = str_b64_decode(b64, b64len, &bloblen);
	if (!blob)
		return QERR_FORMAT;
	int err = pubkey_from_blob(k, blob, bloblen);
	free(blob);
	if (err)
		return err;
	if (strlen(k->type) != typelen || memcmp(k->type, s, typelen) != 0) {
		pubkey_free(k);
		return QERR_FORMAT;
	}
	if (rest)
		*rest = b64 + b64len;
	return 0;
}

char *
pubkey_to_text(const struct pubkey *k)
{
	char *b64 = str_b64(k->blob, k->bloblen);
	if (!b64)
		return NULL;
	char *s = str_printf("%s %s", k->type, b64);
	free(b64);
	return s;
}

bool
pubkey_equal(const struct pubkey *a, const struct pubkey *b)
{
	return a->blob && b->blob && a->bloblen == b->bloblen &&
	    memcmp(a->blob, b->blob, a->bloblen) == 0;
}

void
pubkey_free(struct pubkey *k)
{
	free(k->blob);
	memset(k, 0, sizeof(*k));
}
