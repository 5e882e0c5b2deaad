/* The real broker, with this test in the place of the monitor and of the connection's process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/wire/wire.h"
#include "server/ipc/msgs.h"
#include "tests/unit/rolepeer.h"

#define PROGRAM "./qshd-broker"

struct world {
	pid_t pid;
	struct peer mon, net;
	char home[64];
	struct smsg_binit init;
	char user[64], shell[16], force[256], info[64];
};

static void
start_program(struct world *w, int chan, unsigned nofile)
{
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid > 0)
		return;
	struct rlimit rl = {nofile, nofile};
	if (dup2(chan, 3) < 0 || fd_no_cloexec(3) < 0)
		_exit(126);
	fd_closefrom(4);
	if (nofile)
		setrlimit(RLIMIT_NOFILE, &rl);
	execl(PROGRAM, PROGRAM, "test", (char *)NULL);
	_exit(127);
}

static void
send_init(struct world *w)
{
	int nb[2];
	struct buf b;
	assert_int_equal(ipc_pair(nb), 0);
	peer_init(&w->net, nb[0]);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_binit(&b, &w->init), 0);
	peer_send(&w->mon, MB_INIT, &b, &nb[1], 1);
	buf_free(&b);
	close(nb[1]);
}

/* Sets the scene; the broker is told by up(). */
static struct world *
world(void)
{
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	snprintf(w->home, sizeof w->home, "/tmp/qsh-broker-test-XXXXXX");
	assert_non_null(mkdtemp(w->home));
	snprintf(w->user, sizeof w->user, "someone");
	snprintf(w->shell, sizeof w->shell, "/bin/sh");
	w->init = (struct smsg_binit){.user = w->user,
	    .home = w->home,
	    .shell = w->shell,
	    .uid = getuid(),
	    .force_command = w->force,
	    .permit_tty = 1,
	    .permit_user_rc = 1,
	    .max_sessions = 10,
	    .auth_info = w->info,
	    .log_level = 5};
	assert_int_equal(addr_parse(&w->init.path.remote, "192.0.2.1", 4000), 0);
	assert_int_equal(addr_parse(&w->init.path.local, "192.0.2.2", 22), 0);
	return w;
}

static void
up_with(struct world *w, unsigned nofile)
{
	int mb[2];
	assert_int_equal(ipc_pair(mb), 0);
	peer_init(&w->mon, mb[0]);
	start_program(w, mb[1], nofile);
	close(mb[1]);
	send_init(w);
}

static void
up(struct world *w)
{
	up_with(w, 0);
}

/* The broker ends by itself, without a complaint, when its channels are gone. */
static void
down(struct world *w)
{
	char cmd[128];
	peer_close(&w->net);
	peer_close(&w->mon);
	int status = peer_wait(w->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	snprintf(cmd, sizeof cmd, "rm -rf %s", w->home);
	assert_int_equal(system(cmd), 0);
	free(w);
}

static void
send_start(struct world *w, const struct smsg_start *s)
{
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_start(&b, s), 0);
	peer_send(&w->net, NB_START, &b, NULL, 0);
	buf_free(&b);
}

static void
start_command(struct world *w, uint64_t chan, const char *command)
{
	char *copy = strdup(command);
	struct smsg_start s = {.chan = chan, .kind = WIRE_START_EXEC, .command = copy};
	send_start(w, &s);
	free(copy);
}

static void
expect_pipes(struct world *w, uint64_t chan, int fd[3])
{
	struct smsg_chan m;
	peer_expect(&w->net, NB_STARTED_PIPES, 3, 0);
	assert_int_equal(smsg_get_chan(&w->net.body, &m), 0);
	assert_int_equal(m.chan, chan);
	for (size_t i = 0; i < 3; i++)
		fd[i] = peer_take_fd(&w->net, i);
}

static struct smsg_exit
expect_exit(struct world *w, uint64_t chan, char signal[32])
{
	struct smsg_exit m;
	peer_expect(&w->net, NB_EXIT, 0, 0);
	assert_int_equal(smsg_get_exit(&w->net.body, &m), 0);
	assert_int_equal(m.chan, chan);
	snprintf(signal, 32, "%s", m.signal);
	struct smsg_exit copy = m;
	copy.signal = NULL;
	smsg_free_exit(&m);
	return copy;
}

static void
expect_status(struct world *w, uint64_t chan, unsigned status)
{
	char signal[32];
	struct smsg_exit m = expect_exit(w, chan, signal);
	assert_string_equal(signal, "");
	assert_int_equal(m.status, status);
}

static void
expect_failed(struct world *w, uint64_t chan, const char *reason)
{
	struct smsg_failed m;
	peer_expect(&w->net, NB_FAILED, 0, 0);
	assert_int_equal(smsg_get_failed(&w->net.body, &m), 0);
	assert_int_equal(m.chan, chan);
	if (!strstr(m.reason, reason))
		fail_msg("reason \"%s\" has no \"%s\"", m.reason, reason);
	smsg_free_failed(&m);
}

static void
send_chan(struct world *w, uint16_t type, uint64_t chan)
{
	struct smsg_chan m = {.chan = chan};
	struct buf b;
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_chan(&b, &m), 0);
	peer_send(&w->net, type, &b, NULL, 0);
	buf_free(&b);
}

static void
send_signal(struct world *w, uint64_t chan, const char *name)
{
	char copy[32];
	struct smsg_signal m = {.chan = chan, .name = copy};
	struct buf b;
	snprintf(copy, sizeof copy, "%s", name);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_signal(&b, &m), 0);
	peer_send(&w->net, NB_SIGNAL, &b, NULL, 0);
	buf_free(&b);
}

/* Runs a command, gives its standard output. */
static void
output_of(struct world *w, uint64_t chan, const char *command, char *dst, size_t n)
{
	int fd[3];
	char err[4096];
	start_command(w, chan, command);
	expect_pipes(w, chan, fd);
	close(fd[0]);
	peer_read_all(fd[1], dst, n);
	peer_read_all(fd[2], err, sizeof err);
	assert_string_equal(err, "");
	close(fd[1]);
	close(fd[2]);
	expect_status(w, chan, 0);
	send_chan(w, NB_CLOSE, chan);
}

static void
eventually_gone(pid_t pid)
{
	uint64_t deadline = clock_mono() + 10 * NS_PER_S;
	while (kill(pid, 0) == 0) {
		assert_true(clock_mono() < deadline);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	assert_int_equal(errno, ESRCH);
}

/* ---- pipes ---------------------------------------------------------------------------- */

static void
test_command(void **state)
{
	(void)state;
	struct world *w = world();
	int fd[3];
	char text[256];
	up(w);
	start_command(w, 4, "echo out; echo err >&2; exit 7");
	expect_pipes(w, 4, fd);
	peer_read_all(fd[1], text, sizeof text);
	assert_string_equal(text, "out\n");
	peer_read_all(fd[2], text, sizeof text);
	assert_string_equal(text, "err\n");
	expect_status(w, 4, 7);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	assert_true(peer_quiet(&w->net));
	down(w);
}

static void
test_input_half_close(void **state)
{
	(void)state;
	struct world *w = world();
	int fd[3];
	char text[256];
	up(w);
	start_command(w, 0, "cat; echo end");
	expect_pipes(w, 0, fd);
	assert_int_equal(write(fd[0], "hello\n", 6), 6);
	peer_read_until(fd[1], "hello\n", text, sizeof text);
	close(fd[0]);
	peer_read_until(fd[1], "end\n", text, sizeof text);
	expect_status(w, 0, 0);
	close(fd[1]);
	close(fd[2]);
	down(w);
}

static void
test_death_by_signal(void **state)
{
	(void)state;
	struct world *w = world();
	int fd[3];
	char signal[32];
	up(w);
	start_command(w, 0, "exec sleep 60");
	expect_pipes(w, 0, fd);
	send_signal(w, 0, "STOP");  /* not one that may be sent */
	send_signal(w, 99, "KILL"); /* no such session */
	send_signal(w, 0, "TERM");
	expect_exit(w, 0, signal);
	assert_string_equal(signal, "TERM");
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	down(w);
}

/* Standard input, output and error and nothing else, in a session of its own, in the home folder. */
static void
test_clean_child(void **state)
{
	(void)state;
	struct world *w = world();
	char text[4096], want[128];
	up(w);
	output_of(w, 0, "cd /proc/self/fd && echo *", text, sizeof text);
	/* 3 is the folder that the shell itself reads */
	assert_string_equal(text, "0 1 2 3\n");
	output_of(w, 1, "pwd", text, sizeof text);
	snprintf(want, sizeof want, "%s\n", w->home);
	assert_string_equal(text, want);
	output_of(w, 2, "ps -o sid= -p $$ | tr -d ' '; echo $$", text, sizeof text);
	char *second = strchr(text, '\n') + 1;
	*strchr(second, '\n') = '\0';
	*strchr(text, '\n') = '\0';
	assert_string_equal(text, second);
	output_of(w, 3, "grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2", text, sizeof text);
	/* the two that the C library keeps for itself are as they were */
	unsigned long long blocked, ignored;
	assert_int_equal(sscanf(text, "%llx %llx", &blocked, &ignored), 2);
	assert_int_equal(blocked & 0x7fffffff, 0);
	assert_int_equal(ignored & 0x7fffffff, 0);
	down(w);
}

static void
test_environment(void **state)
{
	(void)state;
	struct world *w = world();
	char text[4096], path[256];
	char lang[] = "LANG=xx", evil[] = "EVIL=1", pat[] = "LANG", pam[] = "FROM_PAM=yes";
	char *sent[] = {lang, evil}, *pats[] = {pat}, *login[] = {pam}, cmd[] = "env";
	int fd[3];
	w->init.accept_env = (struct strlist){pats, 1};
	w->init.env = (struct strlist){login, 1};
	snprintf(w->info, sizeof w->info, "publickey ssh-ed25519 AAAA");
	up(w);
	struct smsg_start s = {
	    .kind = WIRE_START_EXEC, .command = cmd, .env = (struct strlist){sent, 2}};
	send_start(w, &s);
	expect_pipes(w, 0, fd);
	peer_read_all(fd[1], text, sizeof text);
	assert_non_null(strstr(text, "USER=someone\n"));
	assert_non_null(strstr(text, "SSH_CONNECTION=192.0.2.1 4000 192.0.2.2 22\n"));
	assert_non_null(strstr(text, "LANG=xx\n"));
	assert_non_null(strstr(text, "FROM_PAM=yes\n"));
	assert_null(strstr(text, "EVIL"));
	assert_null(strstr(text, "SSH_TTY"));
	expect_status(w, 0, 0);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	output_of(w, 1, "cat $SSH_USER_AUTH; stat -c %a $SSH_USER_AUTH", text, sizeof text);
	assert_string_equal(text, "publickey ssh-ed25519 AAAA\n600\n");
	output_of(w, 2, "printf %s $SSH_USER_AUTH", path, sizeof path);
	assert_int_equal(access(path, R_OK), 0);
	down(w);
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_moved(void **state)
{
	(void)state;
	struct world *w = world();
	struct smsg_path p = {.path = w->init.path};
	struct buf b;
	char text[256];
	up(w);
	output_of(w, 0, "echo $SSH_CLIENT", text, sizeof text);
	assert_string_equal(text, "192.0.2.1 4000 22\n");
	assert_int_equal(addr_parse(&p.path.remote, "198.51.100.9", 5), 0);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_path(&b, &p), 0);
	peer_send(&w->mon, MB_PATH, &b, NULL, 0);
	buf_free(&b);
	/* the two channels are not in order with each other: ask until it has come */
	for (int i = 1; i < 1000 && !strstr(text, "198."); i++)
		output_of(w, (uint64_t)i, "echo $SSH_CLIENT", text, sizeof text);
	assert_string_equal(text, "198.51.100.9 5 22\n");
	down(w);
}

static void
test_forced_command(void **state)
{
	(void)state;
	struct world *w = world();
	char text[256];
	int fd[3];
	snprintf(w->force, sizeof w->force, "echo \"forced, not $SSH_ORIGINAL_COMMAND\"; sleep 60");
	up(w);
	start_command(w, 0, "rm things");
	expect_pipes(w, 0, fd);
	peer_read_until(fd[1], "\n", text, sizeof text);
	assert_string_equal(text, "forced, not rm things\n");
	/* nor may its signals be chosen */
	send_signal(w, 0, "KILL");
	send_chan(w, NB_BREAK, 0);
	start_command(w, 1, "x");
	int fd2[3];
	expect_pipes(w, 1, fd2);
	assert_true(peer_quiet(&w->net));
	for (int i = 0; i < 3; i++) {
		close(fd[i]);
		close(fd2[i]);
	}
	down(w);
}

static void
test_rc(void **state)
{
	(void)state;
	struct world *w = world();
	char text[256], path[128];
	snprintf(path, sizeof path, "%s/.ssh", w->home);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/.ssh/rc", w->home);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("echo rc for $USER; cat\n", f);
	fclose(f);
	up(w);
	output_of(w, 0, "echo command", text, sizeof text);
	assert_string_equal(text, "rc for someone\ncommand\n");
	down(w);
}

static void
test_no_home(void **state)
{
	(void)state;
	struct world *w = world();
	char text[512], nowhere[] = "/nonexistent/home";
	int fd[3];
	w->init.home = nowhere;
	up(w);
	start_command(w, 0, "pwd");
	expect_pipes(w, 0, fd);
	peer_read_all(fd[1], text, sizeof text);
	assert_string_equal(text, "/\n");
	peer_read_all(fd[2], text, sizeof text);
	assert_string_equal(text, "Could not chdir to home directory /nonexistent/home: No such file or "
				  "directory\n");
	expect_status(w, 0, 0);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	down(w);
}

/* ---- limits and mistakes ------------------------------------------------------------------ */

static void
test_max_sessions(void **state)
{
	(void)state;
	struct world *w = world();
	int a[3], b[3], c[3];
	w->init.max_sessions = 2;
	up(w);
	start_command(w, 0, "cat");
	expect_pipes(w, 0, a);
	start_command(w, 1, "cat");
	expect_pipes(w, 1, b);
	start_command(w, 2, "cat");
	expect_failed(w, 2, "MaxSessions");
	/* over and ended: there is room again */
	close(b[0]);
	expect_status(w, 1, 0);
	send_chan(w, NB_CLOSE, 1);
	start_command(w, 3, "cat");
	expect_pipes(w, 3, c);
	for (int i = 0; i < 3; i++) {
		close(a[i]);
		if (i > 0)
			close(b[i]);
		close(c[i]);
	}
	down(w);
}

static void
test_no_descriptors(void **state)
{
	(void)state;
	struct world *w = world();
	up_with(w, 12); /* 0 to 3, the loop's and the channel take up to 10 */
	start_command(w, 1, "true");
	expect_failed(w, 1, "Too many open files");
	start_command(w, 2, "true");
	expect_failed(w, 2, "Too many open files"); /* and nothing was left open by the first */
	down(w);
}

static void
test_same_channel_twice(void **state)
{
	(void)state;
	struct world *w = world();
	int fd[3];
	up(w);
	start_command(w, 0, "cat");
	expect_pipes(w, 0, fd);
	start_command(w, 0, "cat");
	peer_expect_end(&w->net);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	down(w);
}

static void
test_garbage(void **state)
{
	(void)state;
	struct world *w = world();
	struct buf b;
	up(w);
	buf_init(&b, 16);
	assert_int_equal(buf_put(&b, "\xff\xff", 2), 0);
	peer_send(&w->net, NB_START, &b, NULL, 0);
	buf_free(&b);
	peer_expect_end(&w->net);
	down(w);
}

/* ---- terminals ------------------------------------------------------------------------------ */

static void
answer_login(struct world *w, const char *text, char tty[64])
{
	struct smsg_pty p;
	struct smsg_text t = {.text = strdup(text)};
	struct buf b;
	peer_expect(&w->mon, MB_PTY_LOGIN, 0, MB_LOG);
	assert_int_equal(smsg_get_pty(&w->mon.body, &p), 0);
	assert_memory_equal(p.tty, "/dev/pts/", 9);
	snprintf(tty, 64, "%s", p.tty);
	smsg_free_pty(&p);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_text(&b, &t), 0);
	peer_send(&w->mon, MB_PTY_LOGIN_OK, &b, NULL, 0);
	buf_free(&b);
	free(t.text);
}

static void
expect_logout(struct world *w, const char *tty)
{
	struct smsg_pty p;
	peer_expect(&w->mon, MB_PTY_LOGOUT, 0, MB_LOG);
	assert_int_equal(smsg_get_pty(&w->mon.body, &p), 0);
	assert_string_equal(p.tty, tty);
	smsg_free_pty(&p);
}

/* Starts a command, or a shell (NULL), on a terminal; the master. */
static int
start_tty(struct world *w, uint64_t chan, const char *command, const char *greeting, char tty[64])
{
	static const uint8_t modes[] = {53, 0, 0, 0, 0, 0}; /* no echo */
	char term[] = "vt100", *copy = command ? strdup(command) : NULL;
	struct smsg_start s = {.chan = chan,
	    .kind = command ? WIRE_START_EXEC : WIRE_START_SHELL,
	    .command = copy,
	    .has_pty = 1,
	    .term = term,
	    .cols = 91,
	    .rows = 33,
	    .modes = {modes, sizeof modes}};
	struct smsg_chan m;
	send_start(w, &s);
	free(copy);
	answer_login(w, greeting, tty);
	peer_expect(&w->net, NB_STARTED_PTY, 1, 0);
	assert_int_equal(smsg_get_chan(&w->net.body, &m), 0);
	assert_int_equal(m.chan, chan);
	return peer_take_fd(&w->net, 0);
}

static void
test_tty(void **state)
{
	(void)state;
	struct world *w = world();
	char tty[64], text[4096], want[256];
	up(w);
	int master = start_tty(w, 0,
	    "tty; stty size; echo $TERM $SSH_TTY; stty -a | grep -o -e '-echo ' ; exit 3",
	    "not shown with a command\r\n", tty);
	peer_read_all(master, text, sizeof text);
	snprintf(want, sizeof want, "%s\r\n33 91\r\nvt100 %s\r\n-echo \r\n", tty, tty);
	assert_string_equal(text, want);
	expect_status(w, 0, 3);
	expect_logout(w, tty);
	close(master);
	send_chan(w, NB_CLOSE, 0);
	down(w);
}

static void
test_login_shell(void **state)
{
	(void)state;
	struct world *w = world();
	char tty[64], text[4096], path[128];
	up(w);
	int master = start_tty(w, 0, NULL, "Last login: some day\r\n", tty);
	peer_read_until(master, "Last login: some day", text, sizeof text);
	assert_true(write(master, "echo $0; exit\n", 14) == 14);
	peer_read_until(master, "-sh\r\n", text, sizeof text);
	expect_status(w, 0, 0);
	expect_logout(w, tty);
	close(master);
	send_chan(w, NB_CLOSE, 0);

	snprintf(path, sizeof path, "%s/.hushlogin", w->home);
	fclose(fopen(path, "w"));
	master = start_tty(w, 1, NULL, "Last login: some day\r\n", tty);
	assert_true(write(master, "exit\n", 5) == 5);
	peer_read_all(master, text, sizeof text);
	assert_null(strstr(text, "Last login"));
	close(master);
	down(w);
}

static void
test_window(void **state)
{
	(void)state;
	struct world *w = world();
	char tty[64], text[4096];
	struct buf b;
	struct smsg_window m = {.chan = 0, .cols = 100000, .rows = 50};
	up(w);
	int master = start_tty(w, 0, "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done",
	    "", tty);
	peer_read_until(master, "ready\r\n", text, sizeof text);
	buf_init(&b, IPC_BODY_MAX);
	assert_int_equal(smsg_put_window(&b, &m), 0);
	peer_send(&w->net, NB_WINDOW, &b, NULL, 0);
	buf_free(&b);
	peer_read_until(master, "50 65535\r\n", text, sizeof text);
	close(master);
	down(w);
}

/* The signal goes to what runs in the foreground, not to the shell that waits for it. */
static void
test_tty_signal(void **state)
{
	(void)state;
	struct world *w = world();
	char tty[64], text[4096];
	up(w);
	int master = start_tty(w, 0, NULL, "", tty);
	const char job[] = "sh -c 'echo in''ner; exec sleep 60'\n";
	assert_true(write(master, job, sizeof job - 1) == (ssize_t)sizeof job - 1);
	peer_read_until(master, "inner\r\n", text, sizeof text);
	send_signal(w, 0, "KILL");
	assert_true(write(master, "echo still''here\n", 17) == 17);
	peer_read_until(master, "stillhere\r\n", text, sizeof text);
	close(master);
	down(w);
}

static pid_t
read_pid(int fd)
{
	char text[4096];
	peer_read_until(fd, "\n", text, sizeof text);
	return (pid_t)strtol(text, NULL, 10);
}

/* With both copies of the master gone the terminal hangs up. */
static void
test_hang_up(void **state)
{
	(void)state;
	struct world *w = world();
	char tty[64];
	up(w);
	int master = start_tty(w, 0, "echo $$; exec sleep 60", "", tty);
	pid_t pid = read_pid(master);
	close(master);
	send_chan(w, NB_CLOSE, 0);
	expect_logout(w, tty);
	eventually_gone(pid);
	assert_true(peer_quiet(&w->net)); /* the channel is over: nobody is told */
	down(w);
}

/* The connection's process dies: terminals hang up, commands without one go on. */
static void
test_net_gone(void **state)
{
	(void)state;
	struct world *w = world();
	char tty[64];
	int fd[3];
	up(w);
	int master = start_tty(w, 0, "echo $$; exec sleep 60", "", tty);
	pid_t on_tty = read_pid(master);
	start_command(w, 1, "echo $$; exec sleep 60");
	expect_pipes(w, 1, fd);
	pid_t on_pipes = read_pid(fd[1]);
	close(master);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	peer_close(&w->net);
	eventually_gone(on_tty);
	assert_int_equal(kill(on_pipes, 0), 0);
	kill(on_pipes, SIGKILL);
	down(w);
}

static void
test_tty_forbidden(void **state)
{
	(void)state;
	struct world *w = world();
	char cmd[] = "tty; echo \"[$TERM]\"", text[256];
	int fd[3];
	w->init.permit_tty = 0;
	up(w);
	struct smsg_start s = {.kind = WIRE_START_EXEC, .command = cmd, .has_pty = 1, .cols = 80, .rows = 24};
	send_start(w, &s);
	expect_pipes(w, 0, fd);
	peer_read_all(fd[1], text, sizeof text);
	assert_string_equal(text, "not a tty\n[]\n");
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	down(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_command),
	    cmocka_unit_test(test_input_half_close),
	    cmocka_unit_test(test_death_by_signal),
	    cmocka_unit_test(test_clean_child),
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_moved),
	    cmocka_unit_test(test_forced_command),
	    cmocka_unit_test(test_rc),
	    cmocka_unit_test(test_no_home),
	    cmocka_unit_test(test_max_sessions),
	    cmocka_unit_test(test_no_descriptors),
	    cmocka_unit_test(test_same_channel_twice),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_tty),
	    cmocka_unit_test(test_login_shell),
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_tty_signal),
	    cmocka_unit_test(test_hang_up),
	    cmocka_unit_test(test_net_gone),
	    cmocka_unit_test(test_tty_forbidden),
	};
	if (access(PROGRAM, X_OK) != 0) {
		fprintf(stderr, "skipped: %s is not built\n", PROGRAM);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
