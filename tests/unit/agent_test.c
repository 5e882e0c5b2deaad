/* The agent client against an agent that answers whatever a test says. */
#include "tests/unit/keys_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/keys/agent.h"

/* An agent: takes one connection; to each request it writes the next reply as it stands. */
struct fake {
	const struct bytes *replies;
	size_t n;
	bool silent; /* stays connected after the last reply, until the client leaves */
	int listener;
	pthread_t thread;
	uint8_t request[4096]; /* the last one, with its length */
	size_t request_len;
};

static bool
read_n(int fd, uint8_t *p, size_t n)
{
	for (ssize_t k; n > 0; p += k, n -= (size_t)k)
		if ((k = read(fd, p, n)) <= 0)
			return false;
	return true;
}

static bool
read_request(struct fake *f, int fd)
{
	struct rd r;

	if (!read_n(fd, f->request, 4))
		return false;
	rd_init(&r, f->request, 4);
	uint32_t n = rd_u32(&r);
	f->request_len = 4 + n;
	return n <= sizeof(f->request) - 4 && read_n(fd, f->request + 4, n);
}

static void *
serve(void *arg)
{
	struct fake *f = arg;
	uint8_t byte;

	int fd = accept(f->listener, NULL, NULL);
	for (size_t i = 0; fd >= 0 && i < f->n && read_request(f, fd); i++)
		if (send(fd, f->replies[i].p, f->replies[i].n, MSG_NOSIGNAL) < 0)
			break;
	if (f->silent)
		while (read(fd, &byte, 1) > 0)
			;
	fd_close(&fd);
	return NULL;
}

static struct agent *
start(struct fake *f, const struct bytes *replies, size_t n, bool silent)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *path = fx_path("sock");
	struct agent *a;

	*f = (struct fake){.replies = replies, .n = n, .silent = silent};
	unlink(path);
	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	assert_int_equal(agent_open(&a, path), 0);
	return a;
}

static void
stop(struct fake *f, struct agent **a)
{
	agent_close(a);
	assert_null(*a);
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	fd_close(&f->listener);
}

#define REPLY(s) {(const uint8_t *)(s), sizeof(s) - 1}

/* What listing makes of one reply. */
static int
list_of(const void *reply, size_t n, bool silent, struct agent_id **ids, size_t *nids)
{
	struct bytes b = {reply, n};
	struct fake f;

	struct agent *a = start(&f, &b, 1, silent);
	agent_set_timeout(a, silent ? 50 * NS_PER_MS : 20 * NS_PER_S);
	int err = agent_list(a, ids, nids);
	stop(&f, &a);
	assert_memory_equal(f.request, "\0\0\0\1\x0b", 5);
	return err;
}

static void
lists(void **state)
{
	static const char none[] = "\0\0\0\5\x0c\0\0\0\0";
	static const char two[] = "\0\0\0\x2b\x0c\0\0\0\2"
				  "\0\0\0\x09\0\0\0\5known\0\0\0\2c1"
				  "\0\0\0\x0b\0\0\0\7unknown\0\0\0\0";
	struct agent_id *ids;
	size_t n;

	(void)state;
	assert_int_equal(list_of(none, sizeof(none) - 1, false, &ids, &n), 0);
	assert_int_equal(n, 0);
	agent_ids_free(ids, n);
	assert_int_equal(list_of(two, sizeof(two) - 1, false, &ids, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(ids[0].pub.type, "known");
	assert_string_equal(ids[0].comment, "c1");
	assert_string_equal(ids[1].comment, "");
	agent_ids_free(ids, n);
	/* Cut anywhere: the agent hangs up, or says no more. */
	for (size_t i = 0; i < sizeof(two) - 1; i++) {
		assert_int_equal(list_of(two, i, false, &ids, &n), QERR_CLOSED);
		assert_null(ids);
	}
	assert_int_equal(list_of(two, 20, true, &ids, &n), QERR_TIMEOUT);
	/* A length that cuts the message. */
	for (uint8_t i = 1; i < 0x2b; i++) {
		char cut[sizeof(two)];
		memcpy(cut, two, sizeof(two));
		cut[3] = (char)i;
		assert_int_equal(list_of(cut, sizeof(two) - 1, false, &ids, &n), QERR_TRUNC);
	}
}

static void
hostile_lists(void **state)
{
	static const struct {
		struct bytes reply;
		int want;
	} rows[] = {
		{REPLY(""), QERR_CLOSED},
		{REPLY("\0\0\0\0"), QERR_FORMAT},
		{REPLY("\xff\xff\xff\xff\x0c"), QERR_TOOBIG},
		{REPLY("\0\4\0\1\x0c"), QERR_TOOBIG},
		{REPLY("\0\0\0\1\5"), QERR_AGENT},
		{REPLY("\0\0\0\1\6"), QERR_FORMAT}, /* of another type */
		{REPLY("\0\0\0\1\xff"), QERR_FORMAT},
		{REPLY("\0\0\0\6\x0c\0\0\0\0x"), QERR_FORMAT},          /* more behind it */
		{REPLY("\0\0\0\5\x0c\xff\xff\xff\xff"), QERR_TOOBIG},   /* keys */
		{REPLY("\0\0\0\5\x0c\0\0\x08\1"), QERR_TOOBIG},
		{REPLY("\0\0\0\5\x0c\0\0\0\1"), QERR_TRUNC},
		{REPLY("\0\0\0\x0d\x0c\0\0\0\1\0\0\0\0\0\0\0\0"), QERR_TRUNC}, /* a key of nothing */
		{REPLY("\0\0\0\x09\x0c\0\0\0\1\xff\xff\xff\xff"), QERR_TOOBIG},
		{REPLY("\0\0\0\x12\x0c\0\0\0\1\0\0\0\5\0\0\0\1 \0\0\0\0"), QERR_FORMAT},
	};
	struct agent_id *ids;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = list_of(rows[i].reply.p, rows[i].reply.n, false, &ids, &n);
		if (err != rows[i].want)
			print_error("reply %zu\n", i);
		assert_int_equal(err, rows[i].want);
		assert_null(ids);
		assert_int_equal(n, 0);
	}
}

/* Once an answer is late or not understood, the next is not asked for on the same connection. */
static void
out_of_step(void **state)
{
	static const struct bytes garbage[] = {REPLY("\0\0\0\1\x63"), REPLY("\0\0\0\2\x0c\0"),
	    REPLY("\0\0\0\5\x0c\xff\0\0\0"), REPLY("\xff\0\0\0")};
	static const struct bytes refusals[] = {REPLY("\0\0\0\1\5"), REPLY("\0\0\0\5\x0c\0\0\0\0")};
	struct agent_id *ids;
	struct fake f;
	size_t n;

	(void)state;
	struct agent *a = start(&f, NULL, 0, true);
	agent_set_timeout(a, 30 * NS_PER_MS);
	uint64_t before = clock_mono();
	assert_int_equal(agent_list(a, &ids, &n), QERR_TIMEOUT);
	uint64_t took = clock_mono() - before;
	assert_true(took >= 30 * NS_PER_MS && took < 20 * NS_PER_S);
	assert_int_equal(agent_list(a, &ids, &n), QERR_CLOSED);
	stop(&f, &a);
	static const int errors[] = {QERR_FORMAT, QERR_TRUNC, QERR_TOOBIG, QERR_TOOBIG};
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		a = start(&f, &garbage[i], 1, true);
		assert_int_equal(agent_list(a, &ids, &n), errors[i]);
		assert_int_equal(agent_list(a, &ids, &n), QERR_CLOSED);
		stop(&f, &a);
	}
	/* A refusal is an answer: the connection goes on. */
	a = start(&f, refusals, 2, true);
	assert_int_equal(agent_list(a, &ids, &n), QERR_AGENT);
	assert_int_equal(agent_list(a, &ids, &n), 0);
	agent_ids_free(ids, n);
	stop(&f, &a);
}

static int
sign_reply(const void *reply, size_t n, struct buf *sig)
{
	struct bytes b = {reply, n};
	struct pubkey k;
	struct fake f;

	assert_int_equal(pubkey_from_text(&k, fx_plain_pub, NULL), 0);
	struct agent *a = start(&f, &b, 1, false);
	agent_set_timeout(a, 20 * NS_PER_S);
	int err = agent_sign(a, &k, "data", 4, sig);
	stop(&f, &a);
	assert_int_equal(f.request_len, 4 + 1 + 4 + 51 + 4 + 4 + 4);
	assert_memory_equal(f.request, "\0\0\0\x44\x0d\0\0\0\x33", 9);
	assert_memory_equal(f.request + 9, k.blob, 51);
	assert_memory_equal(f.request + 60, "\0\0\0\4data\0\0\0\0", 12);
	pubkey_free(&k);
	return err;
}

static void
signatures(void **state)
{
	uint8_t reply[92] = "\0\0\0\x58\x0e\0\0\0\x53\0\0\0\x0bssh-ed25519\0\0\0\x40";
	struct buf sig;

	(void)state;
	buf_init(&sig, 1024);
	assert_int_equal(buf_put(&sig, "before", 6), 0);
	assert_int_equal(sign_reply(reply, sizeof(reply), &sig), 0);
	assert_int_equal(buf_len(&sig), 6 + 83); /* appended */
	assert_memory_equal(buf_data(&sig) + 6, reply + 9, 83);
	reply[23]++; /* of another type of key */
	assert_int_equal(sign_reply(reply, sizeof(reply), &sig), QERR_FORMAT);
	reply[23]--;
	reply[27] = 0x3f; /* shorter, a byte behind it */
	assert_int_equal(sign_reply(reply, sizeof(reply), &sig), QERR_FORMAT);
	reply[27] = 0x41;
	assert_int_equal(sign_reply(reply, sizeof(reply), &sig), QERR_TRUNC);
	reply[27] = 0x3f; /* and whole with it */
	reply[3]--;
	reply[8]--;
	assert_int_equal(sign_reply(reply, sizeof(reply) - 1, &sig), QERR_FORMAT);
	assert_int_equal(sign_reply("\0\0\0\1\5", 5, &sig), QERR_AGENT);
	assert_int_equal(sign_reply("\0\0\0\1\6", 5, &sig), QERR_FORMAT);
	assert_int_equal(sign_reply("\0\0\0\5\x0e\0\0\0\0", 9, &sig), QERR_TRUNC);
	assert_int_equal(buf_len(&sig), 6 + 83);
	buf_free(&sig);
}

static void
adding(void **state)
{
	static const struct bytes done[] = {REPLY("\0\0\0\1\6"), REPLY("\0\0\0\1\6"),
	    REPLY("\0\0\0\2\6x")};
	static const char tail[] = "\0\0\0\1c\1\0\0\x0e\x10\2";
	struct privkey k;
	struct fake f;

	(void)state;
	assert_int_equal(privkey_generate(&k, "c"), 0);
	struct agent *a = start(&f, done, 3, true);
	assert_int_equal(agent_add(a, &k, 3600, true), 0);
	size_t n = 4 + 1 + 15 + 36 + 68 + 5 + 6;
	assert_int_equal(f.request_len, n);
	assert_int_equal(f.request[4], 25);
	assert_memory_equal(f.request + n - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	assert_int_equal(agent_add(a, &k, 0, false), 0);
	assert_int_equal(f.request[4], 17);
	assert_int_equal(f.request_len, n - 6);
	assert_int_equal(agent_add(a, &k, 0, false), QERR_FORMAT);
	stop(&f, &a);
	privkey_free(&k);
}

static void
opening(void **state)
{
	struct agent *a;
	char path[256];

	(void)state;
	unsetenv("SSH_AUTH_SOCK");
	assert_int_equal(agent_open(&a, NULL), QERR_NOTFOUND);
	assert_null(a);
	assert_int_equal(agent_open(&a, ""), QERR_NOTFOUND);
	assert_int_equal(agent_open(&a, fx_path("none")), QERR_SYS);
	assert_int_equal(errno, ENOENT);
	fx_write(fx_path("file"), "");
	assert_int_equal(agent_open(&a, fx_path("file")), QERR_SYS);
	assert_int_equal(errno, ECONNREFUSED);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(agent_open(&a, path), QERR_SYS);
	assert_int_equal(errno, ENAMETOOLONG);
	setenv("SSH_AUTH_SOCK", fx_path("gone"), 1);
	assert_int_equal(agent_open(&a, NULL), QERR_SYS);
	agent_close(&a); /* nothing to close */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(lists),
		cmocka_unit_test(hostile_lists),
		cmocka_unit_test(out_of_step),
		cmocka_unit_test(signatures),
		cmocka_unit_test(adding),
	};
	fx_folder();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fx_done();
	return failed;
}
