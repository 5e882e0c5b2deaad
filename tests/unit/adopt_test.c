/* Named sockets, and the supervisor's side of registrations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ev/ev.h"
#include "server/ipc/regsock.h"
#include "server/supervisor/adopt.h"
#include "tests/unit/rolepeer.h"

struct world {
	char dir[64], sub[96];
	struct ev *ev;
	struct adopters *a;
	struct sock socks[2];
	struct peer p;
	unsigned adopted, authed, gone;
	uint32_t slot;
	const char *why;
	int err;
};

static int
on_adopt(void *arg, pid_t pid, const struct smsg_register *m, int fd, const char **why)
{
	struct world *w = arg;

	assert_int_equal(pid, getpid());
	assert_true(fd >= 0);
	w->slot = m->slot;
	*why = w->why;
	if (w->why != NULL || w->err != 0)
		return w->why != NULL ? QERR_DENIED : w->err;
	w->adopted++;
	return 0;
}

static void
on_authed(void *arg, pid_t pid, uint32_t slot)
{
	struct world *w = arg;

	assert_int_equal(pid, getpid());
	assert_int_equal(slot, w->slot);
	w->authed++;
}

static void
on_gone(void *arg, uint32_t slot)
{
	struct world *w = arg;

	assert_int_equal(slot, w->slot);
	w->gone++;
}

static const struct adopt_ops ops = {on_adopt, on_authed, on_gone};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockets s = {.v = w->socks, .n = 2};

	*state = w;
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/qsh-adopt-test-XXXXXX");
	w->p.fd = -1;
	if (mkdtemp(w->dir) == NULL || ev_new(&w->ev) != 0)
		return -1;
	(void)snprintf(w->sub, sizeof(w->sub), "%s/" REGSOCK_DIR, w->dir);
	/* Two addresses, one port: one name. */
	if (mkdir(w->sub, 0700) < 0 || addr_parse(&w->socks[0].addr, "127.0.0.1", 22) != 0 ||
	    addr_parse(&w->socks[1].addr, "::1", 22) != 0 ||
	    adopters_new(&w->a, w->ev, w->dir, &ops, w) != 0)
		return -1;
	adopters_listen(w->a, &s);
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	peer_close(&w->p);
	adopters_free(&w->a);
	ev_free(&w->ev);
	(void)rmdir(w->sub); /* every name is gone: else this fails */
	if (rmdir(w->dir) < 0)
		return -1;
	free(w);
	return 0;
}

static void
stop(void *arg)
{
	ev_stop(arg);
}

/* What waits for the loop is done. */
static void
rounds(struct world *w)
{
	struct ev_timer *t;

	assert_int_equal(ev_timer_new(&t, w->ev, stop, w->ev), 0);
	for (int i = 0; i < 5; i++) {
		ev_timer_at(t, ev_now(w->ev) + NS_PER_MS);
		assert_int_equal(ev_run(w->ev), 0);
	}
	ev_timer_free(&t);
}

static void
come(struct world *w)
{
	int fd = regsock_connect(w->dir, 22);

	assert_true(fd >= 0);
	peer_close(&w->p);
	peer_init(&w->p, fd);
}

static void
say(struct world *w, uint32_t version, bool authed)
{
	struct smsg_register m = {.version = version, .slot = 5, .authed = authed};
	struct buf b;

	assert_int_equal(addr_parse(&m.path.local, "127.0.0.1", 22), 0);
	assert_int_equal(addr_parse(&m.path.remote, "127.0.0.2", 4000), 0);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_register(&b, &m), 0);
	peer_send(&w->p, SM_REGISTER, &b, NULL, 0);
	buf_free(&b);
}

static void
names(void **state)
{
	struct world *w = *state;
	char path[160];
	struct stat st;
	struct sockets s = {.v = w->socks, .n = 2};

	(void)snprintf(path, sizeof(path), "%s/22", w->sub);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(regsock_connect(w->dir, 23), QERR_AGAIN);
	addr_set_port(&w->socks[1].addr, 23);
	adopters_listen(w->a, &s);
	peer_init(&w->p, regsock_connect(w->dir, 23));
	assert_true(w->p.fd >= 0);
	s.n = 1;
	adopters_listen(w->a, &s);
	assert_int_equal(regsock_connect(w->dir, 23), QERR_AGAIN);
	/* What a qshd that was killed has left is no obstacle; and it is nobody. */
	adopters_free(&w->a);
	int fd = regsock_listen(w->dir, 22);
	assert_true(fd >= 0);
	fd_close(&fd);
	assert_int_equal(regsock_connect(w->dir, 22), QERR_AGAIN);
	assert_int_equal(adopters_new(&w->a, w->ev, w->dir, &ops, w), 0);
	adopters_listen(w->a, &s);
	come(w);
	assert_int_equal(regsock_listen("/a/name/that/is/much/too/long/for/the/address/of/a/socket/whose/path/has/"
	    "room/for/a/hundred/and/eight/bytes", 22), QERR_TOOBIG);
}

static void
taken_over(void **state)
{
	struct world *w = *state;

	/* Who comes while there is no listener waits. */
	come(w);
	say(w, SMSG_LN_VERSION, true);
	rounds(w);
	assert_int_equal(w->adopted, 0);
	assert_true(peer_quiet(&w->p));
	adopters_open(w->a, true);
	rounds(w);
	assert_int_equal(w->adopted, 1);
	peer_expect(&w->p, SM_LISTENER, 1, 0);
	peer_expect_end(&w->p);
	assert_int_equal(w->gone, 0);
}

static void
before_the_user_is_known(void **state)
{
	struct world *w = *state;

	adopters_open(w->a, true);
	come(w);
	say(w, SMSG_LN_VERSION, false);
	rounds(w);
	peer_expect(&w->p, SM_LISTENER, 1, 0);
	peer_send(&w->p, SM_AUTHED, NULL, NULL, 0);
	rounds(w);
	assert_int_equal(w->authed, 1);
	peer_expect_end(&w->p);
	assert_int_equal(w->gone, 0);
	/* Another one ends before. */
	come(w);
	say(w, SMSG_LN_VERSION, false);
	rounds(w);
	come(w);
	rounds(w);
	assert_int_equal(w->gone, 1);
	/* When the listener ends its guests come again: the next one is not told that they have gone. */
	say(w, SMSG_LN_VERSION, false);
	rounds(w);
	assert_int_equal(w->adopted, 3);
	adopters_open(w->a, false);
	rounds(w);
	assert_int_equal(w->gone, 1);
	peer_expect(&w->p, SM_LISTENER, 1, 0);
	peer_expect_end(&w->p);
}

static void
refusals(void **state)
{
	struct world *w = *state;
	struct smsg_text t;

	adopters_open(w->a, true);
	come(w);
	say(w, SMSG_LN_VERSION + 1, true);
	rounds(w);
	peer_expect(&w->p, SM_REFUSED, 0, 0);
	assert_int_equal(smsg_get_text(&w->p.body, &t), 0);
	assert_non_null(strstr(t.text, "version"));
	smsg_free_text(&t);
	peer_expect_end(&w->p);
	w->why = "no such port";
	come(w);
	say(w, SMSG_LN_VERSION, false);
	rounds(w);
	peer_expect(&w->p, SM_REFUSED, 0, 0);
	peer_expect_end(&w->p);
	/* What may be better next time is not refused. */
	w->why = NULL;
	w->err = QERR_AGAIN;
	come(w);
	say(w, SMSG_LN_VERSION, true);
	rounds(w);
	peer_expect_end(&w->p);
	/* Out of turn. */
	come(w);
	peer_send(&w->p, SM_AUTHED, NULL, NULL, 0);
	rounds(w);
	peer_expect_end(&w->p);
	assert_int_equal(w->adopted + w->authed + w->gone, 0);
}

/* Who comes and says nothing takes a place, and there are so many of these; the next ones wait for one. */
static void
silent(void **state)
{
	enum { PLACES = 256, COME = PLACES + 10 };
	struct world *w = *state;
	struct rlimit files;
	int fd[COME], i;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_cur < 3 * COME)
		skip();
	adopters_open(w->a, true);
	for (i = 0; i < COME; i++) {
		fd[i] = regsock_connect(w->dir, 22);
		assert_true(fd[i] >= 0);
		if (i % 10 == 0 && i < PLACES)
			rounds(w);
	}
	come(w);
	say(w, SMSG_LN_VERSION, true);
	rounds(w);
	rounds(w);
	assert_int_equal(w->adopted, 0);
	for (i = 0; i < COME; i++)
		fd_close(&fd[i]);
	for (i = 0; i < 5000 && w->adopted == 0; i++)
		rounds(w);
	assert_int_equal(w->adopted, 1);
	peer_expect(&w->p, SM_LISTENER, 1, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(names), T(taken_over), T(before_the_user_is_known), T(refusals),
		T(silent),
	};

	log_init("test", LOG_L_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
