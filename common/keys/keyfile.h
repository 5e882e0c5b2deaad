/* The container of OpenSSH's private key files (PROTOCOL.key). Inside common/keys only. */
#ifndef QSH_KEYS_KEYFILE_H
#define QSH_KEYS_KEYFILE_H

#include "common/keys/keys.h"

#define KEYFILE_MAX (1024 * 1024) /* bytes of a file, as in OpenSSH */

struct keyfile {
	uint8_t *mem;          /* what the members below point into, sodium_malloc */
	struct bytes cipher, kdf;
	struct bytes salt;     /* kdf bcrypt */
	uint32_t rounds;
	struct bytes secret;   /* the private section, perhaps encrypted */
	struct bytes tag;      /* what follows it: an AEAD cipher's tag */
	bool encrypted;
};

/* Takes a file's text apart; fills k->pub (also where it then says QERR_UNSUPPORTED: not an
 * Ed25519 key, or another format). Errors as privkey_load. kf is to be closed in any case. */
int keyfile_open(struct keyfile *kf, struct privkey *k, const uint8_t *text, size_t n);
void keyfile_close(struct keyfile *kf);
/* Reads the decrypted private section into k, whose pub is there already. wrong: the error
 * for a section that is not one: a wrong passphrase, or a malformed file. */
int keyfile_private(struct privkey *k, struct bytes plain, int wrong);
/* Decrypts and reads. QERR_PASSPHRASE, QERR_UNSUPPORTED (k->cipher), QERR_FORMAT, ... Links
 * libcrypto. */
int keyfile_decrypt(struct privkey *k, const struct keyfile *kf, const char *passphrase);
/* Where the text is a private key of another format: QERR_UNSUPPORTED, and the type of the
 * key where it is cheap to know; else QERR_FORMAT. */
int keyfile_other_format(struct pubkey *pub, const uint8_t *text, size_t n);
/* Reads a whole file into a buffer for secrets. QERR_SYS, QERR_TOOBIG, QERR_NOMEM,
 * QERR_PERM. */
int keyfile_read(struct buf *b, const char *path, bool check_perm);

#endif
