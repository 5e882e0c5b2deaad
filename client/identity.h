/* The keys to try, and in which order. */
#ifndef QSH_CLIENT_IDENTITY_H
#define QSH_CLIENT_IDENTITY_H

#include "client/conf/cconf.h"
#include "common/keys/agent.h"
#include "common/keys/keys.h"

struct identity {
	struct pubkey pub;
	char *path;        /* of the private key's file; NULL: in the agent only */
	char *comment;
	bool in_agent;
	bool parsed;       /* priv holds the key */
	bool encrypted;    /* the file needs a passphrase */
	bool useless;      /* cannot be used: passed over */
	struct privkey priv;
};

struct keyring {
	struct identity *v;
	size_t n;
	struct agent *agent;    /* NULL: none */
	struct strlist skipped; /* lines about keys that qsh cannot use yet */
};

/* Reads the public halves of the configured files and lists the agent's keys (blocking), puts them in
 * order, and makes the first one ready to sign. What cannot be used is passed over with a log line.
 * Always leaves a keyring that is valid, if perhaps empty. */
void keyring_load(struct keyring *r, const struct cconf *conf);
void keyring_free(struct keyring *r);

/* Order, as ssh has it: keys of files that the agent holds too (in the agent's order), other keys of the
 * agent (unless only_files), then the files that are left. Moves the entries of files and agent into
 * out, which has room for both; what is dropped is freed. Returns the number of entries. Pure. */
size_t identity_order(struct identity *files, size_t nfiles, struct identity *agent,
    size_t nagent, bool only_files, struct identity *out);
/* Reads an identity's private file, if it has not been yet: sets parsed, encrypted or useless. */
void identity_open(struct identity *id, bool batch);
/* How messages name it: "/root/.ssh/id_ed25519 ED25519 SHA256:... agent". Fresh memory or NULL. */
char *identity_show(const struct identity *id);
void identity_free(struct identity *id);

#endif
