/* Structs as bodies of messages, driven by a table of their fields: what put writes, get reads and
 * free frees cannot differ. */
#ifndef QSH_SERVER_IPC_FIELD_H
#define QSH_SERVER_IPC_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "server/ipc/msgs.h"

enum field_kind {
	FIELD_U8,
	FIELD_U32,
	FIELD_U64,
	FIELD_FIXED,   /* array of bytes; wiped when freed: it may be a key */
	FIELD_CSTR,    /* char *, owned */
	FIELD_BYTES,   /* points into the body */
	FIELD_STRLIST, /* owned */
	FIELD_ADDR,
	FIELD_PATH,
	FIELD_CID,
	FIELD_CIDS,    /* owned */
	FIELD_LIMITS,
	FIELD_ADMIT,
};

struct field {
	enum field_kind kind;
	uint32_t off; /* in the struct */
	uint32_t min; /* FIELD_CIDS: entries */
	uint32_t max; /* bytes of a string, or of each one in a list; FIELD_CIDS: entries */
};

/* The kind follows from the member's type, so that a row cannot lie about it. */
#define FIELD_MINMAX(s, m, least, most)                                                            \
	{                                                                                          \
		.kind = _Generic(((struct smsg_##s *)0)->m,                                        \
		    uint8_t: FIELD_U8,                                                             \
		    uint32_t: FIELD_U32,                                                           \
		    uint64_t: FIELD_U64,                                                           \
		    uint8_t *: FIELD_FIXED,                                                        \
		    char *: FIELD_CSTR,                                                            \
		    struct bytes: FIELD_BYTES,                                                     \
		    struct strlist: FIELD_STRLIST,                                                 \
		    struct addr: FIELD_ADDR,                                                       \
		    struct tp_path: FIELD_PATH,                                                    \
		    struct quic_cid: FIELD_CID,                                                    \
		    struct smsg_cids: FIELD_CIDS,                                                  \
		    struct smsg_limits: FIELD_LIMITS,                                              \
		    struct smsg_admit: FIELD_ADMIT),                                               \
		.off = offsetof(struct smsg_##s, m), .min = (least), .max = (most)                 \
	}
#define FIELD_MAX(s, m, most) FIELD_MINMAX(s, m, 0, most)
#define FIELD(s, m)           FIELD_MAX(s, m, sizeof(((struct smsg_##s *)0)->m))

/* Appends; 0 or the buffer's sticky error (QERR_TOOBIG also where a field is over its limit). */
int fields_put(struct buf *b, const struct field *f, size_t n, const void *m);
/* Reads into *m, which is zeroed first; does not ask that the body ends here. 0, QERR_TRUNC,
 * QERR_TOOBIG, QERR_FORMAT, QERR_NOMEM; on error nothing is left to free. */
int fields_get(struct rd *r, const struct field *f, size_t n, void *m, size_t size);
/* Frees and wipes what the struct owns. */
void fields_free(const struct field *f, size_t n, void *m);

#endif
