/* The ProxyCommand: a program whose standard input and output lead to the server. */
#ifndef QSH_CLIENT_PROXYCMD_H
#define QSH_CLIENT_PROXYCMD_H

#include <stddef.h>

struct proxycmd;

/* Runs it through the user's shell, with our standard error. fds: to read from and to write to, the caller's. QERR_SYS,
 * QERR_NOMEM. */
int proxycmd_start(struct proxycmd **out, const char *command, int fds[2]);
/* The same with one end of a pair of sockets as its standard input and output, the other being *sock, the caller's: for a
 * command that passes a descriptor. */
int proxycmd_start_fdpass(struct proxycmd **out, const char *command, int *sock);
/* How it failed: "exit status 1". Waits a moment for it, since its output ends before it does. Empty where it still
 * runs, or did well. dst is filled and returned. */
const char *proxycmd_ended(struct proxycmd *p, char *dst, size_t n);
/* Call after the descriptors are closed. Waits up to half a second for it to end by itself, then hangs up on it. */
void proxycmd_free(struct proxycmd **p);

#endif
