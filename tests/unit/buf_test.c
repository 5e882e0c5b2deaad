#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"

static void
integers_have_their_bytes(void **state)
{
	static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct buf b;
	struct rd r;

	(void)state;
	buf_init(&b, 100);
	buf_put_u8(&b, 1);
	buf_put_u16(&b, 0x0203);
	buf_put_u32(&b, 0x04050607);
	assert_int_equal(buf_put_u64(&b, UINT64_C(0x08090a0b0c0d0e0f)), 0);
	assert_int_equal(buf_len(&b), sizeof(want));
	assert_memory_equal(buf_data(&b), want, sizeof(want));
	rd_init(&r, want, sizeof(want));
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_u16(&r), 0x0203);
	assert_int_equal(rd_u32(&r), 0x04050607);
	assert_true(rd_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(rd_end(&r), 0);
	buf_free(&b);
}

/* The examples of RFC 9000, appendix A.1, and the borders of each length. */
static const struct {
	uint64_t v;
	uint8_t bytes[8];
	size_t n;
} varints[] = {
	{0, {0}, 1},
	{37, {0x25}, 1},
	{63, {0x3f}, 1},
	{64, {0x40, 0x40}, 2},
	{15293, {0x7b, 0xbd}, 2},
	{16383, {0x7f, 0xff}, 2},
	{16384, {0x80, 0, 0x40, 0}, 4},
	{494878333, {0x9d, 0x7f, 0x3e, 0x7d}, 4},
	{(1 << 30) - 1, {0xbf, 0xff, 0xff, 0xff}, 4},
	{1 << 30, {0xc0, 0, 0, 0, 0x40, 0, 0, 0}, 8},
	{UINT64_C(151288809941952652), {0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 8},
	{(UINT64_C(1) << 62) - 1, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8},
};

static void
varints_have_their_bytes(void **state)
{
	struct buf b;
	struct rd r;

	(void)state;
	for (size_t i = 0; i < sizeof(varints) / sizeof(varints[0]); i++) {
		buf_init(&b, 8);
		assert_int_equal(buf_put_varint(&b, varints[i].v), 0);
		assert_int_equal(buf_len(&b), varints[i].n);
		assert_memory_equal(buf_data(&b), varints[i].bytes, varints[i].n);
		rd_init(&r, varints[i].bytes, varints[i].n);
		assert_true(rd_varint(&r) == varints[i].v);
		assert_int_equal(rd_end(&r), 0);
		rd_init(&r, varints[i].bytes, varints[i].n - 1);
		assert_true(rd_varint(&r) == 0);
		assert_int_equal(r.err, QERR_TRUNC);
		buf_free(&b);
	}
	buf_init(&b, 8);
	assert_int_equal(buf_put_varint(&b, UINT64_C(1) << 62), QERR_TOOBIG);
	buf_free(&b);
}

static void
longer_varint_than_needed_is_read(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, "\x40\x25", 2);
	assert_int_equal(rd_varint(&r), 37);
	assert_int_equal(rd_end(&r), 0);
}

static void
strings_are_bounded(void **state)
{
	struct bytes s;
	struct rd r;
	char *c;

	(void)state;
	rd_init(&r, "\3abc\0\0\0\2xy\2hi", 13);
	s = rd_str(&r, 3);
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "abc", 3);
	s = rd_sshstr(&r, 2);
	assert_memory_equal(s.p, "xy", 2);
	c = rd_cstr(&r, 2);
	assert_string_equal(c, "hi");
	free(c);
	assert_int_equal(rd_end(&r), 0);

	rd_init(&r, "\3abc", 4);
	assert_null(rd_str(&r, 2).p);
	assert_int_equal(r.err, QERR_TOOBIG);
	rd_init(&r, "\3ab", 3);
	assert_null(rd_cstr(&r, 3));
	assert_int_equal(r.err, QERR_TRUNC);
	rd_init(&r, "\3a\0b", 4);
	assert_null(rd_cstr(&r, 3));
	assert_int_equal(r.err, QERR_FORMAT);
	rd_init(&r, "\377\377\377\377x", 5);
	assert_null(rd_sshstr(&r, 100).p);
	assert_int_equal(r.err, QERR_TOOBIG);
	rd_init(&r, "", 1);
	c = rd_cstr(&r, 0);
	assert_string_equal(c, "");
	free(c);
}

static void
reader_errors_stick(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, "\1\2", 2);
	assert_int_equal(rd_u32(&r), 0);
	assert_int_equal(r.err, QERR_TRUNC);
	assert_int_equal(rd_u8(&r), 0); /* though there is a byte */
	assert_null(rd_str(&r, 10).p);
	assert_null(rd_cstr(&r, 10));
	assert_int_equal(rd_end(&r), QERR_TRUNC);
	rd_init(&r, "\1\2", 2);
	rd_u8(&r);
	assert_int_equal(rd_end(&r), QERR_FORMAT);
	rd_init(&r, NULL, 0);
	assert_int_equal(rd_bytes(&r, 0).n, 0);
	assert_int_equal(rd_end(&r), 0);
}

static void
buffer_is_bounded_and_errors_stick(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_int_equal(buf_put(&b, "abc", 3), 0);
	assert_int_equal(buf_put(&b, "def", 3), QERR_TOOBIG);
	assert_int_equal(buf_put(&b, "d", 1), QERR_TOOBIG);
	assert_null(buf_reserve(&b, 1));
	assert_int_equal(buf_len(&b), 3);
	buf_reset(&b);
	assert_int_equal(buf_put(&b, "abcde", 5), 0);
	assert_non_null(buf_reserve(&b, 0));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(b.err, QERR_TOOBIG);
	buf_free(&b);
	assert_int_equal(b.err, 0);
	assert_int_equal(buf_put(&b, "abcde", 5), 0); /* usable again */
	assert_int_equal(b.max, 5);
	buf_free(&b);
	buf_init(&b, 4);
	buf_put_sshstr(&b, "x", 1);
	assert_int_equal(b.err, QERR_TOOBIG);
	buf_free(&b);
}

static void
what_was_consumed_makes_room(void **state)
{
	struct buf b;
	uint8_t v = 0, want = 0;
	size_t moves = 0;
	const uint8_t *at;

	(void)state;
	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		buf_put_u8(&b, v++);
	at = b.p;
	for (int i = 0; i < 100000; i++) {
		assert_memory_equal(buf_data(&b), &want, 1);
		want++;
		buf_consume(&b, 1);
		assert_int_equal(buf_put_u8(&b, v++), 0);
		moves += b.p != at;
		at = b.p;
	}
	assert_true(moves < 1000); /* not copied for each byte */
	assert_int_equal(buf_len(&b), 1000);
	assert_true(b.cap <= 4096); /* did not grow for ever */
	buf_consume(&b, 2000);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
}

static void
reserved_bytes_count_after_commit(void **state)
{
	struct buf b;
	uint8_t *p;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_non_null(p = buf_reserve(&b, 100000));
	memset(p, 'x', 100000);
	assert_int_equal(buf_len(&b), 0);
	buf_commit(&b, 70000);
	assert_int_equal(buf_len(&b), 70000);
	assert_memory_equal(buf_data(&b) + 69999, "x", 1);
	buf_free(&b);
	assert_null(buf_data(&b));
}

static void
printf_counts_no_zero_byte(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 6);
	assert_int_equal(buf_printf(&b, "%s-%d", "abc", 42), 0);
	assert_int_equal(buf_len(&b), 6);
	assert_memory_equal(buf_data(&b), "abc-42", 6);
	assert_int_equal(buf_printf(&b, "%d", 1), QERR_TOOBIG);
	assert_int_equal(buf_len(&b), 6);
	buf_free(&b);
}

static void
strings_are_put_with_length(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_put_str(&b, "abc", 3);
	buf_put_cstr(&b, "de");
	buf_put_cstr(&b, NULL);
	assert_int_equal(buf_put_sshstr(&b, "f", 1), 0);
	assert_int_equal(buf_len(&b), 13);
	assert_memory_equal(buf_data(&b), "\3abc\2de\0\0\0\0\1f", 13);
	buf_free(&b);
}

/* Looks into the buffer's own memory only, behind what counts as content. */
static bool
holds(const struct buf *b, const char *s)
{
	for (size_t i = 0; i + strlen(s) <= b->cap; i++)
		if (memcmp(b->p + i, s, strlen(s)) == 0)
			return true;
	return false;
}

static void
secrets_are_wiped(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 1000);
	buf_put(&b, "sesame", 6);
	buf_put(&b, "rest", 4);
	assert_true(holds(&b, "sesame"));
	buf_consume(&b, 6);
	assert_false(holds(&b, "sesame"));
	buf_put(&b, "opens", 5);
	buf_reset(&b);
	assert_false(holds(&b, "opens"));
	/* moving to the front leaves nothing behind either */
	for (int i = 0; i < 10; i++)
		buf_put(&b, "0123456789", 10);
	buf_put(&b, "door", 4);
	buf_consume(&b, 100);
	memset(buf_reserve(&b, 30), 0, 30);
	assert_int_equal(b.off, 0);
	buf_consume(&b, 4);
	assert_false(holds(&b, "door"));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_have_their_bytes),
		cmocka_unit_test(varints_have_their_bytes),
		cmocka_unit_test(longer_varint_than_needed_is_read),
		cmocka_unit_test(strings_are_bounded),
		cmocka_unit_test(reader_errors_stick),
		cmocka_unit_test(buffer_is_bounded_and_errors_stick),
		cmocka_unit_test(what_was_consumed_makes_room),
		cmocka_unit_test(reserved_bytes_count_after_commit),
		cmocka_unit_test(printf_counts_no_zero_byte),
		cmocka_unit_test(strings_are_put_with_length),
		cmocka_unit_test(secrets_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
