#include <string.h>

#include <ngtcp2/ngtcp2_crypto.h>
#include <sodium.h>

#include "common/base/err.h"
#include "server/listener/reply.h"

_Static_assert(
    NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2 + 1 + 4 + 2 * (1 + QUIC_CID_MAX) + 16 <= REPLY_MAX,
    "a Retry packet fits");
_Static_assert(
    REPLY_TOKEN_KEY == sizeof(((struct smsg_linit *)0)->token_key), "the key's size");

_Static_assert(NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN <= REPLY_KNOWN_MAX, "a token fits");

/* The size of a reset where the trigger permits it: that of a small packet with data. */
#define RESET_USUAL 43

ssize_t
reply_versions(uint8_t *dst, size_t n, const ngtcp2_version_cid *vc)
{
	/* One reserved version (RFC 9000 section 15), so that clients learn to skip what they
	 * do not know. */
	const uint32_t versions[] = {0x1a2a3a4a, NGTCP2_PROTO_VER_V1};
	ngtcp2_ssize len = ngtcp2_pkt_write_version_negotiation(dst, n,
	    (uint8_t)randombytes_random(), vc->scid, vc->scidlen, vc->dcid, vc->dcidlen,
	    versions, sizeof(versions) / sizeof(versions[0]));

	return len < 0 ? QERR_CRYPTO : len;
}

static void
to_ngtcp2(ngtcp2_cid *dst, const struct quic_cid *src)
{
	ngtcp2_cid_init(dst, src->id, src->len);
}

ssize_t
reply_retry(uint8_t *dst, const ngtcp2_pkt_hd *hd, const struct addr *remote,
    const struct quic_cid *retry_scid, const uint8_t key[REPLY_TOKEN_KEY], uint64_t now)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
	ngtcp2_cid scid;
	ngtcp2_ssize n;

	to_ngtcp2(&scid, retry_scid);
	n = ngtcp2_crypto_generate_retry_token2(token, key, REPLY_TOKEN_KEY, hd->version,
	    &remote->u.sa, remote->len, &scid, &hd->dcid, now);
	if (n < 0)
		return QERR_CRYPTO;
	n = ngtcp2_crypto_write_retry(
	    dst, REPLY_MAX, hd->version, &hd->scid, &scid, &hd->dcid, token, (size_t)n);
	return n < 0 ? QERR_CRYPTO : n;
}

ssize_t
reply_close(uint8_t *dst, const ngtcp2_pkt_hd *hd, uint64_t code, const char *reason)
{
	ngtcp2_ssize n = ngtcp2_crypto_write_connection_close(dst, REPLY_MAX, hd->version,
	    &hd->scid, &hd->dcid, code, (const uint8_t *)reason, strlen(reason));

	return n < 0 ? QERR_CRYPTO : n;
}

ssize_t
reply_reset(uint8_t *dst, size_t trigger, const uint8_t token[QUIC_TOKEN_LEN])
{
	uint8_t noise[RESET_USUAL - QUIC_TOKEN_LEN];
	size_t len = trigger > RESET_USUAL ? RESET_USUAL : trigger - 1;
	ngtcp2_ssize n;

	if (trigger <= REPLY_RESET_MIN)
		return 0;
	randombytes_buf(noise, sizeof(noise));
	n = ngtcp2_pkt_write_stateless_reset(dst, len, token, noise, len - QUIC_TOKEN_LEN);
	return n < 0 ? QERR_CRYPTO : n;
}

ssize_t
reply_new_token(
    uint8_t *dst, const struct addr *remote, const uint8_t key[REPLY_TOKEN_KEY], uint64_t now)
{
	ngtcp2_ssize n = ngtcp2_crypto_generate_regular_token(
	    dst, key, REPLY_TOKEN_KEY, &remote->u.sa, remote->len, now);

	return n < 0 ? QERR_CRYPTO : n;
}

enum reply_token
reply_token_check(const ngtcp2_pkt_hd *hd, const struct addr *remote,
    const uint8_t key[REPLY_TOKEN_KEY], uint64_t now, struct quic_cid *odcid)
{
	ngtcp2_cid cid;

	if (hd->tokenlen > 0 && hd->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR)
		return ngtcp2_crypto_verify_regular_token(hd->token, hd->tokenlen, key,
			   REPLY_TOKEN_KEY, &remote->u.sa, remote->len, REPLY_KNOWN_TIME,
			   now) == 0
			   ? TOKEN_KNOWN
			   : TOKEN_NONE;
	if (hd->tokenlen == 0 || hd->token[0] != NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2)
		return TOKEN_NONE;
	if (ngtcp2_crypto_verify_retry_token2(&cid, hd->token, hd->tokenlen, key,
		REPLY_TOKEN_KEY, hd->version, &remote->u.sa, remote->len, &hd->dcid,
		REPLY_TOKEN_TIME, now) != 0)
		return TOKEN_INVALID;
	memset(odcid, 0, sizeof(*odcid));
	odcid->len = (uint8_t)cid.datalen;
	memcpy(odcid->id, cid.data, cid.datalen);
	return TOKEN_VALID;
}
