/* Descriptors and whole files. */
#ifndef QSH_BASE_FD_H
#define QSH_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns 0 or QERR_SYS. */
int fd_nonblock(int fd);
int fd_block(int fd);
int fd_cloexec(int fd);
int fd_no_cloexec(int fd);
/* Closes *fd unless it is negative, and sets it to -1; keeps errno. */
void fd_close(int *fd);
/* Closes every descriptor from lowfd on. */
void fd_closefrom(int lowfd);
/* Opens /dev/null on those of 0, 1 and 2 that are closed. */
int fd_sanitise_stdio(void);
/* Writes everything (blocking; waits with poll where fd does not block). */
int fd_write_all(int fd, const void *p, size_t n);
/* Reads a file of at most max bytes into fresh memory with a zero byte behind
 * it, the caller's to free. QERR_SYS, QERR_TOOBIG, QERR_NOMEM. */
int fd_read_file(const char *path, size_t max, uint8_t **out, size_t *outlen);
int fd_read_all(int fd, size_t max, uint8_t **out, size_t *outlen);
/* Does this errno say that a descriptor that does not block has nothing, or takes nothing, now? */
bool fd_would_block(int e);

/* A sealed memfd (or unlinked temporary file) with this content, at offset 0;
 * QERR_SYS or the descriptor. */
int fd_memfile(const char *name, const void *p, size_t n);

#endif
