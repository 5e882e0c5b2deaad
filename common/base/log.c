#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/vis.h"

#define TEXT_MAX 4096 /* bytes of one line's text; a longer one ends with "..." */

static const struct {
	const char *name;
	int priority;       /* of syslog, as sshd has them */
	const char *prefix; /* on standard error and in files, as ssh has it */
	const char *sys_prefix;
} levels[] = {
	[LOG_L_QUIET] = {"QUIET", LOG_CRIT, "", ""},
	[LOG_L_FATAL] = {"FATAL", LOG_CRIT, "", "fatal: "},
	[LOG_L_ERROR] = {"ERROR", LOG_ERR, "", "error: "},
	[LOG_L_INFO] = {"INFO", LOG_INFO, "", ""},
	[LOG_L_VERBOSE] = {"VERBOSE", LOG_INFO, "", ""},
	[LOG_L_DEBUG1] = {"DEBUG1", LOG_DEBUG, "debug1: ", "debug1: "},
	[LOG_L_DEBUG2] = {"DEBUG2", LOG_DEBUG, "debug2: ", "debug2: "},
	[LOG_L_DEBUG3] = {"DEBUG3", LOG_DEBUG, "debug3: ", "debug3: "},
};

static const struct {
	const char *name;
	int facility;
} facilities[] = {
	{"DAEMON", LOG_DAEMON}, {"USER", LOG_USER}, {"AUTH", LOG_AUTH},
#ifdef LOG_AUTHPRIV
	{"AUTHPRIV", LOG_AUTHPRIV},
#endif
	{"LOCAL0", LOG_LOCAL0}, {"LOCAL1", LOG_LOCAL1}, {"LOCAL2", LOG_LOCAL2},
	{"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4}, {"LOCAL5", LOG_LOCAL5},
	{"LOCAL6", LOG_LOCAL6}, {"LOCAL7", LOG_LOCAL7},
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* The one log of the process. */
static struct {
	char name[32]; /* "" none */
	enum log_level level;
	bool raw_tty;
	int fd; /* where lines go, if neither syslog nor a sink */
	bool syslog;
	int facility;
	log_sink_fn *sink;
	void *sink_arg;
	bool busy; /* a sink that logs is not called by itself */
} lg = {.level = LOG_L_INFO, .fd = STDERR_FILENO};

void
log_init(const char *name, enum log_level level)
{
	snprintf(lg.name, sizeof(lg.name), "%s", name != NULL ? name : "");
	lg.level = level;
}

void
log_set_level(enum log_level level)
{
	lg.level = level;
}

enum log_level
log_get_level(void)
{
	return lg.level;
}

void
log_set_raw_tty(int raw)
{
	lg.raw_tty = raw != 0;
}

static void
leave_destination(void)
{
	if (lg.fd > STDERR_FILENO)
		fd_close(&lg.fd);
	if (lg.syslog)
		closelog();
	lg.syslog = false;
	lg.sink = NULL;
	lg.fd = STDERR_FILENO;
}

void
log_to_stderr(void)
{
	leave_destination();
}

int
log_to_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd == -1)
		return QERR_SYS;
	leave_destination();
	lg.fd = fd;
	return 0;
}

void
log_to_syslog(int facility)
{
	leave_destination();
	lg.syslog = true;
	lg.facility = facility;
	openlog(lg.name[0] != '\0' ? lg.name : NULL, LOG_PID, facility);
}

void
log_to_sink(log_sink_fn *fn, void *arg)
{
	leave_destination();
	lg.sink = fn;
	lg.sink_arg = arg;
}

int
log_level_parse(const char *s)
{
	if (strcasecmp(s, "DEBUG") == 0)
		return LOG_L_DEBUG1;
	for (size_t i = 0; i < N(levels); i++)
		if (strcasecmp(s, levels[i].name) == 0)
			return (int)i;
	return -1;
}

const char *
log_level_name(enum log_level level)
{
	return (size_t)level < N(levels) ? levels[level].name : "UNKNOWN";
}

int
log_facility_parse(const char *s)
{
	for (size_t i = 0; i < N(facilities); i++)
		if (strcasecmp(s, facilities[i].name) == 0)
			return facilities[i].facility;
	return -1;
}

/* One write a line, so that lines of several processes do not mix. */
static void
write_line(enum log_level level, const char *text)
{
	char line[sizeof(lg.name) + TEXT_MAX + 32];
	int n;

	n = snprintf(line, sizeof(line), "%s%s%s%s%s", lg.name, lg.name[0] != '\0' ? ": " : "",
	    levels[level].prefix, text, lg.raw_tty && lg.fd == STDERR_FILENO ? "\r\n" : "\n");
	if (n > 0 && (size_t)n < sizeof(line))
		fd_write_all(lg.fd, line, (size_t)n);
}

static void
deliver(enum log_level level, const char *text)
{
	if (lg.sink != NULL) {
		if (lg.busy)
			return;
		lg.busy = true;
		lg.sink(lg.sink_arg, level, text);
		lg.busy = false;
	} else if (lg.syslog) {
		syslog(levels[level].priority, "%s%s", levels[level].sys_prefix, text);
	} else {
		write_line(level, text);
	}
}

void
log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	char raw[TEXT_MAX], text[TEXT_MAX];
	int saved = errno, n;

	if (level <= LOG_L_QUIET || level > lg.level || (size_t)level >= N(levels))
		return;
	errno = saved; /* for %m */
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n >= 0) {
		if ((size_t)n >= sizeof(raw))
			memcpy(raw + sizeof(raw) - 4, "...", 4);
		/* The whole line: nobody's name, banner or path starts a line of its own or
		 * sends commands to the terminal that shows the log. */
		vis(text, sizeof(text), raw, strlen(raw), VIS_BACKSLASH);
		deliver(level, text);
	}
	errno = saved;
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}
