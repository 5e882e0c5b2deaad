/* Chunk queues and send buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quic/user/chunk.h"
#include "quic/user/sendbuf.h"

static uint8_t
content(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void
fill(uint8_t *p, size_t from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = content(from + i);
}

static void
check(const uint8_t *p, size_t from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] != content(from + i))
			fail_msg("wrong byte at %zu", from + i);
	}
}

/* Appends and takes of all sizes keep order and lose nothing. */
static void
test_queue(void **state)
{
	static uint8_t buf[100000];
	struct chunk_pool pool = {0};
	struct chunkq q = {0};
	size_t in = 0, out = 0, n, m, round;
	const uint8_t *p;

	(void)state;
	for (round = 0; round < 400; round++) {
		n = (round * 7919) % (round % 5 == 0 ? sizeof(buf) : 300);
		fill(buf, in, n);
		assert_int_equal(chunkq_append(&q, &pool, buf, n), 0);
		in += n;
		assert_int_equal(q.n, in - out);
		for (m = (round * 104729) % (2 * n + 1); m > 0 && q.n > 0; m -= n) {
			p = chunkq_front(&q, &n);
			assert_non_null(p);
			n = n < m ? n : m;
			check(p, out, n);
			chunkq_consume(&q, &pool, n);
			out += n;
		}
	}
	while (q.n > 0) {
		p = chunkq_front(&q, &n);
		check(p, out, n);
		chunkq_consume(&q, &pool, n);
		out += n;
	}
	assert_int_equal(in, out);
	assert_null(chunkq_front(&q, &n));
	assert_int_equal(n, 0);
	chunkq_append(&q, &pool, buf, 5000);
	chunkq_free(&q, &pool);
	assert_int_equal(q.n, 0);
	chunk_pool_free(&pool);
}

/* One byte at a time does not cost a chunk each. */
static void
test_queue_is_dense(void **state)
{
	struct chunk_pool pool = {0};
	struct chunkq q = {0};
	struct chunk *c;
	unsigned chunks = 0, i;
	uint8_t b = 1;

	(void)state;
	for (i = 0; i < 65536; i++)
		assert_int_equal(chunkq_append(&q, &pool, &b, 1), 0);
	for (c = q.head; c != NULL; c = c->next)
		chunks++;
	assert_true(chunks <= 4);
	chunkq_free(&q, &pool);
	chunk_pool_free(&pool);
}

/* What has been sent stays in place, and readable, until it is acknowledged. */
static void
test_send(void **state)
{
	struct chunk_pool pool = {0};
	struct sendbuf b = {0};
	uint8_t buf[3000];
	struct iovec r[3];
	ngtcp2_vec v[8];
	size_t n, nv, i, len, round;

	(void)state;
	for (round = 0; round < 3000; round++) {
		n = (round * 7919) % sizeof(buf);
		if (round % 3 == 0) {
			fill(buf, (size_t)b.end, n);
			assert_int_equal(sendbuf_append(&b, &pool, buf, n), n);
		} else {
			/* As readv(2) does: one piece after the other, and the last one not to its end. */
			nv = sendbuf_reserve(&b, &pool, round % 5 == 0 ? 3 * (n + 1) : n + 1, r, round % 5 == 0 ? 3 : 1);
			assert_in_range(nv, 1, 3);
			for (i = n = 0; i < nv; i++) {
				assert_true(r[i].iov_len > 0);
				fill(r[i].iov_base, (size_t)b.end + n, r[i].iov_len);
				n += r[i].iov_len;
			}
			if (round % 11 == 0)
				n -= n / 3;
			if (round % 7 != 0) /* a read(2) that had nothing commits nothing */
				sendbuf_commit(&b, &pool, n);
			else if (round % 2 == 0)
				sendbuf_commit(&b, &pool, 0);
		}
		nv = sendbuf_peek(&b, v, 8, (round * 104729) % 5000);
		for (i = len = 0; i < nv; i++) {
			check(v[i].base, (size_t)b.sent + len, v[i].len);
			len += v[i].len;
		}
		assert_true(len <= sendbuf_unsent(&b));
		sendbuf_sent(&b, len);
		if (round % 2 == 0)
			sendbuf_ack(&b, &pool, b.acked + (b.sent - b.acked) / 2);
	}
	while (sendbuf_unsent(&b) > 0) {
		nv = sendbuf_peek(&b, v, 8, 4096);
		assert_true(nv > 0);
		for (i = len = 0; i < nv; i++) {
			check(v[i].base, (size_t)b.sent + len, v[i].len);
			len += v[i].len;
		}
		sendbuf_sent(&b, len);
	}
	sendbuf_ack(&b, &pool, b.end);
	assert_null(b.head); /* idle, it holds nothing */
	assert_int_equal(sendbuf_held(&b), 0);
	chunk_pool_free(&pool);
}

/* Spare memory is bounded. */
static void
test_pool(void **state)
{
	struct chunk_pool pool = {0};
	struct chunk *c[256];
	unsigned i;

	(void)state;
	for (i = 0; i < 256; i++) {
		c[i] = chunk_get(&pool, i % 2 ? CHUNK_LARGE : 1);
		assert_non_null(c[i]);
		assert_int_equal(c[i]->cap, i % 2 ? CHUNK_LARGE : CHUNK_SMALL);
	}
	for (i = 0; i < 256; i++)
		chunk_put(&pool, c[i]);
	assert_true(chunk_pool_spare(&pool) > 1024 * 1024);
	assert_true(chunk_pool_spare(&pool) <= 5 * 1024 * 1024);
	assert_ptr_equal(chunk_get(&pool, 1), pool.spare_small ? c[30] : NULL);
	chunk_put(&pool, c[30]);
	chunk_pool_free(&pool);
	assert_int_equal(chunk_pool_spare(&pool), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_queue_is_dense),
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
