/* qshd -i: one client, on standard input and output. */
#ifndef QSH_SERVER_SUPERVISOR_INETD_H
#define QSH_SERVER_SUPERVISOR_INETD_H

#include "server/supervisor/setup.h"

/* Serves it to its end; the exit status. What goes wrong is logged: before the connection is there, on standard error too. */
int inetd_run(const struct setup *s, const struct options *o);

#endif
