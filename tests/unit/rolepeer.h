/* The other end of a role's channel, played by a test. Everything here fails the test instead of returning an
 * error; waiting ends after ten seconds. */
#ifndef QSH_TESTS_ROLEPEER_H
#define QSH_TESTS_ROLEPEER_H

#include <sys/types.h>

#include "common/ipc/impl.h"

struct peer {
	int fd;
	struct ipc_in in;       /* the last message */
	struct rd body;         /* of it */
	uint8_t buf[IPC_BODY_MAX];
};

void peer_init(struct peer *p, int fd);
/* Closes the channel, and the descriptors of the last message that are still there. */
void peer_close(struct peer *p);
void peer_send(struct peer *p, uint16_t type, const struct buf *body, const int *fds, size_t nfds);
/* The next message but those of type skip (0: none) has to be this one, with so many descriptors. */
void peer_expect(struct peer *p, uint16_t type, size_t nfds, uint16_t skip);
/* Takes a descriptor of the last message. */
int peer_take_fd(struct peer *p, size_t i);
/* The role closes the channel, after any other messages. */
void peer_expect_end(struct peer *p);
/* Nothing waits to be read. */
bool peer_quiet(struct peer *p);
/* Reads until the end (EOF, or EIO of a terminal). At most n - 1 bytes, with a zero byte behind. */
void peer_read_all(int fd, char *dst, size_t n);
/* Reads until text turns up in what was read. */
void peer_read_until(int fd, const char *text, char *dst, size_t n);
/* Waits for a child; its status as of waitpid. */
int peer_wait(pid_t pid);

#endif
