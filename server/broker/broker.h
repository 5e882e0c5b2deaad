/* The broker: opens terminals, starts shells, commands and subsystems as the user, and passes their
 * descriptors to the connection's process. */
#ifndef QSH_SERVER_BROKER_BROKER_H
#define QSH_SERVER_BROKER_BROKER_H

/* Serves channel fd (taken over), which leads to the monitor, until it or the one to the connection's
 * process closes. The exit status for main(). */
int broker_run(int fd);

#endif
