/* Log. One line an event; what came from outside is made printable. */
#ifndef QSH_BASE_LOG_H
#define QSH_BASE_LOG_H

#include <stdarg.h>

enum log_level { /* sshd_config's LogLevel */
	LOG_L_QUIET, LOG_L_FATAL, LOG_L_ERROR, LOG_L_INFO, LOG_L_VERBOSE,
	LOG_L_DEBUG1, LOG_L_DEBUG2, LOG_L_DEBUG3,
};

/* A sink gets the text of one line, already printable, without newline, name and level. What
 * a sink logs itself is dropped. */
typedef void log_sink_fn(void *arg, enum log_level level, const char *line);

/* Lines go to standard error as "name: text" until one of the log_to_* is called; name NULL: as
 * "text". Debug lines have ssh's prefix "debug1: ". */
void log_init(const char *name, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_to_stderr(void);
void log_set_raw_tty(int raw);        /* lines on standard error end with \r\n */
int log_to_file(const char *path);    /* appended; QERR_SYS */
void log_to_syslog(int facility);     /* LOG_AUTH, ... */
void log_to_sink(log_sink_fn *fn, void *arg); /* arg must outlive the log */
/* "DEBUG2" -> LOG_L_DEBUG2 (case-insensitive; DEBUG is DEBUG1); -1 if none. */
int log_level_parse(const char *s);
const char *log_level_name(enum log_level level);
int log_facility_parse(const char *s); /* "AUTH" -> LOG_AUTH; -1 if none */

/* Control characters of the whole line (also of fmt) are escaped as \ooo; errno is kept. */
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vmsg(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

#define log_error(...)   log_msg(LOG_L_ERROR, __VA_ARGS__)
#define log_info(...)    log_msg(LOG_L_INFO, __VA_ARGS__)
#define log_verbose(...) log_msg(LOG_L_VERBOSE, __VA_ARGS__)
#define log_debug(...)   log_msg(LOG_L_DEBUG1, __VA_ARGS__)
#define log_debug2(...)  log_msg(LOG_L_DEBUG2, __VA_ARGS__)
#define log_debug3(...)  log_msg(LOG_L_DEBUG3, __VA_ARGS__)

#endif
