/* The supervisor's parts: keys that are kept, host keys, sockets, readiness, PidFile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "server/ipc/udpsock.h"
#include "server/supervisor/hostkey.h"
#include "server/supervisor/notify.h"
#include "server/supervisor/rundir.h"
#include "server/supervisor/sockets.h"

static char said[4096];
static char dir[64];

static void
keep_line(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)snprintf(said, sizeof(said), "%s", line);
}

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void
put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	fd_close(&fd);
}

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/qsh-supervisor-test-XXXXXX");
	said[0] = '\0';
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"keys", "a", "a.pub", "b", "b.pub", "pid", "sock"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(in_dir(names[i]));
	return rmdir(dir);
}

static void
keys_are_made_once(void **state)
{
	struct smsg_linit a = {0}, b = {0};
	struct stat st;

	(void)state;
	assert_int_equal(rundir_keys(dir, &a), 0);
	assert_int_equal(stat(in_dir("keys"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rundir_keys(dir, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_not_equal(a.route_key, a.slot_key, 16);
	assert_false(sodium_is_zero(a.token_key, 32));
	/* The reset key is not among them: it is the host key's. */
	assert_true(sodium_is_zero(a.reset_key, 32));
	/* One that was cut off is replaced. */
	put_file(in_dir("keys"), "qshkeys1half", 0600);
	assert_int_equal(rundir_keys(dir, &b), 0);
	assert_memory_not_equal(a.token_key, b.token_key, 32);
	/* One that others could read is not used, and stays for somebody to look at. */
	assert_int_equal(chmod(in_dir("keys"), 0644), 0);
	assert_int_equal(rundir_keys(dir, &b), QERR_PERM);
	assert_non_null(strstr(said, in_dir("keys")));
}

static void
host_key_is_the_first_ed25519(void **state)
{
	char a[128], b[128];
	char *list[] = {a, b}, *path = NULL;
	struct sconf c = {.host_keys = {list, 2}};
	struct privkey k, got;

	(void)state;
	(void)snprintf(a, sizeof(a), "%s", in_dir("a"));
	(void)snprintf(b, sizeof(b), "%s", in_dir("b"));
	assert_int_equal(privkey_generate(&k, "test"), 0);
	assert_int_equal(privkey_save(&k, b), 0);
	/* The first is not there; then it is of another form. */
	assert_int_equal(hostkey_load(&got, &path, &c, true, true, false), 0);
	assert_memory_equal(got.sk, k.sk, 64);
	assert_string_equal(path, b);
	privkey_free(&got);
	free(path);
	put_file(a, "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n", 0600);
	assert_int_equal(hostkey_load(&got, NULL, &c, true, true, false), 0);
	assert_memory_equal(got.sk, k.sk, 64);
	privkey_free(&got);
	/* Where the configuration is our own, each has to be there. */
	(void)unlink(a);
	assert_true(hostkey_load(&got, NULL, &c, false, true, false) < 0);
	assert_non_null(strstr(said, a));
	/* One that is ours and unusable is never passed over: the host would show another identity. */
	put_file(a, "-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n-----END OPENSSH PRIVATE KEY-----\n", 0600);
	assert_true(hostkey_load(&got, NULL, &c, true, true, false) < 0);
	assert_non_null(strstr(said, a));
	(void)unlink(a);
	assert_int_equal(chmod(b, 0644), 0);
	assert_int_equal(hostkey_load(&got, NULL, &c, true, true, false), QERR_PERM);
	assert_non_null(strstr(said, "chmod 600"));
	privkey_free(&k);
}

static struct addr
bound_addr(int fd)
{
	struct addr a = {.len = sizeof(a.u)};

	assert_int_equal(getsockname(fd, &a.u.sa, &a.len), 0);
	return a;
}

/* The kernel would let us share the port; and sessions, whose sockets are connected, do share it. */
static void
a_second_daemon_is_noticed(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};

	(void)state;
	for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		struct sockets first = {0}, second = {0};
		struct tp_path path;
		struct addr a;
		int session;

		assert_int_equal(addr_parse(&a, ips[i], 0), 0);
		if (sockets_bind(&first, &a, 0) != 0)
			continue; /* no IPv6 here */
		a = bound_addr(first.v[0].fd);
		assert_int_equal(sockets_bind(&second, &a, 0), QERR_EXISTS);
		assert_non_null(strstr(said, "in use"));
		assert_non_null(strstr(said, addr_show(&a)));
		/* Another address of the same port is free. */
		path.local = a;
		if (addr_is_any(&a))
			assert_int_equal(addr_parse(&path.local,
			    a.u.sa.sa_family == AF_INET ? "127.0.0.1" : "::1", addr_port(&a)), 0);
		path.remote = path.local;
		addr_set_port(&path.remote, 9);
		session = udpsock_connected(&path);
		assert_true(session >= 0);
		sockets_free(&first);
		assert_int_equal(sockets_bind(&second, &a, 0), 0);
		sockets_free(&second);
		fd_close(&session);
	}
}

/* A qshd that is just ending may have the port for a moment more. */
static void
patience(void **state)
{
	struct sockets first = {0}, second = {0};
	struct addr a;
	int go[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(addr_parse(&a, "127.0.0.1", 0), 0);
	assert_int_equal(sockets_bind(&first, &a, 0), 0);
	a = bound_addr(first.v[0].fd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd_close(&go[1]);
		_exit(read(go[0], &c, 1) == 1 ? 0 : 1); /* holds the socket until told */
	}
	sockets_free(&first);
	assert_int_equal(sockets_bind(&second, &a, 0), QERR_EXISTS);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(sockets_bind(&second, &a, 20 * NS_PER_S), 0);
	sockets_free(&second);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fd_close(&go[0]);
	fd_close(&go[1]);
}

static void
bind_errors(void **state)
{
	struct sockets s = {0};
	struct addr a[2];

	(void)state;
	assert_int_equal(addr_parse(&a[0], "192.0.2.77", 18099), 0);
	assert_int_equal(sockets_bind_all(&s, a, 1, 0), QERR_NOTFOUND);
	assert_int_equal(sockets_bind(&s, a, 0), QERR_SYS);
	assert_non_null(strstr(said, "192.0.2.77 port 18099"));
	assert_non_null(strstr(said, "ListenAddress"));
	/* One of several is enough. */
	assert_int_equal(addr_parse(&a[1], "127.0.0.1", 0), 0);
	assert_int_equal(sockets_bind_all(&s, a, 2, 0), 0);
	assert_int_equal(s.n, 1);
	assert_ptr_equal(sockets_find(&s, &a[1]), &s.v[0]);
	assert_null(sockets_find(&s, &a[0]));
	sockets_drop(&s, &s.v[0]);
	assert_int_equal(s.n, 0);
	sockets_free(&s);
}

static bool
covers(const struct sockets *s, const char *ip, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, ip, port), 0);
	return sockets_cover(s, &a);
}

static void
what_is_listened_on(void **state)
{
	struct sock v[2] = {{.fd = -1}, {.fd = -1}};
	const struct sockets s = {v, 2};
	const struct addr none = {.len = 0};

	(void)state;
	assert_int_equal(addr_parse(&v[0].addr, "192.0.2.1", 22), 0);
	assert_int_equal(addr_parse(&v[1].addr, "::", 2022), 0);
	assert_true(covers(&s, "192.0.2.1", 22));
	assert_false(covers(&s, "192.0.2.2", 22));
	assert_false(covers(&s, "192.0.2.1", 2022));
	assert_true(covers(&s, "2001:db8::1", 2022));
	assert_false(covers(&s, "2001:db8::1", 53));
	assert_false(sockets_cover(&s, &none));
}

static void
service_manager_is_told(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char got[64], path[100];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ssize_t n;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", in_dir("sock"));
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	notify_state("READY=1");
	n = recv(fd, got, sizeof(got), 0);
	assert_int_equal(n, 7);
	assert_memory_equal(got, "READY=1", 7);
	fd_close(&fd);
#ifdef __linux__
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	(void)snprintf(path, sizeof(path), "@qsh-supervisor-test-%ld", (long)getpid());
	memset(un.sun_path, 0, sizeof(un.sun_path));
	memcpy(un.sun_path + 1, path + 1, strlen(path) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	notify_state("STOPPING=1");
	assert_int_equal(recv(fd, got, sizeof(got), 0), 10);
	fd_close(&fd);
#endif
	/* Nobody asked, or asked for nonsense. */
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	notify_state("READY=1");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	notify_state("READY=1");
}

static void
pid_file(void **state)
{
	const char *path = in_dir("pid");
	char want[32];
	uint8_t *text;
	size_t n;
	pid_t holder;

	(void)state;
	assert_int_equal(pidfile_write(path, &holder), 0);
	(void)snprintf(want, sizeof(want), "%ld\n", (long)getpid());
	assert_int_equal(fd_read_file(path, 100, &text, &n), 0);
	assert_string_equal((char *)text, want);
	free(text);
	assert_int_equal(pidfile_write(path, &holder), 0);
	pidfile_remove(path);
	assert_int_equal(access(path, F_OK), -1);
	/* Another live process's is neither overwritten nor removed; a dead one's is. */
	(void)snprintf(want, sizeof(want), "%ld\n", (long)getppid());
	put_file(path, want, 0644);
	assert_int_equal(pidfile_write(path, &holder), QERR_EXISTS);
	assert_int_equal(holder, getppid());
	pidfile_remove(path);
	assert_int_equal(access(path, F_OK), 0);
	put_file(path, "999999999\n", 0644);
	assert_int_equal(pidfile_write(path, &holder), 0);
	pidfile_remove(path);
}

/* The parent's exit status is 0 only once the child has said that it is ready. */
static void
daemon_parent_waits(void **state)
{
	int ready = -1, status = -1, r;
	int pass[2];
	char c;

	(void)state;
	assert_int_equal(pipe(pass), 0);
	r = daemon_fork(&ready, &status);
	if (r == 0) {
		c = getsid(0) == getpid() ? 'y' : 'n';
		if (daemon_ready(&ready, 1) != 0 || write(pass[1], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(r, 1);
	assert_int_equal(status, 0);
	assert_int_equal(read(pass[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	r = daemon_fork(&ready, &status);
	if (r == 0)
		_exit(42);
	assert_int_equal(status, 42);
	r = daemon_fork(&ready, &status);
	if (r == 0)
		_exit(0); /* not ready, and yet content: no success */
	assert_int_equal(status, 1);
	while (wait(NULL) > 0)
		;
	fd_close(&pass[0]);
	fd_close(&pass[1]);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(keys_are_made_once), T(host_key_is_the_first_ed25519),
		T(a_second_daemon_is_noticed), T(patience), T(bind_errors),
		T(what_is_listened_on),
		T(service_manager_is_told), T(pid_file), T(daemon_parent_waits),
	};

	log_to_sink(keep_line, NULL);
	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
