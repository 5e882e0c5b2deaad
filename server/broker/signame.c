/* Names of signals. */
#include "server/broker/signame.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct row {
	int signo;
	const char *name;
	bool may_send;
};

static const struct row rows[] = {
	{SIGABRT, "ABRT", true},
	{SIGALRM, "ALRM", true},
	{SIGFPE, "FPE", true},
	{SIGHUP, "HUP", true},
	{SIGILL, "ILL", true},
	{SIGINT, "INT", true},
	{SIGKILL, "KILL", true},
	{SIGPIPE, "PIPE", true},
	{SIGQUIT, "QUIT", true},
	{SIGSEGV, "SEGV", true},
	{SIGTERM, "TERM", true},
	{SIGUSR1, "USR1", true},
	{SIGUSR2, "USR2", true},
#ifdef SIGINFO
	{SIGINFO, "INFO", true},
#endif
	{SIGBUS, "BUS", false},
	{SIGSYS, "SYS", false},
	{SIGTRAP, "TRAP", false},
	{SIGXCPU, "XCPU", false},
	{SIGXFSZ, "XFSZ", false},
	{SIGVTALRM, "VTALRM", false},
	{SIGPROF, "PROF", false},
#ifdef SIGPOLL
	{SIGPOLL, "POLL", false},
#endif
#ifdef SIGSTKFLT
	{SIGSTKFLT, "STKFLT", false},
#endif
#ifdef SIGPWR
	{SIGPWR, "PWR", false},
#endif
};

int
signame_to_number(const char *name)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].may_send && strcmp(rows[i].name, name) == 0)
			return rows[i].signo;
	}
	return -1;
}

const char *
signame_of(int signo)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].signo == signo)
			return rows[i].name;
	}
	return "UNKNOWN";
}
