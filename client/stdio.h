/* Standard input, output and error as non-blocking descriptors, without changing them for the
 * programs that share them (the shell, the other end of a pipe line) for longer than we run. */
#ifndef QSH_CLIENT_STDIO_H
#define QSH_CLIENT_STDIO_H

#include <stdbool.h>

#define STDIO_COUNT 3

struct stdio {
	int flags[STDIO_COUNT]; /* of open files that we had to change; -1: not changed */
};

void stdio_init(struct stdio *s);
/* A non-blocking descriptor for the same file as fd (0, 1 or 2), the caller's to close. Where the system can
 * open the file once more (terminals, pipes), it has flags of its own; else O_NONBLOCK is set on the shared
 * file, and taken away by stdio_restore. The descriptor or QERR_SYS. */
int stdio_open(struct stdio *s, int fd);
/* For suspension and exit; safe to call again. */
void stdio_restore(struct stdio *s);
/* After a suspension: what stdio_restore took back is set again. */
void stdio_resume(struct stdio *s);
/* Points 0 (and 1 and 2 if all) to /dev/null. QERR_SYS. */
int stdio_detach(bool all);

#endif
