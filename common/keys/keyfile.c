/* Taking the container of OpenSSH's private key files apart. */
#include <string.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/keys/keyfile.h"

#define MARK_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define MARK_END   "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC      "openssh-key-v1" /* the zero byte behind it belongs to it */
#define SECTION_UNIT 8 /* an unencrypted private section is padded to this */

/* The base 64 text between the marks; QERR_FORMAT where there are none. */
static int
armor_body(struct bytes *body, const uint8_t *text, size_t n)
{
	while (n > 0 && strchr(" \t\r\n", *text) && *text != '\0') {
		text++;
		n--;
	}
	if (n < strlen(MARK_BEGIN) || memcmp(text, MARK_BEGIN, strlen(MARK_BEGIN)) != 0)
		return QERR_FORMAT;
	text += strlen(MARK_BEGIN);
	n -= strlen(MARK_BEGIN);
	for (size_t i = 0; i + strlen(MARK_END) <= n; i++)
		if (text[i] == '-') {
			body->p = text;
			body->n = i;
			return memcmp(text + i, MARK_END, strlen(MARK_END)) == 0 ? 0 : QERR_FORMAT;
		}
	return QERR_TRUNC;
}

static int
dearmor(struct keyfile *kf, size_t *len, const uint8_t *text, size_t n)
{
	struct bytes body = {NULL, 0};

	int err = armor_body(&body, text, n);
	if (err)
		return err;
	if (sodium_init() < 0)
		return QERR_CRYPTO;
	kf->mem = sodium_malloc(body.n + 1);
	if (!kf->mem)
		return QERR_NOMEM;
	if (sodium_base642bin(kf->mem, body.n + 1, (const char *)body.p, body.n, " \t\r\n", len,
		NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return QERR_FORMAT;
	return 0;
}

static bool
bytes_are(struct bytes b, const char *s)
{
	return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

static int
read_kdf(struct keyfile *kf, struct bytes options)
{
	struct rd r;

	kf->encrypted = !bytes_are(kf->cipher, "none");
	if (bytes_are(kf->kdf, "none"))
		return kf->encrypted ? QERR_FORMAT : 0;
	if (!bytes_are(kf->kdf, "bcrypt"))
		return QERR_UNSUPPORTED;
	if (!kf->encrypted)
		return QERR_FORMAT;
	rd_init(&r, options.p, options.n);
	kf->salt = rd_sshstr(&r, KEYFILE_MAX);
	kf->rounds = rd_u32(&r);
	return rd_end(&r);
}

int
keyfile_open(struct keyfile *kf, struct privkey *k, const uint8_t *text, size_t n)
{
	struct rd r;
	size_t len;

	memset(kf, 0, sizeof(*kf));
	if (n > KEYFILE_MAX)
		return QERR_TOOBIG;
	int err = dearmor(kf, &len, text, n);
	if (err == QERR_FORMAT && !kf->mem)
		return keyfile_other_format(&k->pub, text, n);
	if (err)
		return err;
	rd_init(&r, kf->mem, len);
	struct bytes magic = rd_bytes(&r, sizeof(MAGIC));
	if (r.err || memcmp(magic.p, MAGIC, sizeof(MAGIC)) != 0)
		return QERR_FORMAT;
	kf->cipher = rd_sshstr(&r, sizeof(k->cipher) - 1);
	kf->kdf = rd_sshstr(&r, sizeof(k->cipher) - 1);
	struct bytes options = rd_sshstr(&r, KEYFILE_MAX);
	uint32_t nkeys = rd_u32(&r);
	struct bytes pub = rd_sshstr(&r, KEY_BLOB_MAX);
	kf->secret = rd_sshstr(&r, KEYFILE_MAX);
	if (r.err)
		return r.err;
	kf->tag = rd_bytes(&r, r.n);
	if (nkeys != 1)
		return QERR_FORMAT;
	if ((err = pubkey_from_blob(&k->pub, pub.p, pub.n)) != 0)
		return err;
	if (!k->pub.ed25519)
		return QERR_UNSUPPORTED;
	if ((err = read_kdf(kf, options)) != 0)
		return err;
	if (!kf->encrypted && (kf->tag.n != 0 || kf->secret.n % SECTION_UNIT != 0))
		return QERR_FORMAT;
	return 0;
}

void
keyfile_close(struct keyfile *kf)
{
	sodium_free(kf->mem); /* wipes */
	memset(kf, 0, sizeof(*kf));
}

/* The secret half has to belong to the public one, in all three places that show it: who
 * signs with a key that does not fit gives the secret away. */
static int
take_secret(struct privkey *k, struct bytes pk, struct bytes sk)
{
	if (pk.n != sizeof(k->pub.pk) || sk.n != crypto_sign_SECRETKEYBYTES ||
	    memcmp(pk.p, k->pub.pk, pk.n) != 0)
		return QERR_FORMAT;
	struct privkey made;
	int err = privkey_from_seed(&made, sk.p);
	if (err)
		return err;
	if (sodium_memcmp(made.sk, sk.p, sk.n) == 0 && pubkey_equal(&made.pub, &k->pub)) {
		k->sk = made.sk;
		made.sk = NULL;
	} else {
		err = QERR_FORMAT;
	}
	privkey_free(&made);
	return err;
}

int
keyfile_private(struct privkey *k, struct bytes plain, int wrong)
{
	struct rd r;

	rd_init(&r, plain.p, plain.n);
	uint32_t check1 = rd_u32(&r), check2 = rd_u32(&r);
	if (r.err || check1 != check2)
		return wrong;
	struct bytes type = rd_sshstr(&r, sizeof(k->pub.type));
	struct bytes pk = rd_sshstr(&r, KEY_BLOB_MAX);
	struct bytes sk = rd_sshstr(&r, KEY_BLOB_MAX);
	struct bytes comment = rd_sshstr(&r, KEYFILE_MAX);
	if (r.err)
		return QERR_FORMAT;
	for (size_t i = 0; i < r.n; i++)
		if (r.p[i] != (uint8_t)(i + 1))
			return QERR_FORMAT;
	if (!bytes_are(type, k->pub.type) || memchr(comment.p, 0, comment.n))
		return QERR_FORMAT;
	int err = take_secret(k, pk, sk);
	if (err)
		return err;
	k->comment = strndup((const char *)comment.p, comment.n);
	return k->comment ? 0 : QERR_NOMEM;
}
