/* Records in files. Regular files know no non-blocking writes, so each write is large, goes to the
 * kernel's cache, and one that takes long is the last. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/tracefile.h"
#include "quic/trace.h"

#define BUFFER   (64 * 1024)
#define FLUSH_NS NS_PER_S
#define SLOW_NS  (2 * NS_PER_S)
#define SECRET_MAX 64

struct quic_trace {
	int keys, qlog;
	char *dir;
	uint8_t *buf;        /* of the qlog */
	size_t n;
	uint64_t written;    /* bytes */
	uint64_t flushed_at;
};

int
quic_trace_new(struct quic_trace **out, int keys, int qlog, const char *qlog_dir)
{
	struct quic_trace *t;

	*out = NULL;
	if (keys < 0 && qlog < 0 && qlog_dir == NULL)
		return 0;
	t = calloc(1, sizeof(*t));
	if (t != NULL && (qlog >= 0 || qlog_dir != NULL)) {
		t->buf = malloc(BUFFER);
		t->dir = qlog < 0 ? strdup(qlog_dir) : NULL;
	}
	if (t == NULL || (qlog >= 0 && t->buf == NULL) ||
	    (qlog < 0 && qlog_dir != NULL && (t->buf == NULL || t->dir == NULL))) {
		fd_close(&keys);
		fd_close(&qlog);
		if (t != NULL) {
			t->keys = t->qlog = -1;
			quic_trace_free(&t);
		}
		return QERR_NOMEM;
	}
	t->keys = keys;
	t->qlog = qlog;
	*out = t;
	return 0;
}

static void
qlog_end(struct quic_trace *t, const char *why)
{
	log_error("the record of this connection (QLogDirectory) ends here: %s", why);
	fd_close(&t->qlog);
}

static void
qlog_flush(struct quic_trace *t, uint64_t now)
{
	const uint64_t start = clock_mono();
	ssize_t n;

	if (t->qlog < 0 || t->n == 0)
		return;
	n = write(t->qlog, t->buf, t->n);
	if (n < 0 && errno == EINTR)
		return; /* later, with more */
	if (n < 0) {
		qlog_end(t, strerror(errno));
		return;
	}
	memmove(t->buf, t->buf + n, t->n - (size_t)n);
	t->n -= (size_t)n;
	t->written += (uint64_t)n;
	t->flushed_at = now;
	if (clock_mono() - start > SLOW_NS)
		qlog_end(t, "the disk is too slow for it");
}

void
quic_trace_free(struct quic_trace **tp)
{
	struct quic_trace *t = *tp;

	if (t == NULL)
		return;
	qlog_flush(t, 0);
	fd_close(&t->qlog);
	fd_close(&t->keys);
	free(t->dir);
	free(t->buf);
	free(t);
	*tp = NULL;
}

bool
quic_trace_begin(struct quic_trace *t, const uint8_t *cid, size_t n, bool server)
{
	if (t == NULL)
		return false;
	if (t->qlog < 0 && t->dir != NULL)
		t->qlog = tracefile_qlog(t->dir, cid, n, server ? "server" : "client");
	return t->qlog >= 0;
}

void
quic_trace_qlog(struct quic_trace *t, const uint8_t *p, size_t n, uint64_t now)
{
	if (t->qlog < 0 || n > BUFFER)
		return;
	if (t->n + n > BUFFER)
		qlog_flush(t, now);
	if (t->qlog < 0 || t->n + n > BUFFER)
		return;
	if (t->written + t->n + n > QUIC_TRACE_MAX) {
		qlog_flush(t, now);
		qlog_end(t, "it is 64 MiB long");
		return;
	}
	memcpy(t->buf + t->n, p, n);
	t->n += n;
	if (now - t->flushed_at >= FLUSH_NS)
		qlog_flush(t, now);
}

void
quic_trace_key(struct quic_trace *t, const char *label, const uint8_t random[32],
    const uint8_t *secret, size_t n)
{
	char hex_random[65], hex_secret[2 * SECRET_MAX + 1], line[256];
	int len;

	if (t == NULL || t->keys < 0 || n > SECRET_MAX)
		return;
	sodium_bin2hex(hex_random, sizeof(hex_random), random, 32);
	sodium_bin2hex(hex_secret, sizeof(hex_secret), secret, n);
	len = snprintf(line, sizeof(line), "%s %s %s\n", label, hex_random, hex_secret);
	/* One write a line: other connections append to the same file. */
	if (len > 0 && (size_t)len < sizeof(line) && write(t->keys, line, (size_t)len) != len) {
		log_error("KeyLogFile: %s; no more keys are written", strerror(errno));
		fd_close(&t->keys);
	}
	sodium_memzero(hex_secret, sizeof(hex_secret));
	sodium_memzero(line, sizeof(line));
}
