#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "quic/user/frame.h"

/* The largest frame and a good part of the next, so that one read takes many. Pages that are never
 * touched cost nothing. */
#define RX_SIZE (128 * 1024)

struct qframe_rx {
	size_t from, to; /* what has come and was not given out yet */
	bool greeted;
	int failed;
	uint8_t buf[RX_SIZE];
};

int
qframe_rx_new(struct qframe_rx **out)
{
	struct qframe_rx *rx = malloc(sizeof(*rx));

	*out = rx;
	if (rx == NULL)
		return QERR_NOMEM;
	rx->from = rx->to = 0;
	rx->greeted = false;
	rx->failed = 0;
	return 0;
}

void
qframe_rx_free(struct qframe_rx **rx)
{
	free(*rx);
	*rx = NULL;
}

uint8_t *
qframe_rx_room(struct qframe_rx *rx, size_t *n)
{
	/* Only what is left of the last frame is moved, and only where the largest would not fit. */
	if (rx->from == rx->to) {
		rx->from = rx->to = 0;
	} else if (RX_SIZE - rx->from < QFRAME_HDR + QFRAME_MAX) {
		memmove(rx->buf, rx->buf + rx->from, rx->to - rx->from);
		rx->to -= rx->from;
		rx->from = 0;
	}
	*n = RX_SIZE - rx->to;
	return rx->buf + rx->to;
}

void
qframe_rx_filled(struct qframe_rx *rx, size_t n)
{
	rx->to += n;
}

static bool
is_text(uint8_t c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\r' || c == '\n';
}

/* Something else has come. A line that has begun is waited for, because it says what it is. */
static int
strange(struct qframe_rx *rx, const uint8_t *p, size_t have)
{
	size_t i;

	for (i = 0; i < have && i < QFRAME_LINE_MAX; i++) {
		if (p[i] == '\n' || !is_text(p[i]))
			return rx->failed = QERR_PROTO;
	}
	if (have >= QFRAME_LINE_MAX)
		return rx->failed = QERR_PROTO;
	return 0;
}

static int
greet(struct qframe_rx *rx)
{
	const uint8_t *p = rx->buf + rx->from;
	size_t have = rx->to - rx->from;
	size_t n = have < QFRAME_HELLO_LEN ? have : QFRAME_HELLO_LEN;

	if (memcmp(p, QFRAME_HELLO, n) != 0)
		return strange(rx, p, have);
	if (n < QFRAME_HELLO_LEN)
		return 0;
	rx->greeted = true;
	rx->from += QFRAME_HELLO_LEN;
	return 1;
}

int
qframe_rx_next(struct qframe_rx *rx, const uint8_t **p, size_t *n)
{
	size_t have, len;
	int r;

	if (rx->failed != 0)
		return rx->failed;
	if (!rx->greeted && (r = greet(rx)) <= 0)
		return r;
	have = rx->to - rx->from;
	if (have < QFRAME_HDR)
		return 0;
	len = (size_t)rx->buf[rx->from] << 8 | rx->buf[rx->from + 1];
	if (len == 0)
		return rx->failed = QERR_FORMAT;
	if (have < QFRAME_HDR + len)
		return 0;
	*p = rx->buf + rx->from + QFRAME_HDR;
	*n = len;
	rx->from += QFRAME_HDR + len;
	return 1;
}

bool
qframe_rx_greeted(const struct qframe_rx *rx)
{
	return rx->greeted;
}

/* ---- strangers ---- */

static const struct {
	const char *begins;
	size_t n;
	const char *server, *client;
} strangers[] = {
	{"SSH-", 4, "is an SSH server, not qshd", "is an SSH client"},
	{"HTTP/", 5, "is a web server, not qshd", "is a web server"},
	{"GET ", 4, "is a web browser", "is a web client"},
	{"POST ", 5, "is a web browser", "is a web client"},
	{"HEAD ", 5, "is a web browser", "is a web client"},
	{"PRI * HTTP/", 11, "is a web browser", "is a web client"},
	{"\x16\x03", 2, "speaks TLS, not qsh", "is a TLS client"},
	{"\x15\x03", 2, "is a TLS server, not qshd", "is a TLS client"},
	{"220 ", 4, "is a mail or FTP server, not qshd", "is a mail server"},
};

/* The first line that came, without its end. */
static size_t
line_of(const struct qframe_rx *rx, const uint8_t **p)
{
	size_t n = rx->to - rx->from, i;

	*p = rx->buf + rx->from;
	if (n > QFRAME_LINE_MAX)
		n = QFRAME_LINE_MAX;
	for (i = 0; i < n && (*p)[i] != '\r' && (*p)[i] != '\n'; i++)
		;
	return i;
}

const char *
qframe_rx_stranger(const struct qframe_rx *rx, bool server, char *dst, size_t n)
{
	char text[4 * 80 + 1];
	const uint8_t *p;
	size_t len = line_of(rx, &p), i;

	if (rx->from == rx->to)
		return NULL;
	for (i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		if (len < strangers[i].n || memcmp(p, strangers[i].begins, strangers[i].n) != 0)
			continue;
		snprintf(dst, n, "%s", server ? strangers[i].server : strangers[i].client);
		return dst;
	}
	str_vis(text, sizeof(text), p, len < 80 ? len : 80);
	snprintf(dst, n, "does not speak qsh; it says \"%s\"", text);
	return dst;
}

bool
qframe_rx_refused(const struct qframe_rx *rx, char *dst, size_t n)
{
	const size_t same = QFRAME_HELLO_LEN - 2; /* without the line's end */
	const uint8_t *p;
	size_t len = line_of(rx, &p);

	if (rx->greeted || len <= same + 1 || memcmp(p, QFRAME_HELLO, same) != 0 || p[same] != ' ')
		return false;
	str_vis(dst, n, p + same + 1, len - same - 1);
	return true;
}

void
qframe_put_hdr(uint8_t hdr[QFRAME_HDR], size_t n)
{
	hdr[0] = (uint8_t)(n >> 8);
	hdr[1] = (uint8_t)n;
}
