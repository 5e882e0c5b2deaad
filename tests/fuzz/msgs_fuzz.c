/* Role messages: the first byte says which; the rest is its body. What is read is written and read again, and
 * is then the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc/ipc.h"
#include "server/ipc/msgs.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define ROUND_TRIP(name)                                                                           \
	static void round_##name(const uint8_t *p, size_t n)                                       \
	{                                                                                          \
		struct smsg_##name m, again;                                                       \
		struct buf a, b;                                                                   \
		struct rd r;                                                                       \
                                                                                                   \
		rd_init(&r, p, n);                                                                 \
		if (smsg_get_##name(&r, &m) != 0)                                                  \
			return;                                                                    \
		buf_init(&a, 4 * IPC_BODY_MAX);                                                    \
		buf_init(&b, 4 * IPC_BODY_MAX);                                                    \
		if (smsg_put_##name(&a, &m) != 0)                                                  \
			abort();                                                                   \
		rd_init(&r, buf_data(&a), buf_len(&a));                                            \
		if (smsg_get_##name(&r, &again) != 0 || smsg_put_##name(&b, &again) != 0)          \
			abort();                                                                   \
		if (buf_len(&a) != buf_len(&b) ||                                                  \
		    (buf_len(&a) > 0 && memcmp(buf_data(&a), buf_data(&b), buf_len(&a)) != 0))     \
			abort();                                                                   \
		smsg_free_##name(&m);                                                              \
		smsg_free_##name(&again);                                                          \
		buf_free(&a);                                                                      \
		buf_free(&b);                                                                      \
	}

#define ALL(X)                                                                                     \
	X(addr) X(path) X(slot) X(count) X(blob) X(text) X(log) X(end) X(limits) X(linit) X(dgram) \
	X(cids) X(admit) X(minit) X(ninit) X(auth) X(auth_result) X(session) X(pty) X(binit)       \
	X(start) X(chan) X(failed) X(window) X(signal) X(exit) X(register) X(adopt) X(reset_key)

ALL(ROUND_TRIP)

#define ROW(name) round_##name,

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const rows[])(const uint8_t *, size_t) = {ALL(ROW)};

	if (n > 0)
		rows[p[0] % (sizeof(rows) / sizeof(rows[0]))](p + 1, n - 1);
	return 0;
}
