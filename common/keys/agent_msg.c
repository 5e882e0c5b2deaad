/* Messages of the agent protocol. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/keys/agent_msg.h"

enum {
	FAILURE = 5,
	SUCCESS = 6,
	REQUEST_IDENTITIES = 11,
	IDENTITIES_ANSWER = 12,
	SIGN_REQUEST = 13,
	SIGN_RESPONSE = 14,
	ADD_IDENTITY = 17,
	ADD_ID_CONSTRAINED = 25,
};
enum { CONSTRAIN_LIFETIME = 1, CONSTRAIN_CONFIRM = 2 };

#define SIGN_RSA_SHA2_512 4
#define IDS_MAX     2048 /* as in OpenSSH */
#define COMMENT_MAX AGENT_MSG_MAX
#define ED25519_SIG_LEN 64

int
agent_put_list(struct buf *b)
{
	return buf_put_u8(b, REQUEST_IDENTITIES);
}

int
agent_put_sign(struct buf *b, const struct pubkey *k, const void *p, size_t n)
{
	buf_put_u8(b, SIGN_REQUEST);
	buf_put_sshstr(b, k->blob, k->bloblen);
	buf_put_sshstr(b, p, n);
	return buf_put_u32(b, strcmp(k->type, "ssh-rsa") == 0 ? SIGN_RSA_SHA2_512 : 0);
}

int
agent_put_add(struct buf *b, const struct privkey *k, uint32_t lifetime, bool confirm)
{
	const char *comment = k->comment ? k->comment : "";

	buf_put_u8(b, lifetime || confirm ? ADD_ID_CONSTRAINED : ADD_IDENTITY);
	buf_put_sshstr(b, k->pub.type, strlen(k->pub.type));
	buf_put_sshstr(b, k->pub.pk, sizeof(k->pub.pk));
	buf_put_sshstr(b, k->sk, 64);
	buf_put_sshstr(b, comment, strlen(comment));
	if (lifetime) {
		buf_put_u8(b, CONSTRAIN_LIFETIME);
		buf_put_u32(b, lifetime);
	}
	if (confirm)
		buf_put_u8(b, CONSTRAIN_CONFIRM);
	return b->err;
}

/* The type of a reply has to be this one. */
static int
get_type(struct rd *r, uint8_t type)
{
	uint8_t t = rd_u8(r);

	if (r->err)
		return r->err;
	if (t == type)
		return 0;
	return t == FAILURE ? QERR_AGENT : QERR_PROTO;
}

static int
get_id(struct rd *r, struct agent_id *id)
{
	struct bytes blob = rd_sshstr(r, KEY_BLOB_MAX);
	struct bytes comment = rd_sshstr(r, COMMENT_MAX);

	if (r->err)
		return r->err;
	int err = pubkey_from_blob(&id->pub, blob.p, blob.n);
	if (err)
		return err;
	/* A zero byte ends it: comments are for people to read. */
	id->comment = comment.n ? strndup((const char *)comment.p, comment.n) : strdup("");
	return id->comment ? 0 : QERR_NOMEM;
}

int
agent_get_list(const uint8_t *p, size_t n, struct agent_id **ids, size_t *nids)
{
	struct rd r;

	*ids = NULL;
	*nids = 0;
	rd_init(&r, p, n);
	int err = get_type(&r, IDENTITIES_ANSWER);
	if (err)
		return err;
	uint32_t count = rd_u32(&r);
	if (r.err)
		return r.err;
	if (count > IDS_MAX)
		return QERR_TOOBIG;
	struct agent_id *v = calloc(count ? count : 1, sizeof(*v));
	if (!v)
		return QERR_NOMEM;
	for (uint32_t i = 0; i < count && !err; i++)
		err = get_id(&r, &v[i]);
	if (!err)
		err = rd_end(&r);
	if (err) {
		agent_ids_free(v, count);
		return err;
	}
	*ids = v;
	*nids = count;
	return 0;
}

void
agent_ids_free(struct agent_id *ids, size_t n)
{
	for (size_t i = 0; ids && i < n; i++) {
		pubkey_free(&ids[i].pub);
		free(ids[i].comment);
	}
	free(ids);
}

int
agent_get_sign(const uint8_t *p, size_t n, const struct pubkey *k, struct buf *sigblob)
{
	struct rd r;

	rd_init(&r, p, n);
	int err = get_type(&r, SIGN_RESPONSE);
	if (err)
		return err;
	struct bytes blob = rd_sshstr(&r, AGENT_MSG_MAX);
	if ((err = rd_end(&r)) != 0)
		return err;
	rd_init(&r, blob.p, blob.n);
	struct bytes type = rd_sshstr(&r, sizeof(k->type));
	struct bytes sig = rd_sshstr(&r, AGENT_MSG_MAX);
	if (r.err)
		return r.err;
	if (k->ed25519 && (r.n != 0 || sig.n != ED25519_SIG_LEN || type.n != strlen(k->type) ||
				  memcmp(type.p, k->type, type.n) != 0))
		return QERR_FORMAT;
	return buf_put(sigblob, blob.p, blob.n);
}

int
agent_get_done(const uint8_t *p, size_t n)
{
	struct rd r;

	rd_init(&r, p, n);
	int err = get_type(&r, SUCCESS);
	return err ? err : rd_end(&r);
}
