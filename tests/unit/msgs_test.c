/* Role messages: what was put comes back, and what is malformed is refused without a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/ipc/ipc.h"
#include "server/ipc/msgs.h"

/* Reads b back into m, then every truncation of it and one byte too many. */
#define BACK(name, b, m)                                                                           \
	do {                                                                                       \
		struct rd r_;                                                                      \
		struct smsg_##name cut_;                                                           \
		for (size_t n_ = 0; n_ < buf_len(b); n_++) {                                       \
			rd_init(&r_, buf_data(b), n_);                                             \
			assert_int_not_equal(smsg_get_##name(&r_, &cut_), 0);                      \
		}                                                                                  \
		buf_put_u8(b, 0);                                                                  \
		rd_init(&r_, buf_data(b), buf_len(b));                                             \
		assert_int_equal(smsg_get_##name(&r_, &cut_), QERR_FORMAT);                        \
		rd_init(&r_, buf_data(b), buf_len(b) - 1);                                         \
		assert_int_equal(smsg_get_##name(&r_, m), 0);                                      \
	} while (0)

static void
set_path(struct tp_path *p, const char *local, const char *remote)
{
	assert_int_equal(addr_parse(&p->local, local, 22), 0);
	assert_int_equal(addr_parse(&p->remote, remote, 40000), 0);
}

static void
set_cid(struct quic_cid *c, uint8_t len, uint8_t fill)
{
	c->len = len;
	memset(c->id, fill, len);
	memset(c->id + len, 0, QUIC_CID_MAX - len);
	memset(c->reset, fill + 1, sizeof(c->reset));
}

static void
assert_path(const struct tp_path *a, const struct tp_path *b)
{
	assert_true(addr_equal(&a->local, &b->local));
	assert_true(addr_equal(&a->remote, &b->remote));
}

static void
assert_cid(const struct quic_cid *a, const struct quic_cid *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

static void
fill_admit(struct smsg_admit *m, struct quic_cid *cids, size_t n)
{
	*m = (struct smsg_admit){.slot = 0xfedcba98, .version = 1, .validated = 1, .steered = 0,
	    .cids = {cids, n}};
	set_path(&m->path, "2001:db8::1", "fe80::2");
	m->path.remote.u.in6.sin6_scope_id = 3;
	set_cid(&m->odcid, 8, 1);
	set_cid(&m->retry_scid, 20, 2);
	set_cid(&m->client_scid, 0, 3);
	for (size_t i = 0; i < n; i++)
		set_cid(&cids[i], QUIC_CID_LEN, (uint8_t)(10 + i));
}

static void
assert_admit(const struct smsg_admit *a, const struct smsg_admit *b)
{
	assert_int_equal(a->slot, b->slot);
	assert_path(&a->path, &b->path);
	assert_int_equal(a->path.remote.u.in6.sin6_scope_id, b->path.remote.u.in6.sin6_scope_id);
	assert_cid(&a->odcid, &b->odcid);
	assert_cid(&a->retry_scid, &b->retry_scid);
	assert_cid(&a->client_scid, &b->client_scid);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->validated, b->validated);
	assert_int_equal(a->steered, b->steered);
	assert_int_equal(a->cids.n, b->cids.n);
	for (size_t i = 0; i < a->cids.n; i++)
		assert_cid(&a->cids.v[i], &b->cids.v[i]);
}

static void
admission(void **state)
{
	struct quic_cid cids[24] = {0};
	struct smsg_admit in, out;
	struct buf b;

	(void)state;
	fill_admit(&in, cids, 24);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_admit(&b, &in), 0);
	BACK(admit, &b, &out);
	assert_admit(&in, &out);
	smsg_free_admit(&out);
	assert_null(out.cids.v);
	buf_free(&b);

	/* Nobody can work without a connection ID: not written, not read. */
	in.cids.n = 0;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_not_equal(smsg_put_admit(&b, &in), 0);
	buf_free(&b);
}

static void
monitor_init(void **state)
{
	struct quic_cid cids[2] = {0};
	uint8_t sk[64], config[1000];
	char file[] = "/var/log/q", account[] = "qshd", run_dir[] = "/run/q";
	struct smsg_minit out, in = {.host_sk = {sk, sizeof(sk)}, .config = {config, sizeof(config)},
	    .user_mode = 1, .log_stderr = 2, .log_level = 5, .log_file = file,
	    .account = account, .run_dir = run_dir, .debug = 3};
	struct buf b;

	(void)state;
	memset(sk, 7, sizeof(sk));
	memset(config, 8, sizeof(config));
	fill_admit(&in.admit, cids, 2);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_minit(&b, &in), 0);
	BACK(minit, &b, &out);
	assert_admit(&in.admit, &out.admit);
	assert_int_equal(out.host_sk.n, 64);
	assert_memory_equal(out.host_sk.p, sk, 64);
	assert_int_equal(out.config.n, sizeof(config));
	assert_memory_equal(out.config.p, config, sizeof(config));
	assert_int_equal(out.user_mode, 1);
	assert_int_equal(out.log_stderr, 2);
	assert_int_equal(out.log_level, 5);
	assert_string_equal(out.log_file, file);
	assert_string_equal(out.account, account);
	assert_string_equal(out.run_dir, run_dir);
	assert_int_equal(out.debug, 3);
	smsg_free_minit(&out);
	buf_free(&b);
}

static void
registration(void **state)
{
	struct smsg_register out, in = {.version = 9, .slot = 0xfedcba98, .authed = 1, .steered = 2};
	struct smsg_adopt taken, given = {.slot = 0xfedcba98, .authed = 3, .steered = 4};
	struct buf b;

	(void)state;
	set_path(&in.path, "192.0.2.1", "198.51.100.7");
	given.path = in.path;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_register(&b, &in), 0);
	BACK(register, &b, &out);
	assert_int_equal(out.version, 9);
	assert_int_equal(out.slot, in.slot);
	assert_path(&in.path, &out.path);
	assert_int_equal(out.authed, 1);
	assert_int_equal(out.steered, 2);
	buf_reset(&b);
	assert_int_equal(smsg_put_adopt(&b, &given), 0);
	BACK(adopt, &b, &taken);
	assert_int_equal(taken.slot, given.slot);
	assert_path(&given.path, &taken.path);
	assert_int_equal(taken.authed, 3);
	assert_int_equal(taken.steered, 4);
	buf_free(&b);
}

static void
listener_init(void **state)
{
	char dir[] = "/run/x";
	struct smsg_linit out, in = {.chroot_dir = dir, .uid = 99, .gid = 98, .orphan_ns = UINT64_C(15) << 40, .limits = {10, 30, 100, 9, UINT64_C(3) << 40, 3}};
	struct buf b;

	(void)state;
	memset(in.route_key, 1, sizeof(in.route_key));
	memset(in.slot_key, 2, sizeof(in.slot_key));
	memset(in.token_key, 3, sizeof(in.token_key));
	memset(in.reset_key, 4, sizeof(in.reset_key));
	memset(in.server_id, 5, sizeof(in.server_id));
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_linit(&b, &in), 0);
	BACK(linit, &b, &out);
	assert_memory_equal(out.route_key, in.route_key, sizeof(in.route_key));
	assert_memory_equal(out.slot_key, in.slot_key, sizeof(in.slot_key));
	assert_memory_equal(out.token_key, in.token_key, sizeof(in.token_key));
	assert_memory_equal(out.reset_key, in.reset_key, sizeof(in.reset_key));
	assert_memory_equal(out.server_id, in.server_id, sizeof(in.server_id));
	assert_string_equal(out.chroot_dir, dir);
	assert_int_equal(out.uid, 99);
	assert_int_equal(out.gid, 98);
	assert_true(out.orphan_ns == UINT64_C(15) << 40);
	assert_int_equal(out.limits.startups_begin, 10);
	assert_int_equal(out.limits.startups_full, 100);
	assert_int_equal(out.limits.unvalidated_max, 9);
	assert_true(out.limits.unvalidated_ns == UINT64_C(3) << 40);
	smsg_free_linit(&out);
	assert_true(memcmp(out.token_key, in.token_key, 32) != 0);
	buf_free(&b);
}

static void
session_start(void **state)
{
	char a[] = "LANG=C", c[] = "EMPTY=", *env[] = {a, c}, cmd[] = "echo \"x\"", term[] = "xterm";
	uint8_t modes[3] = {1, 2, 0};
	struct smsg_start out, in = {.chan = UINT64_C(1) << 60, .kind = 1, .command = cmd,
	    .has_pty = 1, .term = term, .cols = 80, .rows = 24, .xpixel = 1, .ypixel = 2,
	    .modes = {modes, sizeof(modes)}, .env = {env, 2}};
	struct buf b;

	(void)state;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_start(&b, &in), 0);
	BACK(start, &b, &out);
	assert_true(out.chan == in.chan);
	assert_string_equal(out.command, cmd);
	assert_string_equal(out.term, term);
	assert_int_equal(out.rows, 24);
	assert_int_equal(out.modes.n, 3);
	assert_int_equal(out.env.n, 2);
	assert_string_equal(out.env.v[0], a);
	assert_string_equal(out.env.v[1], c);
	assert_int_equal(strlist_add(&out.env, "ONE=more"), 0);
	smsg_free_start(&out);
	buf_free(&b);
}

static void
datagram(void **state)
{
	static uint8_t data[65535];
	struct smsg_dgram out, in = {.ecn = 3, .data = {data, sizeof(data)}};
	struct buf b;
	struct rd r;

	(void)state;
	set_path(&in.path, "192.0.2.1", "198.51.100.7");
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_dgram(&b, &in), 0);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(smsg_get_dgram(&r, &out), 0);
	assert_path(&in.path, &out.path);
	assert_int_equal(out.ecn, 3);
	assert_int_equal(out.data.n, sizeof(data));
	smsg_free_dgram(&out);
	buf_free(&b);
}

/* No address is one, too: a path's end that is not known yet. */
static void
addresses(void **state)
{
	struct smsg_path out, in = {0};
	struct buf b;
	struct rd r;

	(void)state;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_path(&b, &in), 0);
	BACK(path, &b, &out);
	assert_int_equal(out.path.local.len, 0);
	buf_reset(&b);
	buf_put_u8(&b, 5); /* no such family */
	buf_put_u8(&b, 0);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(smsg_get_path(&r, &out), QERR_FORMAT);
	buf_free(&b);
}

static void
limits(void **state)
{
	struct smsg_text text = {0};
	struct smsg_cids cids;
	struct smsg_binit binit;
	struct buf b;
	struct rd r;

	(void)state;
	buf_init(&b, IPC_BODY_MAX);
	text.text = calloc(1, 20000);
	memset(text.text, 'x', 19999);
	assert_int_equal(smsg_put_text(&b, &text), QERR_TOOBIG);
	buf_reset(&b);
	buf_put_cstr(&b, text.text);
	rd_init(&r, buf_data(&b), buf_len(&b));
	free(text.text);
	assert_int_equal(smsg_get_text(&r, &text), QERR_TOOBIG);
	assert_null(text.text);
	/* counts that nothing stands behind */
	buf_reset(&b);
	buf_put_varint(&b, UINT64_C(1) << 40);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(smsg_get_cids(&r, &cids), QERR_TOOBIG);
	buf_reset(&b);
	buf_put_str(&b, "a\0b", 3);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_not_equal(smsg_get_binit(&r, &binit), 0);
	/* NULL is written as an empty string */
	buf_reset(&b);
	text.text = NULL;
	assert_int_equal(smsg_put_text(&b, &text), 0);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(smsg_get_text(&r, &text), 0);
	assert_string_equal(text.text, "");
	smsg_free_text(&text);
	assert_null(text.text);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admission), cmocka_unit_test(monitor_init), cmocka_unit_test(registration),
		cmocka_unit_test(listener_init), cmocka_unit_test(session_start),
		cmocka_unit_test(datagram), cmocka_unit_test(addresses), cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
