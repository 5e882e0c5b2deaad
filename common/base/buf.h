/* Bounded, growing byte buffers and bounded readers.
 *
 * struct buf owns its memory; struct rd borrows it. Both are sticky: after a
 * failure every further call does nothing and returns the same error, so a
 * sequence of puts or gets is checked once at its end. */
#ifndef QSH_BASE_BUF_H
#define QSH_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *p;   /* the content starts at p + off */
	size_t off;   /* bytes consumed from the front */
	size_t len;   /* end of the content, from p */
	size_t cap;   /* bytes allocated */
	size_t max;   /* content never grows past this */
	int err;      /* sticky: 0, QERR_NOMEM or QERR_TOOBIG */
	bool secret;  /* wipe on free and before memory is given back */
};

/* An empty buffer that will hold at most max bytes; allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* The same for secrets: every byte is wiped when it leaves the buffer. */
void buf_init_secret(struct buf *b, size_t max);
/* Frees the memory; the buffer is empty and usable again, err is cleared. */
void buf_free(struct buf *b);
/* Empties it, keeps the memory, clears err. */
void buf_reset(struct buf *b);
static inline const uint8_t *buf_data(const struct buf *b) { return b->p ? b->p + b->off : b->p; }
static inline size_t buf_len(const struct buf *b) { return b->len - b->off; }
/* Room for n bytes behind the content; NULL (and err set) where that is over
 * max or memory. The bytes count only after buf_commit. Valid until the next
 * call on b. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
/* Drops n bytes (at most buf_len) from the front. */
void buf_consume(struct buf *b, size_t n);

/* Each appends and returns 0, QERR_NOMEM or QERR_TOOBIG. */
int buf_put(struct buf *b, const void *p, size_t n);
int buf_put_u8(struct buf *b, uint8_t v);
int buf_put_u16(struct buf *b, uint16_t v); /* big endian */
int buf_put_u32(struct buf *b, uint32_t v);
int buf_put_u64(struct buf *b, uint64_t v);
int buf_put_varint(struct buf *b, uint64_t v); /* RFC 9000 section 16; v < 2^62 */
/* A byte string: varint length, bytes (the wire and IPC form). */
int buf_put_str(struct buf *b, const void *p, size_t n);
int buf_put_cstr(struct buf *b, const char *s); /* NULL as "" */
/* A byte string with a 32-bit length (the form of SSH keys, RFC 4251). */
int buf_put_sshstr(struct buf *b, const void *p, size_t n);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct rd {
	const uint8_t *p;
	size_t n;
	int err; /* sticky: 0, QERR_TRUNC, QERR_TOOBIG, QERR_FORMAT or (rd_cstr) QERR_NOMEM */
};

/* A byte string that points into the buffer being read. */
struct bytes {
	const uint8_t *p;
	size_t n;
};

void rd_init(struct rd *r, const void *p, size_t n);
/* Each returns the value (0 or empty once err is set). */
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
uint64_t rd_varint(struct rd *r);
struct bytes rd_bytes(struct rd *r, size_t n);
struct bytes rd_str(struct rd *r, size_t max);    /* varint length; QERR_TOOBIG over max */
struct bytes rd_sshstr(struct rd *r, size_t max); /* 32-bit length */
/* A string as a freshly allocated C string, the caller's to free; a zero byte
 * inside is QERR_FORMAT. NULL on error. */
char *rd_cstr(struct rd *r, size_t max);
/* 0 if all was read without error; QERR_FORMAT if bytes are left over. */
int rd_end(struct rd *r);

#endif
