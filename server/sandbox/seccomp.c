/* System call filters: what a role needs once it reads from the network, and nothing else. A
 * call that is not in a table ends the process (SIGSYS). */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/sandbox/sandbox.h"

#ifdef HAVE_SECCOMP
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIST(a) (a), sizeof(a) / sizeof((a)[0])

/* Calls whose arguments do not matter: they touch what the process has, and open nothing. A
 * number that this machine does not have is negative, and left out. */
/* clang-format off */
static const int common_calls[] = {
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg),
	SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(shutdown),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
	SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(sched_yield),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
	SCMP_SYS(mlock), SCMP_SYS(munlock),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(fstat), SCMP_SYS(lseek),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const unsigned fcntl_commands[] = {
	F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC,
};

static const unsigned ioctl_requests[] = {
	FIONREAD, TIOCOUTQ,
#ifdef QSH_SANITIZERS
	TCGETS, /* is standard error a terminal? */
#endif
};

struct option {
	int level, name;
};

static const struct option set_options[] = {
	{SOL_SOCKET, SO_RCVBUF}, {SOL_SOCKET, SO_SNDBUF}, {SOL_SOCKET, SO_SNDBUFFORCE},
	{IPPROTO_IP, IP_TOS}, {IPPROTO_IP, IP_MTU_DISCOVER}, {IPPROTO_IP, IP_RECVTOS},
	{IPPROTO_IP, IP_PKTINFO},
	{IPPROTO_IPV6, IPV6_TCLASS}, {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
	{IPPROTO_IPV6, IPV6_RECVTCLASS}, {IPPROTO_IPV6, IPV6_RECVPKTINFO},
	{IPPROTO_IPV6, IPV6_DONTFRAG}, {IPPROTO_TCP, TCP_NODELAY},
#ifdef TCP_NOTSENT_LOWAT
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
#endif
#ifdef TCP_THIN_LINEAR_TIMEOUTS
	{IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
#endif
#ifdef UDP_GRO
	{IPPROTO_UDP, UDP_SEGMENT}, {IPPROTO_UDP, UDP_GRO},
#endif
};

static const struct option get_options[] = {
	{SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, SO_TYPE}, {SOL_SOCKET, SO_RCVBUF},
	{SOL_SOCKET, SO_SNDBUF}, {SOL_SOCKET, SO_DOMAIN}, {SOL_SOCKET, SO_PROTOCOL},
	{SOL_SOCKET, SO_PEERCRED},
	{IPPROTO_IP, IP_MTU}, {IPPROTO_IPV6, IPV6_MTU},
};

#ifdef QSH_SANITIZERS
/* What the sanitizers' run time does by itself. */
static const int sanitizer_calls[] = {
	SCMP_SYS(sigaltstack), SCMP_SYS(sched_getaffinity), SCMP_SYS(set_robust_list),
	SCMP_SYS(mprotect), SCMP_SYS(mmap), SCMP_SYS(prctl), SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64), SCMP_SYS(tgkill), SCMP_SYS(kill),
};

/* And what it tries for its reports, which come out without. */
static const int sanitizer_refused[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(stat),
	SCMP_SYS(newfstatat), SCMP_SYS(access), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(clone),
	SCMP_SYS(clone3), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(getcwd), SCMP_SYS(getppid),
};
#endif

/* clang-format on */

static int
allow(scmp_filter_ctx ctx, const int *calls, size_t n, uint32_t action)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		if (calls[i] >= 0)
			err = seccomp_rule_add(ctx, action, calls[i], 0);
	return err;
}

/* A call whose second argument is one of a list. */
static int
allow_second(scmp_filter_ctx ctx, int call, const unsigned *values, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = seccomp_rule_add(
		    ctx, SCMP_ACT_ALLOW, call, 1, SCMP_A1_32(SCMP_CMP_EQ, values[i]));
	return err;
}

static int
allow_options(scmp_filter_ctx ctx, int call, const struct option *o, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 2,
		    SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)o[i].level),
		    SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)o[i].name));
	return err;
}

/* Memory, but none that can be executed. */
static int
allow_memory(scmp_filter_ctx ctx)
{
#ifdef QSH_SANITIZERS
	(void)ctx;
	return 0; /* sanitizer_calls has both in full */
#else
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	    SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (err == 0)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		    SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return err;
#endif
}

/* abort() is to end as SIGABRT, so that a failed assertion is told from a forbidden call. */
static int
allow_abort(scmp_filter_ctx ctx)
{
#ifdef QSH_SANITIZERS
	(void)ctx;
	return 0;
#else
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
	    SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid()), SCMP_A2_32(SCMP_CMP_EQ, SIGABRT));
#endif
}

static int
allow_common(scmp_filter_ctx ctx)
{
	int err;

	if ((err = allow(ctx, LIST(common_calls), SCMP_ACT_ALLOW)) != 0 ||
	    (err = allow_memory(ctx)) != 0 || (err = allow_abort(ctx)) != 0 ||
	    (err = allow_second(ctx, SCMP_SYS(fcntl), LIST(fcntl_commands))) != 0 ||
	    (err = allow_second(ctx, SCMP_SYS(ioctl), LIST(ioctl_requests))) != 0 ||
	    (err = allow_options(ctx, SCMP_SYS(setsockopt), LIST(set_options))) != 0 ||
	    (err = allow_options(ctx, SCMP_SYS(getsockopt), LIST(get_options))) != 0)
		return err;
#ifdef QSH_SANITIZERS
	if ((err = allow(ctx, LIST(sanitizer_calls), SCMP_ACT_ALLOW)) != 0)
		return err;
	return allow(ctx, LIST(sanitizer_refused), SCMP_ACT_ERRNO(EPERM));
#else
	return 0;
#endif
}

/* Every admission has a channel of its own, made by the listener. */
static int
allow_listener(scmp_filter_ctx ctx)
{
	int err = seccomp_rule_add(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));

	/* Only on sockets that listen already: it can make none. */
	return err != 0 ? err : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(accept4), 0);
}

static int
build(scmp_filter_ctx ctx, int (*more)(scmp_filter_ctx))
{
	int err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (err == 0) /* a tree, not a list: it is walked at every call */
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err == 0)
		err = allow_common(ctx);
	if (err == 0 && more != NULL)
		err = more(ctx);
	return err;
}

static int
enter(int (*more)(scmp_filter_ctx))
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = -ENOMEM;

	if (ctx != NULL && (err = build(ctx, more)) == 0)
		err = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	if (err != 0) {
		errno = -err;
		log_error("sandbox: no system call filter: %s", qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	return 0;
}

int
sandbox_listener(void)
{
	return enter(allow_listener);
}

int
sandbox_net(void)
{
	return enter(NULL);
}

#ifdef QSH_SANITIZERS
/* The leak checker traces the process from a clone of it, which no sandbox permits; a program
 * with a sandbox does without. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int
__lsan_is_turned_off(void)
{
	return 1;
}
#endif

#else /* no seccomp */

int
sandbox_listener(void)
{
	log_debug("sandbox: no system call filter on this system");
	return 0;
}

int
sandbox_net(void)
{
	return sandbox_listener();
}
#endif
