/* The picture of a key that people compare by eye: a walk over a field, two bits of the hash a
 * step, whose cells show how often they were visited. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/keys/digest.h"

#define COLS 17
#define ROWS 9

/* By number of visits; the last two mark start and end of the walk. */
static const char marks[] = " .o+=*BOX@%&#/^SE";
enum { MARK_END = sizeof(marks) - 2, MARK_START = MARK_END - 1, MARK_MOST = MARK_START - 1 };

static int
step(int at, bool forward, int size)
{
	at += forward ? 1 : -1;
	if (at < 0)
		return 0;
	return at < size ? at : size - 1;
}

static void
walk(uint8_t field[ROWS][COLS], const uint8_t *digest, size_t n)
{
	int x = COLS / 2, y = ROWS / 2;

	for (size_t i = 0; i < 4 * n; i++) {
		unsigned move = digest[i / 4] >> (2 * (i % 4)); /* low bits first */
		x = step(x, move & 1, COLS);
		y = step(y, move & 2, ROWS);
		if (field[y][x] < MARK_MOST)
			field[y][x]++;
	}
	field[ROWS / 2][COLS / 2] = MARK_START;
	field[y][x] = MARK_END;
}

/* A border with a title in its middle. */
static void
border(struct buf *b, const char *title)
{
	size_t n = strlen(title), left = (COLS - n) / 2;

	buf_put_u8(b, '+');
	for (size_t i = 0; i < left; i++)
		buf_put_u8(b, '-');
	buf_put(b, title, n);
	for (size_t i = left + n; i < COLS; i++)
		buf_put_u8(b, '-');
	buf_put(b, "+\n", 2);
}

char *
digest_randomart(const struct digest *d, const struct pubkey *k)
{
	uint8_t field[ROWS][COLS] = {{0}};
	char title[COLS], hash[COLS]; /* one column less than there is room for, as ssh has it */
	struct buf b;

	walk(field, d->p, d->n);
	int n = snprintf(title, sizeof(title), "[%s %u]", pubkey_short_type(k), pubkey_bits(k));
	if (n < 0 || n > COLS)
		snprintf(title, sizeof(title), "[%s]", pubkey_short_type(k));
	snprintf(hash, sizeof(hash), "[%s]", d->name);

	buf_init(&b, 1024);
	border(&b, title);
	for (size_t y = 0; y < ROWS; y++) {
		buf_put_u8(&b, '|');
		for (size_t x = 0; x < COLS; x++)
			buf_put_u8(&b, (uint8_t)marks[field[y][x]]);
		buf_put(&b, "|\n", 2);
	}
	border(&b, hash);
	char *s = b.err ? NULL : strndup((const char *)buf_data(&b), buf_len(&b));
	buf_free(&b);
	return s;
}

char *
pubkey_randomart(const struct pubkey *k)
{
	struct digest d;

	return digest_key(&d, k, NULL) == 0 ? digest_randomart(&d, k) : NULL;
}
