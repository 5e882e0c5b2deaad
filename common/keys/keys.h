/* Keys: formats, signatures, files. Ed25519 now; other types are parsed by name, so that a
 * message can say what they are, and refused with QERR_UNSUPPORTED. */
#ifndef QSH_KEYS_KEYS_H
#define QSH_KEYS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

#define KEY_ED25519_NAME "ssh-ed25519"
#define KEY_BLOB_MAX 16384

/* A public key in SSH wire form (RFC 4253 section 6.6). */
struct pubkey {
	char type[64];       /* "ssh-ed25519" */
	uint8_t *blob;       /* owned */
	size_t bloblen;
	bool ed25519;
	uint8_t pk[32];      /* raw, if ed25519 */
};

/* Each fills k (fresh memory, pubkey_free) or leaves it empty. Types that are not known are
 * fine. QERR_FORMAT, QERR_TRUNC, QERR_TOOBIG, QERR_NOMEM. */
int pubkey_from_blob(struct pubkey *k, const uint8_t *blob, size_t n);
int pubkey_from_ed25519(struct pubkey *k, const uint8_t pk[32]);
/* "ssh-ed25519 AAAA... comment": *rest (may be NULL) points behind the base 64 part, into s. */
int pubkey_from_text(struct pubkey *k, const char *s, const char **rest);
char *pubkey_to_text(const struct pubkey *k); /* "type base64", fresh memory or NULL */
bool pubkey_equal(const struct pubkey *a, const struct pubkey *b); /* an empty one is equal to none */
void pubkey_free(struct pubkey *k); /* k is empty afterwards; fine on an empty one */
/* Type and size as ssh shows them: "ED25519", "RSA", ...; the name, and 0, where they are
 * not known. */
const char *pubkey_short_type(const struct pubkey *k);
unsigned pubkey_bits(const struct pubkey *k);
/* "SHA256:..." (hash "sha256" or NULL) or "SHA512:..." ("sha512"); fresh memory. NULL:
 * another hash, or no memory. The server's processes use this one, which needs no libcrypto. */
char *pubkey_fingerprint(const struct pubkey *k, const char *hash);
/* ssh's VisualHostKey picture of the SHA-256 hash, each line ended by a newline; fresh
 * memory. */
char *pubkey_randomart(const struct pubkey *k);
/* Both for every hash that people may configure (FingerprintHash): also "md5"
 * ("MD5:aa:bb:..."). Link libcrypto. */
char *pubkey_fingerprint_any(const struct pubkey *k, const char *hash);
char *pubkey_randomart_any(const struct pubkey *k, const char *hash);

/* A private key; the secret lies in memory of sodium_malloc. */
struct privkey {
	struct pubkey pub;
	uint8_t *sk;         /* 64 bytes (seed, public), sodium_malloc */
	char *comment;
	char cipher[40];     /* after QERR_UNSUPPORTED: the cipher that is not known; else empty */
};
/* Wipes; k is empty afterwards. Fine on an empty k, and to be called after every error below
 * that leaves something in k. */
void privkey_free(struct privkey *k);
/* QERR_NOMEM, QERR_CRYPTO; from_seed leaves the comment NULL. */
int privkey_generate(struct privkey *k, const char *comment);
int privkey_from_seed(struct privkey *k, const uint8_t seed[32]);

/* Asks for a passphrase: fills buf (n bytes, zero-ended); 0, or negative: given up (an empty
 * one counts as that). attempt counts from 0. */
typedef int key_passphrase_fn(void *arg, const char *path, int attempt, char *buf, size_t n);

/* Reads OpenSSH's private key format. QERR_SYS, QERR_PERM (group or others may read, and it
 * is the caller's: checked where check_perm), QERR_FORMAT, QERR_TRUNC, QERR_TOOBIG,
 * QERR_UNSUPPORTED (k->pub is still filled where the file shows it, of PEM and PKCS#8 files
 * the type alone; k->cipher), QERR_PASSPHRASE (encrypted; ask NULL, gave up, or wrong three
 * times; k->pub is filled). Can take seconds, for the passphrase's hash. Links libcrypto. */
int privkey_load(struct privkey *k, const char *path, bool check_perm, key_passphrase_fn *ask,
    void *arg);
/* The text of a file. */
int privkey_parse(struct privkey *k, const uint8_t *p, size_t n, const char *passphrase);
/* The same for files that have no passphrase (an encrypted one: QERR_PASSPHRASE); without
 * libcrypto: for the server. */
int privkey_load_plain(struct privkey *k, const char *path, bool check_perm);
int privkey_parse_plain(struct privkey *k, const uint8_t *p, size_t n);
/* Reads the public half without a passphrase: from the private file itself, or the file if
 * that is a public key, else from path.pub. *comment (may be NULL): fresh memory, "" where
 * none is known without the passphrase. QERR_SYS (of privpath, where there is neither),
 * QERR_FORMAT, QERR_UNSUPPORTED (a PEM or PKCS#8 file without path.pub; k->type is filled). */
int pubkey_load(struct pubkey *k, const char *privpath, char **comment);
/* Writes a new file, mode 0600, atomically, unencrypted, and path.pub (0644). QERR_SYS,
 * QERR_EXISTS, QERR_NOMEM. */
int privkey_save(const struct privkey *k, const char *path);

/* Ed25519 over raw bytes. */
int privkey_sign_raw(const struct privkey *k, const void *p, size_t n, uint8_t sig[64]);
bool pubkey_verify_raw(const uint8_t pk[32], const void *p, size_t n, const uint8_t sig[64]);

/* SSHSIG (OpenSSH's PROTOCOL.sshsig): the blob that is signed: magic, namespace, "",
 * "sha512", hash of the message. */
int sshsig_tbs(struct buf *out, const char *ns, const void *msg, size_t n);
/* SSH signature blob (string type, string signature) over tbs. */
int sshsig_sign(struct buf *sigblob, const struct privkey *k, const void *tbs, size_t n);
/* QERR_SIGNATURE, QERR_UNSUPPORTED, QERR_FORMAT. */
int sshsig_verify(const struct pubkey *k, const void *tbs, size_t n, const uint8_t *sigblob,
    size_t siglen);

/* bcrypt_pbkdf as OpenSSH's key files use it; a round of 32 bytes takes some milliseconds.
 * 0, or QERR_INVAL (pass or salt empty, key of 0 or over 1,024 bytes, no rounds or more than
 * BCRYPT_ROUNDS_MAX). */
#define BCRYPT_ROUNDS_MAX 65536
int bcrypt_pbkdf(const void *pass, size_t passlen, const uint8_t *salt, size_t saltlen,
    uint8_t *key, size_t keylen, unsigned rounds);

/* The one thing that a host key signs for us: TLS 1.3 server CertificateVerify input (RFC
 * 8446 section 4.4.3): 64 spaces, "TLS 1.3, server CertificateVerify", zero, a hash of 32 or
 * 48 bytes. */
bool certverify_wellformed(const uint8_t *p, size_t n);

#endif
