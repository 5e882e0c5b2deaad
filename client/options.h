/* The command line: ssh's flags, turned into settings for the configuration. Pure: reads
 * nothing but its arguments. */
#ifndef QSH_CLIENT_OPTIONS_H
#define QSH_CLIENT_OPTIONS_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/conf/conf.h"

enum options_action {
	OPTIONS_RUN,     /* connect */
	OPTIONS_DUMP,    /* -G: show the configuration for the host */
	OPTIONS_VERSION, /* -V: nothing else was looked at */
};

struct options {
	enum options_action action;
	char *host;              /* without user, port and brackets */
	char *user;              /* from -l or user@host, whichever came first; NULL: not given */
	char *command;           /* words behind the host, joined by spaces; NULL: none */
	char *config_file;       /* -F; NULL: the usual files */
	char *log_file;          /* -E; NULL: standard error */
	int log_level;           /* enum log_level of -q and -v; -1: not given */
	bool compression;        /* -C */
	struct strlist settings; /* "Keyword value" lines, those that win first */
	struct strlist origins;  /* of each setting, for messages: "option -p" */
};

/* Parses argv (argv[0] is passed over). 0, or QERR_INVAL with one or more complete lines (with
 * newlines) in why; QERR_NOMEM. In every case options_free(o). */
int options_parse(struct options *o, int argc, char *const *argv, struct buf *why);
void options_free(struct options *o);

/* The usage text, ended by a newline. */
const char *options_usage(void);

#endif
