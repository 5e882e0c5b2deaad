/* The agent client against OpenSSH's ssh-agent. */
#include "tests/unit/keys_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/keys/agent.h"

static pid_t agent_pid;

/* An ssh-agent of our own, whose questions to its user are answered by askpass. */
static struct agent *
start(const char *askpass)
{
	const char *sock = fx_path("agent");
	const uint64_t deadline = clock_mono() + 20 * NS_PER_S;
	struct agent *a = NULL;

	unlink(sock);
	agent_pid = fork();
	assert_true(agent_pid >= 0);
	if (agent_pid == 0) {
		setenv("SSH_ASKPASS", askpass, 1);
		setenv("SSH_ASKPASS_REQUIRE", "force", 1);
		setenv("DISPLAY", "none", 1);
		if (open("/dev/null", O_WRONLY) < 0 || !freopen("/dev/null", "w", stdout) ||
		    !freopen("/dev/null", "w", stderr))
			_exit(1);
		execlp("ssh-agent", "ssh-agent", "-D", "-a", sock, (char *)NULL);
		_exit(1);
	}
	while (agent_open(&a, sock) != 0 && clock_mono() < deadline)
		poll(NULL, 0, 5);
	assert_non_null(a);
	return a;
}

static void
stop(struct agent **a)
{
	int status;

	agent_close(a);
	if (agent_pid <= 0)
		return;
	kill(agent_pid, SIGTERM);
	assert_int_equal(waitpid(agent_pid, &status, 0), agent_pid);
	agent_pid = 0;
}

static int
end_agent(void **state)
{
	(void)state;
	if (agent_pid > 0) {
		kill(agent_pid, SIGTERM);
		waitpid(agent_pid, NULL, 0);
		agent_pid = 0;
	}
	return 0;
}

static void
expect_ids(struct agent *a, size_t want, const struct privkey *k)
{
	struct agent_id *ids;
	size_t n;

	assert_int_equal(agent_list(a, &ids, &n), 0);
	assert_int_equal(n, want);
	if (k) {
		assert_true(pubkey_equal(&ids[0].pub, &k->pub));
		assert_string_equal(ids[0].comment, k->comment);
	}
	agent_ids_free(ids, n);
}

static int
sign(struct agent *a, const struct pubkey *k)
{
	struct buf tbs, sig;

	buf_init(&tbs, 1024);
	buf_init(&sig, 1024);
	assert_int_equal(sshsig_tbs(&tbs, "qsh-auth@v1", "m", 1), 0);
	int err = agent_sign(a, k, buf_data(&tbs), buf_len(&tbs), &sig);
	if (!err)
		assert_int_equal(sshsig_verify(k, buf_data(&tbs), buf_len(&tbs), buf_data(&sig),
				     buf_len(&sig)), 0);
	else
		assert_int_equal(buf_len(&sig), 0);
	buf_free(&tbs);
	buf_free(&sig);
	return err;
}

static void
list_add_sign(void **state)
{
	struct agent *a = start("/bin/false");
	struct privkey k, other;

	(void)state;
	assert_int_equal(privkey_generate(&k, "my key"), 0);
	assert_int_equal(privkey_generate(&other, ""), 0);
	expect_ids(a, 0, NULL);
	assert_int_equal(sign(a, &k.pub), QERR_AGENT);
	assert_int_equal(agent_add(a, &k, 0, false), 0);
	expect_ids(a, 1, &k);
	assert_int_equal(sign(a, &k.pub), 0);
	assert_int_equal(sign(a, &other.pub), QERR_AGENT);
	assert_int_equal(sign(a, &k.pub), 0); /* still in step */
	setenv("SSH_AUTH_SOCK", fx_path("agent"), 1);
	struct agent *b;
	assert_int_equal(agent_open(&b, NULL), 0);
	assert_int_equal(sign(b, &k.pub), 0);
	agent_close(&b);
	privkey_free(&k);
	privkey_free(&other);
	stop(&a);
}

static void
lifetime(void **state)
{
	const uint64_t deadline = clock_mono() + 20 * NS_PER_S;
	struct agent *a = start("/bin/false");
	struct agent_id *ids;
	struct privkey k;
	size_t n = 1;

	(void)state;
	assert_int_equal(privkey_generate(&k, ""), 0);
	assert_int_equal(agent_add(a, &k, 1, false), 0);
	while (n > 0 && clock_mono() < deadline) {
		assert_int_equal(agent_list(a, &ids, &n), 0);
		agent_ids_free(ids, n);
		poll(NULL, 0, 50);
	}
	assert_int_equal(n, 0);
	privkey_free(&k);
	stop(&a);
}

static void
confirmation(void **state)
{
	static const struct {
		const char *askpass;
		int want;
	} rows[] = {{"/bin/false", QERR_AGENT}, {"/bin/true", 0}};
	struct privkey k;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct agent *a = start(rows[i].askpass);
		assert_int_equal(privkey_generate(&k, ""), 0);
		assert_int_equal(agent_add(a, &k, 0, true), 0);
		assert_int_equal(sign(a, &k.pub), rows[i].want);
		expect_ids(a, 1, NULL);
		privkey_free(&k);
		stop(&a);
	}
}

/* Locks (22) or unlocks (23) the agent, as ssh-add -x and -X do once they have asked. */
static void
set_lock(uint8_t type)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	uint8_t message[] = {0, 0, 0, 6, type, 0, 0, 0, 1, 'x'};
	uint8_t reply[5];

	strncpy(sa.sun_path, fx_path("agent"), sizeof(sa.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fd_write_all(fd, message, sizeof(message)), 0);
	assert_int_equal(recv(fd, reply, sizeof(reply), MSG_WAITALL), 5);
	assert_int_equal(reply[4], 6);
	fd_close(&fd);
}

static void
locked(void **state)
{
	struct agent *a = start("/bin/false");
	struct privkey k;

	(void)state;
	assert_int_equal(privkey_generate(&k, ""), 0);
	assert_int_equal(agent_add(a, &k, 0, false), 0);
	set_lock(22);
	expect_ids(a, 0, NULL);
	assert_int_equal(sign(a, &k.pub), QERR_AGENT);
	assert_int_equal(agent_add(a, &k, 0, false), QERR_AGENT);
	set_lock(23);
	assert_int_equal(sign(a, &k.pub), 0);
	privkey_free(&k);
	stop(&a);
}

/* A key that may be used towards one host only: the agent signs for SSH sessions bound to
 * it, and for nothing else. */
static void
restricted(void **state)
{
	struct agent *a = start("/bin/false");
	struct privkey k;
	char line[512];

	(void)state;
	assert_int_equal(privkey_generate(&k, ""), 0);
	assert_int_equal(privkey_save(&k, fx_path("k")), 0);
	char *text = pubkey_to_text(&k.pub);
	snprintf(line, sizeof(line), "some.example %s\n", text);
	free(text);
	fx_write(fx_path("kh"), line);
	assert_int_equal(fx_run("SSH_AUTH_SOCK='%s' ssh-add -q -H '%s' -h some.example '%s'",
			     fx_path("agent"), fx_path("kh"), fx_path("k")), 0);
	expect_ids(a, 1, NULL);
	assert_int_equal(sign(a, &k.pub), QERR_AGENT);
	privkey_free(&k);
	stop(&a);
}

/* The agent ends while we are connected. */
static void
gone(void **state)
{
	struct agent *a = start("/bin/false");
	struct agent_id *ids;
	size_t n;

	(void)state;
	end_agent(NULL);
	int err = agent_list(a, &ids, &n);
	assert_true(err == QERR_CLOSED || err == QERR_SYS); /* EOF, or EPIPE */
	agent_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(list_add_sign, end_agent),
		cmocka_unit_test_teardown(lifetime, end_agent),
		cmocka_unit_test_teardown(confirmation, end_agent),
		cmocka_unit_test_teardown(locked, end_agent),
		cmocka_unit_test_teardown(restricted, end_agent),
		cmocka_unit_test_teardown(gone, end_agent),
	};
	fx_need("ssh-agent");
	fx_need("ssh-add");
	fx_folder();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fx_done();
	return failed;
}
