#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"

static void
flags_are_set_and_cleared(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_nonblock(p[0]), 0);
	assert_true(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_block(p[0]), 0);
	assert_false(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_cloexec(p[0]), 0);
	assert_true(fcntl(p[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_no_cloexec(p[0]), 0);
	assert_false(fcntl(p[0], F_GETFD) & FD_CLOEXEC);
	errno = ENOENT;
	fd_close(&p[0]);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(p[0], -1);
	fd_close(&p[0]);
	fd_close(&p[1]);
	assert_int_equal(fd_nonblock(-1), QERR_SYS);
}

/* In a child: it closes what the test program needs. */
static void
closes_from_and_fills_stdio(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		if (dup2(2, 50) != 50 || dup2(2, 200) != 200 || dup2(2, 9) != 9)
			_exit(1);
		fd_closefrom(10);
		if (fcntl(9, F_GETFD) == -1 || fcntl(50, F_GETFD) != -1 ||
		    fcntl(200, F_GETFD) != -1)
			_exit(2);
		close(0);
		close(2);
		if (fd_sanitise_stdio() != 0)
			_exit(3);
		if (fcntl(0, F_GETFD) == -1 || fcntl(2, F_GETFD) == -1)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
writes_all_though_the_pipe_does_not_block(void **state)
{
	uint8_t *data = malloc(300000), *got;
	int p[2], status;
	size_t n;
	pid_t pid;

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < 300000; i++)
		data[i] = (uint8_t)(i * 31);
	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		close(p[0]);
		_exit(fd_nonblock(p[1]) != 0 || fd_write_all(p[1], data, 300000) != 0);
	}
	close(p[1]);
	assert_int_equal(fd_read_all(p[0], 300000, &got, &n), 0);
	assert_int_equal(n, 300000);
	assert_memory_equal(got, data, n);
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	free(got);
	free(data);
	assert_int_equal(fd_write_all(-1, "x", 1), QERR_SYS);
}

static void
files_are_read_whole_and_bounded(void **state)
{
	uint8_t *p;
	size_t n;
	int fd;

	(void)state;
	fd = fd_memfile("test", "hello", 5);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_read_all(fd, 5, &p, &n), 0);
	assert_int_equal(n, 5);
	assert_string_equal((char *)p, "hello"); /* a zero byte behind it */
	free(p);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(fd, 4, &p, &n), QERR_TOOBIG);
	assert_null(p);
#ifdef F_ADD_SEALS
	assert_int_equal(write(fd, "x", 1), -1); /* sealed */
#endif
	close(fd);
	assert_int_equal(fd_read_file("/dev/null", 0, &p, &n), 0);
	assert_int_equal(n, 0);
	assert_string_equal((char *)p, "");
	free(p);
	errno = 0;
	assert_int_equal(fd_read_file("/nonexistent", 10, &p, &n), QERR_SYS);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fd_read_file("/", 10, &p, &n), QERR_SYS);
	assert_int_equal(errno, EISDIR);
}

static void
clocks_run(void **state)
{
	uint64_t a = clock_mono(), b = clock_boot();

	(void)state;
	assert_true(clock_mono() >= a);
	assert_true(clock_boot() >= b);
	assert_true(b + NS_PER_S >= a);
	assert_true(clock_wall() / NS_PER_S > 1600000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_set_and_cleared),
		cmocka_unit_test(closes_from_and_fills_stdio),
		cmocka_unit_test(writes_all_though_the_pipe_does_not_block),
		cmocka_unit_test(files_are_read_whole_and_bounded),
		cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
