/* The child between fork and exec. */
#ifndef QSH_SERVER_BROKER_CHILD_H
#define QSH_SERVER_BROKER_CHILD_H

#include <stdbool.h>

#include "common/conf/conf.h"

struct child {
	int fd[3];            /* standard input, output, error: all the slave where there is a terminal */
	bool tty;
	const char *home, *shell;
	const char *command;  /* NULL: login shell */
	char *const *env;     /* ends with NULL; has SHELL and HOME */
	const char *greeting; /* printed before a login shell on a terminal; "" none */
	bool print_motd;
	bool user_rc;         /* run ~/.ssh/rc if it is there; in any case /etc/ssh/sshrc otherwise */
};

/* Becomes the shell or command. Every other descriptor is closed. To be forked with all signals blocked: the parent's
 * handlers must not run here. */
_Noreturn void child_run(const struct child *c);

#endif
