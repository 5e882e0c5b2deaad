#include "client/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"

#define FILE_MAX (128 * 1024)
#define LIFE_S	 (UINT64_C(7) * 24 * 3600) /* as long as a server takes them */
#define KEY_MAX	 (2 * ADDR_STRLEN + 16)
#define LINE_MAX_ (KEY_MAX + 24 + 2 * QUIC_ADDR_TOKEN_MAX + 4)

struct tokens {
	char *path;
};

/* The file's lines, oldest first. A line: remote address, port, local address, time, token in hex. */
struct lines {
	char *text;
	char *v[TOKENS_MAX];
	size_t n;
};

int
tokens_new(struct tokens **out, const char *path)
{
	struct tokens *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return QERR_NOMEM;
	t->path = strdup(path);
	if (!t->path) {
		free(t);
		return QERR_NOMEM;
	}
	*out = t;
	return 0;
}

void
tokens_free(struct tokens **t)
{
	if (!*t)
		return;
	free((*t)->path);
	free(*t);
	*t = NULL;
}

/* What a line begins with. The local port changes with every connection. */
static size_t
make_key(char dst[KEY_MAX], const struct tp_path *path)
{
	char remote[ADDR_STRLEN], local[ADDR_STRLEN];

	return (size_t)snprintf(dst, KEY_MAX, "%s %u %s ", addr_host(&path->remote, remote),
	    (unsigned)addr_port(&path->remote), addr_host(&path->local, local));
}

/* ---- the file ------------------------------------------------------------------------ */

/* The time of a line that is whole; 0 of another. */
static uint64_t
line_time(const char *line)
{
	char remote[ADDR_STRLEN], local[ADDR_STRLEN];
	unsigned port;
	uint64_t when;
	int at = 0;

	_Static_assert(ADDR_STRLEN > 63, "widths below");
	if (sscanf(line, "%63s %u %63s %" SCNu64 " %n", remote, &port, local, &when, &at) < 4 ||
	    at == 0 || line[at] == '\0' || strlen(line) > LINE_MAX_)
		return 0;
	return when;
}

static void
split(struct lines *l, uint64_t now)
{
	char *save = NULL;

	for (char *s = strtok_r(l->text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		uint64_t when = line_time(s);

		if (when == 0 || when > now || now - when > LIFE_S)
			continue;
		if (l->n == TOKENS_MAX) {
			memmove(l->v, l->v + 1, (TOKENS_MAX - 1) * sizeof(l->v[0]));
			l->n--;
		}
		l->v[l->n++] = s;
	}
}

/* A file that others can write to would have them choose what we show to whom. */
static bool
is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    (st.st_mode & 077) == 0;
}

static void
load(const struct tokens *t, struct lines *l, uint64_t now)
{
	int fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	uint8_t *text;
	size_t n;

	*l = (struct lines){0};
	if (fd < 0)
		return;
	if (!is_ours(fd)) {
		log_debug("%s is not a file of yours alone: not read", t->path);
	} else if (fd_read_all(fd, FILE_MAX, &text, &n) == 0) {
		l->text = (char *)text;
		split(l, now);
	}
	fd_close(&fd);
}

static void
drop(struct lines *l, size_t i)
{
	l->n--;
	memmove(&l->v[i], &l->v[i + 1], (l->n - i) * sizeof(l->v[0]));
}

/* Written beside and moved into place, mode 0600. Where two write at once one of them wins: tokens are
 * only a help. */
static int
save(const struct tokens *t, const struct lines *l, const char *more)
{
	char *tmp = str_printf("%s.XXXXXX", t->path);
	struct buf b;
	int fd, r = QERR_SYS;

	if (!tmp)
		return QERR_NOMEM;
	buf_init(&b, FILE_MAX);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(&b, "%s\n", l->v[i]);
	buf_printf(&b, "%s", more);
	fd = mkstemp(tmp);
	if (fd >= 0) {
		if (b.err == 0 && fd_write_all(fd, buf_data(&b), buf_len(&b)) == 0 &&
		    rename(tmp, t->path) == 0)
			r = 0;
		else
			(void)unlink(tmp);
		fd_close(&fd);
	}
	buf_free(&b);
	free(tmp);
	return r;
}

/* ---- what the transport asks for ------------------------------------------------------- */

static size_t
take(void *arg, const struct tp_path *path, uint8_t dst[QUIC_ADDR_TOKEN_MAX])
{
	const struct tokens *t = arg;
	char key[KEY_MAX];
	size_t klen = make_key(key, path), n = 0;
	struct lines l;

	load(t, &l, clock_wall() / NS_PER_S);
	for (size_t i = l.n; i-- > 0 && n == 0;) {
		const char *hex = strrchr(l.v[i], ' ');

		if (strncmp(l.v[i], key, klen) != 0)
			continue;
		if (sodium_hex2bin(dst, QUIC_ADDR_TOKEN_MAX, hex + 1, strlen(hex + 1), NULL, &n, NULL) != 0)
			n = 0;
		drop(&l, i);
		/* One that stays in the file would be shown again. */
		if (save(t, &l, "") < 0)
			n = 0;
	}
	free(l.text);
	return n;
}

static void
keep(void *arg, const struct tp_path *path, const uint8_t *p, size_t n)
{
	const struct tokens *t = arg;
	char line[LINE_MAX_], hex[2 * QUIC_ADDR_TOKEN_MAX + 1];
	uint64_t now = clock_wall() / NS_PER_S;
	size_t klen, same = 0;
	struct lines l;
	int r;

	if (n == 0 || n > QUIC_ADDR_TOKEN_MAX)
		return;
	klen = make_key(line, path);
	load(t, &l, now);
	for (size_t i = l.n; i-- > 0;)
		if (strncmp(l.v[i], line, klen) == 0 && ++same >= TOKENS_SAME)
			drop(&l, i);
	if (l.n == TOKENS_MAX)
		drop(&l, 0);
	snprintf(line + klen, sizeof(line) - klen, "%" PRIu64 " %s\n", now,
	    sodium_bin2hex(hex, sizeof(hex), p, n));
	r = save(t, &l, line);
	if (r < 0)
		log_debug("%s: %s", t->path, qerr_str(r));
	free(l.text);
}

const struct quic_tokens tokens_ops = {.take = take, .keep = keep};
