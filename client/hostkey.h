/* Is this the host that was meant? What known_hosts says, and what to do about it. */
#ifndef QSH_CLIENT_HOSTKEY_H
#define QSH_CLIENT_HOSTKEY_H

#include "client/conf/cconf.h"
#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/ev/ev.h"
#include "common/keys/keys.h"
#include "common/keys/knownhosts.h"
#include "common/net/addr.h"

enum hostkey_action {
	HOSTKEY_ACCEPT,     /* go on */
	HOSTKEY_ADD,        /* go on, and add the key to known_hosts */
	HOSTKEY_ASK,        /* ask the user; add the key if the answer is yes */
	HOSTKEY_REFUSE,
};

/* What a finding means under this configuration. Pure. */
enum hostkey_action hostkey_decide(enum kh_status status, int strict, bool batch);

/* What the texts are about. */
struct hostkey_facts {
	const char *host;         /* as in known_hosts: "h", "[h]:2222" */
	const char *ip;           /* likewise; NULL: not shown */
	const char *type;         /* "ED25519" */
	const char *fingerprint;
	const char *art;          /* VisualHostKey's picture, or NULL */
	const char *names;        /* other names of this key, a line each; NULL or "": none */
	const char *user_file;    /* where a key is added; NULL: nowhere */
	const struct kh_result *found;
};
/* The question, with everything that goes before it. */
int hostkey_question(struct buf *b, const struct hostkey_facts *f);
/* The warning for a key that is not accepted, lines ended by newlines; nothing where there is nothing to
 * explain. accepted: the configuration says to go on in spite of it. */
int hostkey_warning(struct buf *b, const struct hostkey_facts *f, int strict, bool accepted);
/* An answer to the question: 1 yes, 0 no, -1 neither (ask again). NULL: no. */
int hostkey_answer(const char *answer, const char *fingerprint);
/* Other names under which the key stands in a known_hosts text, as lines "    path:line: names". */
int hostkey_other_names(struct buf *b, const char *path, const char *text,
    const struct pubkey *k);

struct hostkey;
typedef void hostkey_done_fn(void *arg, bool accepted);

/* For while the key is awaited: what of looking it up does not need it. */
void hostkey_prepare(const struct cconf *conf);
/* Looks the key up, asks where that is needed, adds it where that was said; done comes once, perhaps
 * before this returns; hostkey_free is not for inside it. Logs everything. conf and remote must outlive it. QERR_NOMEM. */
int hostkey_check(struct hostkey **out, struct ev *ev, const struct cconf *conf,
    const struct pubkey *k, const struct addr *remote, hostkey_done_fn *done, void *arg);
void hostkey_free(struct hostkey **h);

#endif
