/* qshd's command line. */
#ifndef QSH_SERVER_SUPERVISOR_OPTIONS_H
#define QSH_SERVER_SUPERVISOR_OPTIONS_H

#include <stdbool.h>

#include "common/conf/conf.h"

#define OPTIONS_DEBUG_MAX 3

struct options {
	bool test, dump, version; /* -t -T -V */
	bool foreground;	  /* -D -d */
	bool inetd;		  /* -i */
	bool log_stderr, quiet;	  /* -e -d, -q */
	unsigned debug;		  /* how many -d */
	int family;		  /* SCONF_AF_*; -1: as configured */
	char *log_file, *config;  /* absolute; NULL: none said */
	struct strlist overrides; /* -o */
	struct strlist ports, host_keys;
	struct strlist specs; /* -C, a "name=value" each */
};

/* 0, QERR_NOMEM, or QERR_INVAL with a line on standard error. options_free in every case. */
int options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
