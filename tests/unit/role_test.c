/* How a role starts: nothing of its parent's is left to it but what it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/ipc/msgs.h"
#include "server/ipc/role.h"

static char lines[1024];

static void
keep_line(void *arg, enum log_level level, const char *line)
{
	size_t n = strlen(lines);

	(void)arg;
	(void)snprintf(lines + n, sizeof(lines) - n, "%d %s\n", (int)level, line);
}

static int
on_log(void *ctx, struct rd *body, int *fds)
{
	(void)ctx;
	(void)fds;
	return role_log_from(body, "helper: ");
}

static const struct ipc_row rows[] = {{SL_LOG, "SL_LOG", 1, 0, 0, on_log}};

/* Starts the helper; its log lines are in lines. Its exit status. */
static int
run_helper(const struct role_user *who)
{
	int pair[2], status;
	struct ipc *ipc;
	pid_t pid;

	lines[0] = '\0';
	assert_int_equal(ipc_pair(pair), 0);
	pid = role_start("role_helper", "some title", pair[1], who, true);
	assert_true(pid > 0);
	fd_close(&pair[1]);
	assert_int_equal(ipc_new(&ipc, NULL, pair[0], rows, 1, NULL, NULL), 0);
	log_to_sink(keep_line, NULL);
	while (ipc_recv_one(ipc, 20 * NS_PER_S) == 0)
		;
	log_to_stderr();
	ipc_free(&ipc);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
clean_start(void **state)
{
	const struct role_user same = {.change = false, .new_session = true};
	int stray = open("/dev/null", O_RDONLY); /* not close-on-exec */
	char want[256];

	(void)state;
	assert_true(stray >= 0);
	assert_int_equal(setenv("SSLKEYLOGFILE", "/tmp/keys", 1), 0);
	assert_int_equal(run_helper(&same), 7);
	(void)snprintf(want, sizeof(want), "3 helper: uid=%d ", (int)getuid());
	assert_non_null(strstr(lines, want));
	assert_non_null(strstr(lines, " fds=4 env=0 title=some title leader=1 cwd=/\n"));
	/* A role's line is one line, and has its level. */
	assert_non_null(strstr(lines, "\n2 helper: bad\\012line\n"));
	fd_close(&stray);
}

static void
blocked_signals_do_not_stay_blocked(void **state)
{
	const struct role_user same = {.change = false};
	sigset_t set, old;

	(void)state;
	sigfillset(&set);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
	assert_int_equal(run_helper(&same), 7);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	assert_non_null(strstr(lines, "leader=0"));
}

static void
as_another_user(void **state)
{
	const struct role_user other = {.uid = 65534, .gid = 65533, .change = true};

	(void)state;
	if (geteuid() != 0) {
		print_message("not root: changes of identity are not tried\n");
		skip();
	}
	assert_int_equal(run_helper(&other), 7);
	assert_non_null(strstr(lines, "uid=65534 gid=65533 groups=0 "));
}

/* What fails after the fork is the caller's to know. */
static void
failures_come_back(void **state)
{
	const struct role_user same = {.change = false};
	const struct role_user root = {.uid = 0, .change = true, .user = "root"};
	int pair[2];

	(void)state;
	assert_int_equal(ipc_pair(pair), 0);
	errno = 0;
	assert_int_equal(role_start("no_such_helper", "x", pair[1], &same, true), QERR_SYS);
	assert_int_equal(errno, ENOENT);
	if (geteuid() != 0)
		assert_int_equal(role_start("role_helper", "x", pair[1], &root, true), QERR_SYS);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no child is left */
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

static void
not_by_hand(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(3);
		log_init("role_test", LOG_L_QUIET);
		role_channel();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_start), cmocka_unit_test(blocked_signals_do_not_stay_blocked),
		cmocka_unit_test(as_another_user), cmocka_unit_test(failures_come_back),
		cmocka_unit_test(not_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
