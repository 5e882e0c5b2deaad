/* In the sandbox what a role needs works, and what opens a way out ends the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/sandbox/sandbox.h"

enum { WORKED = 0, REFUSED = 40, NO_SANDBOX = 41, WRONG = 42 };

static struct {
	int udp, epoll, timer, pair[2];
} have; /* opened before the sandbox, as a role has them */

typedef int enter_fn(void);
typedef int attempt_fn(void);

static int
dropped(void)
{
	return 0;
}

/* Runs an attempt in a sandboxed child: its exit code, or 128 + the signal that ended it. */
static int
outcome(enter_fn *enter, attempt_fn *attempt)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_drop("", 0, 0, 0) != 0 || enter() != 0)
			_exit(NO_SANDBOX);
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void
dies(enter_fn *enter, attempt_fn *attempt)
{
	assert_int_equal(outcome(enter, dropped), WORKED);
	assert_int_equal(outcome(enter, attempt), 128 + SIGSYS);
}

/* The sanitizers' run time tries these for its reports: there they only fail. */
static void
dies_or_fails(enter_fn *enter, attempt_fn *attempt)
{
#ifdef QSH_SANITIZERS
	assert_int_equal(outcome(enter, attempt), REFUSED);
#else
	dies(enter, attempt);
#endif
}

static int
try_open(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && errno == EPERM ? REFUSED : WRONG;
}

static int
try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0 && errno == EPERM ? REFUSED : WRONG;
}

static int
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? REFUSED : WRONG;
}

static int
try_exec(void)
{
	char *argv[] = {NULL}, *env[] = {NULL};

	execve("/bin/true", argv, env);
	return REFUSED;
}

static int
try_connect(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(9)};

	return connect(have.udp, (struct sockaddr *)&in, sizeof(in)) < 0 ? REFUSED : WRONG;
}

static int
try_bind(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	return bind(have.udp, (struct sockaddr *)&in, sizeof(in)) < 0 ? REFUSED : WRONG;
}

static int
try_reuse(void)
{
	return setsockopt(have.udp, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ? REFUSED
											  : WRONG;
}

static int
try_ptrace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0) < 0 ? REFUSED : WRONG;
}

static int
try_socketpair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? WORKED : REFUSED;
}

#ifndef QSH_SANITIZERS
static int
try_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		MAP_FAILED
	    ? REFUSED
	    : WRONG;
}

static int
try_abort(void)
{
	abort();
}
#endif

static int
move_bytes(void)
{
	char b[8], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {b, sizeof(b)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct mmsghdr mm = {.msg_hdr = m};
	struct epoll_event e = {.events = EPOLLIN};
	struct itimerspec soon = {.it_value.tv_nsec = 1};
	struct timespec ts;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct pollfd p = {.fd = have.pair[1], .events = POLLIN};

	if (write(have.pair[0], "x", 1) != 1 || poll(&p, 1, -1) != 1 ||
	    read(have.pair[1], b, sizeof(b)) != 1 || send(have.pair[0], "yy", 2, 0) != 2 ||
	    recvmsg(have.pair[1], &m, 0) != 2)
		return WRONG;
	if (epoll_ctl(have.epoll, EPOLL_CTL_MOD, have.timer, &e) < 0 ||
	    timerfd_settime(have.timer, 0, &soon, NULL) < 0 ||
	    epoll_wait(have.epoll, &e, 1, -1) != 1)
		return WRONG;
	if (getsockname(have.udp, (struct sockaddr *)&ss, &len) < 0 ||
	    recvmmsg(have.udp, &mm, 1, MSG_DONTWAIT, NULL) != -1 || errno != EAGAIN ||
	    setsockopt(have.udp, IPPROTO_IP, IP_TOS, &(int){1}, sizeof(int)) < 0)
		return WRONG;
	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) < 0 ||
	    syscall(SYS_getrandom, b, sizeof(b), 0) < 0 || fcntl(have.udp, F_GETFL) < 0 ||
	    fcntl(have.udp, F_DUPFD_CLOEXEC, 10) < 0)
		return WRONG;
	return close(have.epoll) == 0 ? WORKED : WRONG;
}

static int
use_memory(void)
{
	for (size_t n = 1; n < (64 << 20); n *= 4) {
		char *p = malloc(n);

		if (p == NULL)
			return WRONG;
		memset(p, 1, n);
		if ((p = realloc(p, n * 2)) == NULL)
			return WRONG;
		free(p);
	}
	return WORKED;
}

static int
have_flags(void)
{
	struct rlimit core;

	/* prctl is not permitted any more: the flags were read before. */
	return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 &&
		prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
		prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
	    ? WORKED
	    : WRONG;
}

static void
both_forbid(void **state)
{
	static enter_fn *const sandboxes[] = {sandbox_listener, sandbox_net};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		dies_or_fails(sandboxes[i], try_open);
		dies_or_fails(sandboxes[i], try_fork);
		dies(sandboxes[i], try_socket);
		dies(sandboxes[i], try_exec);
		dies(sandboxes[i], try_connect);
		dies(sandboxes[i], try_bind);
		dies(sandboxes[i], try_reuse);
		dies(sandboxes[i], try_ptrace);
#ifndef QSH_SANITIZERS
		dies(sandboxes[i], try_exec_memory);
		assert_int_equal(outcome(sandboxes[i], try_abort), 128 + SIGABRT);
#endif
	}
	dies(sandbox_net, try_socketpair);
}

static void
both_permit(void **state)
{
	static enter_fn *const sandboxes[] = {sandbox_listener, sandbox_net};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(outcome(sandboxes[i], move_bytes), WORKED);
		assert_int_equal(outcome(sandboxes[i], use_memory), WORKED);
	}
	assert_int_equal(outcome(sandbox_listener, try_socketpair), WORKED);
}

static void
drop_sets_flags(void **state)
{
	(void)state;
	assert_int_equal(outcome(dropped, have_flags), WORKED);
}

/* As root: the identity goes for good, and the root directory changes. */
static void
drop_changes_ids(void **state)
{
	char dir[] = "/tmp/qsh-sandbox-test-XXXXXX";
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("not root: changes of identity are not tried\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uid_t r, e, s;

		if (sandbox_drop(dir, 65534, 65533, 0) != 0)
			_exit(NO_SANDBOX);
		if (getresuid(&r, &e, &s) != 0 || r != 65534 || e != 65534 || s != 65534 ||
		    getegid() != 65533 || getgroups(0, NULL) != 0 || setuid(0) == 0)
			_exit(WRONG);
		_exit(access("/etc", F_OK) == 0 ? WRONG : WORKED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rmdir(dir);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), WORKED);
}

static int
set_up(void **state)
{
	struct epoll_event e = {.events = 0};

	(void)state;
	have.udp = socket(AF_INET, SOCK_DGRAM, 0);
	have.epoll = epoll_create1(0);
	have.timer = timerfd_create(CLOCK_MONOTONIC, 0);
	return have.udp < 0 || have.epoll < 0 || have.timer < 0 ||
		epoll_ctl(have.epoll, EPOLL_CTL_ADD, have.timer, &e) < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, have.pair) < 0
	    ? -1
	    : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forbid),
		cmocka_unit_test(both_permit),
		cmocka_unit_test(drop_sets_flags),
		cmocka_unit_test(drop_changes_ids),
	};

#ifndef HAVE_SECCOMP
	print_message("no seccomp on this system: nothing to show\n");
	return 77;
#endif
	return cmocka_run_group_tests(tests, set_up, NULL);
}
