/* Connection IDs: the draft's vector, what goes in comes out, and what is foreign does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <sodium.h>

#include "common/base/err.h"
#include "server/listener/cid.h"

static struct cid_keys *
keys(uint8_t n)
{
	struct smsg_linit init = {0};
	struct cid_keys *k;

	memset(init.route_key, n, sizeof(init.route_key));
	memset(init.slot_key, n + 1, sizeof(init.slot_key));
	memset(init.reset_key, n + 2, sizeof(init.reset_key));
	memcpy(init.server_id, "\x12\x34\x56", 3);
	init.server_id[3] = 0x78;
	assert_int_equal(cid_keys_new(&k, &init), 0);
	return k;
}

static void
round_trip(void **state)
{
	static const uint32_t slots[] = {0, 1, 0x01020304, 0xfffffffe, UINT32_MAX};
	struct cid_keys *k = keys(7);

	(void)state;
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		struct quic_cid c;
		uint32_t slot = 99;

		assert_int_equal(cid_mint(k, slots[i], &c), 0);
		assert_int_equal(c.len, QUIC_CID_LEN);
		/* configuration 0, 16 octets follow */
		assert_int_equal(c.id[0], 16);
		assert_int_equal(cid_slot(k, c.id, c.len, &slot), 0);
		assert_int_equal(slot, slots[i]);
	}
	cid_keys_free(&k);
}

/* Appendix B of the QUIC-LB draft: key, server ID and nonce, and what single-pass encryption makes of
 * them. Ours is the same block with the border between server ID and nonce elsewhere. */
static void
draft_vector(void **state)
{
	static const uint8_t id[QUIC_CID_LEN] = {CID_FIRST, 0x4d, 0xd2, 0xd0, 0x5a, 0x7b, 0x0d, 0xe9,
	    0xb2, 0xb9, 0x90, 0x7a, 0xfb, 0x5e, 0xcf, 0x8c, 0xc3};
	static const uint8_t key[16] = {0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80, 0x25, 0x69,
	    0x34, 0xe5, 0x0c, 0x66, 0x20, 0x7f};
	struct smsg_linit init = {.server_id = {0xed, 0x79, 0x3a, 0x51}};
	struct cid_keys *k;
	uint32_t slot;

	(void)state;
	memcpy(init.route_key, key, sizeof(key));
	assert_int_equal(cid_keys_new(&k, &init), 0);
	assert_int_equal(cid_slot(k, id, sizeof(id), &slot), 0);
	/* The end of the nonce, c0d1e548's place, under the zero slot key. */
	init.server_id[0] ^= 1;
	cid_keys_free(&k);
	assert_int_equal(cid_keys_new(&k, &init), 0);
	assert_int_equal(cid_slot(k, id, sizeof(id), &slot), QERR_NOTFOUND);
	cid_keys_free(&k);
}

static void
foreign(void **state)
{
	struct cid_keys *a = keys(1), *b = keys(2);
	struct quic_cid c;
	uint32_t slot;

	(void)state;
	assert_int_equal(cid_mint(a, 5, &c), 0);
	assert_int_equal(cid_slot(b, c.id, c.len, &slot), QERR_NOTFOUND);
	assert_int_equal(cid_slot(a, c.id, c.len - 1, &slot), QERR_NOTFOUND);
	assert_int_equal(cid_slot(a, c.id, 0, &slot), QERR_NOTFOUND);
	for (unsigned i = 0; i < QUIC_CID_LEN * 8; i++) {
		c.id[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(cid_slot(a, c.id, c.len, &slot), QERR_NOTFOUND);
		c.id[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	cid_keys_free(&a);
	cid_keys_free(&b);
}

/* Two of the same slot share nothing that can be seen. */
static void
unlinkable(void **state)
{
	struct cid_keys *k = keys(3);
	struct quic_cid c[2];

	(void)state;
	assert_int_equal(cid_mint(k, 5, &c[0]), 0);
	assert_int_equal(cid_mint(k, 5, &c[1]), 0);
	assert_memory_not_equal(c[0].id + 1, c[1].id + 1, 4);
	assert_memory_not_equal(c[0].id + 13, c[1].id + 13, 4);
	assert_memory_not_equal(c[0].reset, c[1].reset, QUIC_TOKEN_LEN);
	cid_keys_free(&k);
}

/* A token follows from the ID and the reset key alone: also after a restart with new routing keys. */
static void
reset_tokens(void **state)
{
	struct smsg_linit init = {.reset_key = {1, 2, 3}};
	struct cid_keys *a, *b, *other = keys(4);
	uint8_t token[QUIC_TOKEN_LEN];
	struct quic_cid c;

	(void)state;
	assert_int_equal(cid_keys_new(&a, &init), 0);
	init.route_key[0] = 9;
	init.server_id[0] = 9;
	assert_int_equal(cid_keys_new(&b, &init), 0);
	assert_int_equal(cid_mint(a, 5, &c), 0);
	cid_reset_token(b, c.id, c.len, token);
	assert_memory_equal(token, c.reset, sizeof(token));
	cid_reset_token(other, c.id, c.len, token);
	assert_memory_not_equal(token, c.reset, sizeof(token));
	cid_keys_free(&a);
	cid_keys_free(&b);
	cid_keys_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(draft_vector),
		cmocka_unit_test(foreign), cmocka_unit_test(unlinkable),
		cmocka_unit_test(reset_tokens),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
