/* Login records. */
#include "server/monitor/record.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utmpx.h>
#ifdef HAVE_LASTLOG_H
#include <lastlog.h>
#endif
#ifdef __linux__
#include <utmp.h>
#endif

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"

#define PTS "/dev/pts/"

int
record_tty_ok(const char *tty, uid_t uid)
{
	struct stat st;
	size_t n = strlen(PTS);
	if (strncmp(tty, PTS, n) != 0 || tty[n] == '\0' || strspn(tty + n, "0123456789") != strlen(tty + n) ||
	    strlen(tty + n) > 9)
		return QERR_FORMAT;
	if (lstat(tty, &st) < 0)
		return QERR_SYS;
	return S_ISCHR(st.st_mode) && st.st_uid == uid ? 0 : QERR_PERM;
}

/* Fields of these records are padded with zero bytes, not ended by one. */
static void
put_field(char *dst, size_t n, const char *s)
{
	size_t k = strlen(s);
	memset(dst, 0, n);
	memcpy(dst, s, k < n ? k : n);
}

static const char *
line_of(const char *tty)
{
	return strncmp(tty, "/dev/", 5) == 0 ? tty + 5 : tty;
}

static void
put_addr(struct utmpx *u, const struct addr *a)
{
#ifdef __linux__
	if (a->u.sa.sa_family == AF_INET)
		memcpy(u->ut_addr_v6, &a->u.in.sin_addr, sizeof a->u.in.sin_addr);
	else if (a->u.sa.sa_family == AF_INET6)
		memcpy(u->ut_addr_v6, &a->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr);
#else
	(void)u;
	(void)a;
#endif
}

static void
fill(struct utmpx *u, const struct record *r, bool in, uint64_t now)
{
	const char *line = line_of(r->tty);
	memset(u, 0, sizeof *u);
	u->ut_type = in ? USER_PROCESS : DEAD_PROCESS;
	u->ut_pid = r->pid;
	put_field(u->ut_line, sizeof u->ut_line, line);
	/* the id is the end of the line's name: "ts/3" */
	size_t n = strlen(line), w = sizeof u->ut_id;
	put_field(u->ut_id, w, n > w ? line + n - w : line);
	u->ut_tv.tv_sec = (__typeof__(u->ut_tv.tv_sec))(now / NS_PER_S);
	u->ut_tv.tv_usec = (__typeof__(u->ut_tv.tv_usec))(now % NS_PER_S / NS_PER_US);
	if (!in)
		return;
	char host[ADDR_STRLEN];
	put_field(u->ut_user, sizeof u->ut_user, r->user);
	put_field(u->ut_host, sizeof u->ut_host, addr_host(r->from, host));
	put_addr(u, r->from);
}

static void
write_utmp(const struct utmpx *u, const char *file)
{
#ifdef __linux__
	if (file && utmpxname(file) < 0)
		return;
#else
	(void)file;
#endif
	setutxent();
	if (!pututxline(u))
		log_debug("utmp: %s", qerr_str(QERR_SYS));
	endutxent();
}

static void
write_wtmp(const struct utmpx *u, const char *file)
{
#ifdef HAVE_UPDWTMPX
	updwtmpx(file ? file : _PATH_WTMP, u);
#else
	(void)u;
	(void)file;
#endif
}

#ifdef HAVE_LASTLOG_H
static int
open_lastlog(const struct record_files *f, int flags)
{
	return open(f && f->lastlog ? f->lastlog : _PATH_LASTLOG, flags | O_CLOEXEC | O_NOCTTY);
}

static void
write_lastlog(const struct record *r, const struct record_files *f, uint64_t now)
{
	struct lastlog ll;
	char host[ADDR_STRLEN];
	int fd = open_lastlog(f, O_RDWR);
	if (fd < 0)
		return;
	memset(&ll, 0, sizeof ll);
	ll.ll_time = (__typeof__(ll.ll_time))(now / NS_PER_S);
	put_field(ll.ll_line, sizeof ll.ll_line, line_of(r->tty));
	put_field(ll.ll_host, sizeof ll.ll_host, addr_host(r->from, host));
	if (pwrite(fd, &ll, sizeof ll, (off_t)r->uid * (off_t)sizeof ll) != (ssize_t)sizeof ll)
		log_debug("lastlog: %s", qerr_str(QERR_SYS));
	fd_close(&fd);
}

const char *
record_last(uid_t uid, const struct record_files *f, char *dst, size_t n)
{
	struct lastlog ll;
	char when[64], host[sizeof ll.ll_host + 1];
	dst[0] = '\0';
	int fd = open_lastlog(f, O_RDONLY);
	if (fd < 0)
		return dst;
	ssize_t k = pread(fd, &ll, sizeof ll, (off_t)uid * (off_t)sizeof ll);
	fd_close(&fd);
	if (k != (ssize_t)sizeof ll || ll.ll_time == 0)
		return dst;
	time_t t = (time_t)ll.ll_time;
	struct tm tm;
	if (!localtime_r(&t, &tm) || strftime(when, sizeof when, "%a %b %e %H:%M:%S %Y", &tm) == 0)
		return dst;
	memcpy(host, ll.ll_host, sizeof ll.ll_host);
	host[sizeof ll.ll_host] = '\0';
	snprintf(dst, n, "Last login: %s%s%s\r\n", when, host[0] ? " from " : "", host);
	return dst;
}
#else
static void
write_lastlog(const struct record *r, const struct record_files *f, uint64_t now)
{
	(void)r;
	(void)f;
	(void)now;
}

const char *
record_last(uid_t uid, const struct record_files *f, char *dst, size_t n)
{
	(void)uid;
	(void)f;
	if (n > 0)
		dst[0] = '\0';
	return dst;
}
#endif

void
record_login(const struct record *r, const struct record_files *f, uint64_t now)
{
	struct utmpx u;
	fill(&u, r, true, now);
	write_utmp(&u, f ? f->utmp : NULL);
	write_wtmp(&u, f ? f->wtmp : NULL);
	write_lastlog(r, f, now);
}

void
record_logout(const struct record *r, const struct record_files *f, uint64_t now)
{
	struct utmpx u;
	fill(&u, r, false, now);
	write_utmp(&u, f ? f->utmp : NULL);
	write_wtmp(&u, f ? f->wtmp : NULL);
}
