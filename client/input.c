#include "client/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"

#define READ_MAX 2048

struct input {
	struct ev *ev;
	struct ev_io *io;
	struct tp_stream *s;
	int fd;
	struct escape escape;
	const struct input_ops *ops;
	void *arg;
	uint8_t held[2 * READ_MAX]; /* read, but not taken by the stream yet */
	size_t off, len;
	bool eof, paused;
	bool *freed;                /* set by input_free while a callback runs */
};

static void
arm(struct input *in)
{
	bool want = !in->eof && !in->paused && in->len == in->off;

	if (in->io)
		ev_io_set(in->io, want ? EV_RD : 0);
}

static void
end(struct input *in)
{
	in->eof = true;
	ev_io_free(&in->io);
	if (in->s)
		tp_stream_fin(in->s);
	in->ops->ended(in->arg);
}

/* Hands held bytes to the stream; true once all are gone. */
static bool
flush(struct input *in)
{
	while (in->s && in->off < in->len) {
		ssize_t n = tp_stream_write(in->s, in->held + in->off, in->len - in->off);

		if (n < 0) {
			in->s = NULL;
			break;
		}
		if (n == 0)
			return false;
		in->off += (size_t)n;
	}
	in->off = in->len = 0;
	return true;
}

/* Runs the keys through the escape machine; false if the input was freed on the way. */
static bool
take(struct input *in, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t out[2];
		size_t k;
		enum escape_action action = escape_step(&in->escape, p[i], out, &k);
		bool freed = false;

		memcpy(in->held + in->len, out, k);
		in->len += k;
		if (action == ESCAPE_NONE)
			continue;
		in->freed = &freed;
		in->ops->escape(in->arg, action);
		if (freed)
			return false;
		in->freed = NULL;
		if (in->eof)
			return true; /* finished by the action */
	}
	return true;
}

static void
on_readable(void *arg, int fd, unsigned what)
{
	struct input *in = arg;
	uint8_t p[READ_MAX];
	ssize_t n = read(fd, p, sizeof(p));

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(in);
		return;
	}
	if (in->ops->typed)
		in->ops->typed(in->arg);
	if (!take(in, p, (size_t)n))
		return;
	if (!flush(in) || in->paused)
		arm(in);
}

static void
on_writable(void *arg, struct tp_stream *s)
{
	struct input *in = arg;

	(void)s;
	flush(in);
	arm(in);
}

static void
on_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	struct input *in = arg;

	(void)s, (void)code;
	in->s = NULL;
	if (!in->eof)
		end(in);
}

static void
on_closed(void *arg, struct tp_stream *s)
{
	struct input *in = arg;

	(void)s;
	in->s = NULL;
}

static const struct tp_stream_ops stream_ops = {
	.writable = on_writable,
	.stopped = on_stopped,
	.closed = on_closed,
};

int
input_new(struct input **out, struct ev *ev, int fd, struct tp_stream *s, int escape_key,
    const struct input_ops *ops, void *arg)
{
	struct input *in = calloc(1, sizeof(*in));
	int rc;

	if (!in) {
		fd_close(&fd);
		return QERR_NOMEM;
	}
	in->ev = ev;
	in->fd = fd;
	in->s = s;
	in->ops = ops;
	in->arg = arg;
	escape_init(&in->escape, escape_key);
	rc = ev_io_new(&in->io, ev, fd, EV_RD, on_readable, in);
	if (rc < 0) {
		in->s = NULL;
		input_free(&in);
		return rc;
	}
	tp_stream_set_ops(s, &stream_ops, in);
	*out = in;
	return 0;
}

void
input_pause(struct input *in, bool paused)
{
	in->paused = paused;
	arm(in);
}

void
input_finish(struct input *in, const void *p, size_t n)
{
	if (in->eof)
		return;
	if (n <= sizeof(in->held) - in->len) {
		memcpy(in->held + in->len, p, n);
		in->len += n;
	}
	flush(in);
	end(in);
}

void
input_free(struct input **inp)
{
	static const struct tp_stream_ops no_ops = {0};
	struct input *in = *inp;

	if (!in)
		return;
	if (in->freed)
		*in->freed = true;
	ev_io_free(&in->io);
	fd_close(&in->fd);
	if (in->s)
		tp_stream_set_ops(in->s, &no_ops, NULL);
	explicit_bzero(in->held, sizeof(in->held));
	free(in);
	*inp = NULL;
}
