/* Hashed host names of known_hosts: |1|salt|HMAC-SHA1(salt, name). Inside common/keys only. */
#ifndef QSH_KEYS_KNOWNHOSTS_HASH_H
#define QSH_KEYS_KNOWNHOSTS_HASH_H

/* 1: it is this name; 0: not; QERR_FORMAT: not a hashed name; QERR_CRYPTO. */
int kh_hash_match(const char *hashed, const char *host);
/* A hash with a fresh salt; fresh memory or NULL. */
char *kh_hash_new(const char *host);

#endif
