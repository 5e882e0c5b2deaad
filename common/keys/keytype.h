/* What is known of a key type by its name. Inside common/keys only. */
#ifndef QSH_KEYS_KEYTYPE_H
#define QSH_KEYS_KEYTYPE_H

#include <stdbool.h>

enum keytype_size {
	KEYTYPE_FIXED,  /* bits says it */
	KEYTYPE_RSA,    /* the modulus, second number of the blob */
	KEYTYPE_DSA,    /* the first number */
};
struct keytype {
	const char *name;       /* "ssh-ed25519" */
	const char *short_name; /* "ED25519" */
	enum keytype_size size;
	unsigned bits;
	bool cert;              /* a nonce comes before the key */
};

const struct keytype *keytype_find(const char *name); /* NULL: not known */

#endif
