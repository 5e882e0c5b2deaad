/* Standard input: at first what is there at once, then a pump or the keys. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/session_impl.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"

static void
input_over(void *arg, enum pump_end why)
{
	struct session *s = arg;

	(void)why;
	pump_out_free(&s->pump);
	s->in_open = false;
}

/* The rest follows when the user is known. */
void
session_read_early(struct session *s)
{
	uint8_t p[EARLY_INPUT];
	int fd = stdio_open(s->io, STDIN_FILENO);
	size_t n = 0, max = tp_stream_room(s->in);
	bool eof = false;

	if (fd < 0)
		return;
	if (max > sizeof(p))
		max = sizeof(p);
	while (n < max) {
		ssize_t k = read(fd, p + n, max - n);

		if (k < 0 && errno == EINTR)
			continue;
		eof = k == 0;
		if (k <= 0)
			break;
		n += (size_t)k;
	}
	fd_close(&fd);
	if (n > 0 && tp_stream_write(s->in, p, n) != (ssize_t)n) {
		log_error("qsh: the first input does not fit into the stream's buffer");
		tp_stream_reset(s->in, TP_E_INTERNAL);
		s->in_open = false;
	} else if (eof) {
		tp_stream_fin(s->in);
		s->in_open = false;
	}
	explicit_bzero(p, n);
}

static void
in_stopped(void *arg, struct tp_stream *st, uint64_t code)
{
	struct session *s = arg;

	(void)st, (void)code;
	s->in_open = false;
}

static void
in_closed(void *arg, struct tp_stream *st)
{
	struct session *s = arg;

	(void)st;
	s->in = NULL;
	s->in_open = false;
}

static const struct tp_stream_ops in_ops = {.stopped = in_stopped, .closed = in_closed};

void
session_start_input(struct session *s)
{
	int fd, rc;

	if (!s->in_open || !s->in || s->pump || s->keys)
		return;
	fd = stdio_open(s->io, STDIN_FILENO);
	if (fd < 0) {
		tp_stream_fin(s->in);
		s->in_open = false;
		return;
	}
	if (s->pty)
		rc = input_new(&s->keys, s->ev, fd, s->in, s->conf->escape_char, &session_key_ops, s);
	else
		rc = pump_out_new(&s->pump, s->ev, fd, s->in, input_over, s);
	if (rc < 0) {
		log_error("qsh: standard input: %s", qerr_str(rc));
		tp_stream_fin(s->in);
		s->in_open = false;
		return;
	}
	s->in = NULL;
}

int
session_open_input(struct session *s)
{
	struct buf b;
	int rc = tp_stream_open(s->conn, true, &in_ops, s,
	    s->plan->pty ? TP_PRIO_INTERACTIVE : TP_PRIO_BULK, &s->in);

	if (rc < 0)
		return rc;
	s->in_opened = s->in_open = true;
	buf_init(&b, 3 * WIRE_HDR_MAX);
	buf_put_varint(&b, WIRE_UNI_DATA);
	buf_put_varint(&b, s->chan);
	rc = buf_put_varint(&b, WIRE_DATA_IN);
	if (rc == 0 && tp_stream_write(s->in, buf_data(&b), buf_len(&b)) != (ssize_t)buf_len(&b))
		rc = QERR_TOOBIG;
	buf_free(&b);
	return rc;
}
