/* Bodies of all messages: the first byte picks the message. What was decoded must
 * encode to something that decodes to the same bytes again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

#define ROUND_TRIP(name) \
	static void trip_##name(struct rd *r) \
	{ \
		struct wire_##name m; \
		struct buf once, twice; \
		buf_init(&once, 1 << 20); \
		buf_init(&twice, 1 << 20); \
		if (wire_get_##name(r, &m) == 0) { \
			must(wire_put_##name(&once, &m) == 0); \
			wire_free_##name(&m); \
			rd_init(r, buf_data(&once), buf_len(&once)); \
			must(wire_get_##name(r, &m) == 0); \
			must(wire_put_##name(&twice, &m) == 0); \
			must(buf_len(&once) == buf_len(&twice)); \
			must(memcmp(buf_data(&once), buf_data(&twice), buf_len(&once)) == 0); \
			wire_free_##name(&m); \
		} \
		buf_free(&once); \
		buf_free(&twice); \
	}

ROUND_TRIP(settings)
ROUND_TRIP(auth_request)
ROUND_TRIP(auth_failure)
ROUND_TRIP(pk_ok)
ROUND_TRIP(text)
ROUND_TRIP(open)
ROUND_TRIP(pty)
ROUND_TRIP(env)
ROUND_TRIP(start)
ROUND_TRIP(window)
ROUND_TRIP(signal)
ROUND_TRIP(break)
ROUND_TRIP(started)
ROUND_TRIP(failure)
ROUND_TRIP(exit_status)
ROUND_TRIP(exit_signal)

static void (*const trips[])(struct rd *) = {
	trip_settings, trip_auth_request, trip_auth_failure, trip_pk_ok, trip_text, trip_open,
	trip_pty, trip_env, trip_start, trip_window, trip_signal, trip_break, trip_started,
	trip_failure, trip_exit_status, trip_exit_signal,
};

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct rd r;

	if (n == 0)
		return 0;
	rd_init(&r, p + 1, n - 1);
	trips[p[0] % (sizeof(trips) / sizeof(trips[0]))](&r);
	return 0;
}
