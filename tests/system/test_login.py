"""Logging in, running commands, and everything that a session carries."""
import hashlib, os, pty, re, signal, subprocess, sys, time
from qshtest import *


@test
def a_command_as_oneself_and_as_another(w):
    w.standard()
    p = w.qsh(w.alice, "127.0.0.1", "id -un; echo oops >&2")
    equal((p.returncode, p.out, p.err), (0, "alice\n", "oops\n"))
    p = w.qsh(w.alice, "bob@127.0.0.1", "id -un; id -Gn; pwd")
    equal((p.returncode, p.out), (0, f"bob\nbob\n{w.bob.home}\n"))
    p = w.qsh(w.alice, "-l", "bob", "localhost", "--", "echo", "a  b", "'c  d'")
    equal((p.returncode, p.out), (0, "a b c  d\n"), p.err)


@test
def root_may_log_in_with_a_key(w):
    w.standard()
    w.root.put(".ssh/authorized_keys", w.alice.pub() + "\n")
    equal(w.qsh(w.alice, "root@127.0.0.1", "id -u").out, "0\n")


@test
def supplementary_groups(w):
    w.standard()
    w.carol = w.add_user("carol", groups=("staff2", "wheel2"))
    w.carol.authorize(w.alice.pub())
    equal(sorted(w.qsh(w.alice, "carol@127.0.0.1", "id -Gn").out.split()), ["carol", "staff2", "wheel2"])


@test
def groups_that_pam_gives(w):
    if not os.path.exists("/etc/security/group.conf"):
        raise Skip("pam_group has no configuration here (Debian: libpam-modules)")
    w.standard("UsePAM yes\n")
    write("/etc/security/group.conf", "*;*;alice;Al0000-2400;games\n")
    write("/etc/pam.d/sshd", "auth required pam_group.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
    equal(sorted(w.qsh(w.alice, "127.0.0.1", "id -Gn").out.split()), ["alice", "games"])
    equal(w.qsh(w.alice, "bob@127.0.0.1", "id -Gn").out, "bob\n", "and nobody else")


@test
def exit_status_as_ssh_gives_it(w):
    w.standard()
    for n in (0, 1, 7, 254, 255):
        equal(w.qsh(w.alice, "127.0.0.1", f"exit {n}").returncode, n)
    p = w.qsh(w.alice, "127.0.0.1", "kill -TERM $$")
    equal(p.returncode, 255, "death by a signal")
    equal(w.qsh(w.alice, "127.0.0.1", "exec /nonexistent").returncode, 127)


@test
def the_environment_is_sshds(w):
    w.standard("AcceptEnv LANG LC_* FOO_?\nSetEnv SERVER=yes\n")
    p = w.qsh(w.alice, "-o", "SetEnv=FOO_A=1 BAR=2", "-o", "SendEnv=LC_*", "127.0.0.1", "env", env=w.env(w.alice, LC_ALL="C"))
    env = dict(l.split("=", 1) for l in p.out.splitlines() if "=" in l)
    for k, v in (("USER", "alice"), ("LOGNAME", "alice"), ("HOME", w.alice.home), ("SHELL", "/bin/bash"), ("FOO_A", "1"),
                 ("LC_ALL", "C"), ("SERVER", "yes")):
        equal(env.get(k), v, k)
    check("BAR" not in env, "BAR is not accepted")
    check("SSH_TTY" not in env, "no terminal")
    check(re.fullmatch(r"127\.0\.0\.1 \d+ 127\.0\.0\.1 22", env["SSH_CONNECTION"]), env["SSH_CONNECTION"])
    check(re.fullmatch(r"127\.0\.0\.1 \d+ 22", env["SSH_CLIENT"]), env["SSH_CLIENT"])
    contains(env["PATH"], "/usr/bin")
    contains(env.get("MAIL", ""), "/alice", "MAIL")
    for k in env:
        check(not k.startswith(("LD_", "ASAN", "LSAN", "UBSAN", "QSH")), f"{k} leaked into the session")


@test
def an_interactive_shell(w):
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1", rows=33, cols=101)
    t.expect(r"\$ ")
    t.send("stty size; echo $TERM; tty; echo $SSH_TTY\n")
    t.expect(r"33 101\r\n")
    t.expect(r"xterm\r\n")
    tty = t.expect(r"(/dev/pts/\d+)\r\n").group(1)
    t.expect(re.escape(tty))
    t.send("shopt login_shell; echo $0\n")
    t.expect(r"login_shell\s+on")
    t.expect(r"-bash\r\n")
    # Not in bash itself: its line editor may take the signal for itself.
    t.send("sh -c 'trap \"echo winch; stty size\" WINCH; echo se\"\"t; while :; do sleep 0.05; done'\n")
    t.expect(r"set\r\n")
    t.resize(50, 132)
    t.expect(r"winch\r\n50 132")
    t.send(b"\x03")
    t.expect(r"\^C.*\$ ")
    t.send("printf '\\303\\266\\342\\202\\254\\n'\n")
    t.expect("ö€\r\n")
    t.send("exit 3\n")
    equal(t.wait(), 3)
    contains(t.text, "Connection to 127.0.0.1 closed.")
    check(t.restored(), "the terminal is as it was")


@test
def interrupt_and_eof_keys(w):
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("sh -c 'echo asl''eep; exec sleep 1000'\n")
    t.expect("asleep\r\n")
    t.send(b"\x03")
    t.expect(r"\^C.*\$ ")
    t.send("sh -c 'echo rea''ding; exec cat > /dev/null'; echo cat=$?\n")
    t.expect("reading\r\n")
    t.send(b"x\n\x04")
    t.expect(r"cat=0.*\$ ")  # only now has the line editor left the mode in which the kernel eats the key
    t.send(b"\x04")
    equal(t.wait(), 0)


@test
def terminal_modes_travel(w):
    w.standard()
    import termios
    t = w.terminal(w.alice, "-tt", "127.0.0.1", "stty -a")
    t.expect("intr = \\^C")
    t.wait()
    pid, fd = pty.fork()
    if pid == 0:
        w.become(w.alice)()
        subprocess.run(["stty", "intr", "^G", "-ixon", "erase", "^H"])
        os.execve(QSH, [QSH, "-tt", "127.0.0.1", "stty -a"], w.env(w.alice))
    out = b""
    try:
        while True:
            b = os.read(fd, 4096)
            if not b:
                break
            out += b
    except OSError:
        pass
    os.waitpid(pid, 0)
    contains(out, "intr = ^G")
    contains(out, "erase = ^H")
    contains(out, "-ixon")


@test
def no_pty_when_told_and_pty_when_forced(w):
    w.standard()
    equal(w.qsh(w.alice, "127.0.0.1", "tty").out, "not a tty\n")
    check(w.qsh(w.alice, "-tt", "127.0.0.1", "tty").out.startswith("/dev/pts/"), "-tt gives a terminal")
    t = w.terminal(w.alice, "-T", "127.0.0.1", "tty")
    t.expect("not a tty")
    t.wait()
    t = w.terminal(w.alice, "-t", "127.0.0.1", "tty")
    t.expect("/dev/pts/")
    t.wait()


@test
def permit_tty_no(w):
    w.standard("PermitTTY no\n")
    p = w.qsh(w.alice, "-tt", "127.0.0.1", "tty")
    contains(p.err, "PTY allocation request failed")


@test
def data_in_both_directions_is_exact(w):
    w.standard()
    data = os.urandom(5_000_000)
    p = w.qsh(w.alice, "127.0.0.1", "cat", input=data)
    check(p.raw == data, f"cat gave {len(p.raw)} other bytes: {p.err}")
    p = w.qsh(w.alice, "127.0.0.1", "tee /dev/stderr", input=data)
    check(p.raw == data, "standard output of tee")
    p = w.qsh(w.alice, "127.0.0.1", "sha256sum", input=data)
    contains(p.out, hashlib.sha256(data).hexdigest())
    p = w.qsh(w.alice, "127.0.0.1", "head -c 3000000 /dev/zero | tr '\\0' x; head -c 2000000 /dev/zero >&2")
    equal((len(p.raw), len(p.err)), (3_000_000, 2_000_000))


@test
def nothing_deadlocks_when_nobody_reads(w):
    """The child writes a megabyte on both outputs before it reads; the client sends all the while."""
    w.standard()
    p = w.qsh(w.alice, "127.0.0.1", "head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2; wc -c", input=b"i" * 2_000_000)
    equal((len(p.err), p.raw[1048576:]), (1048576, b"2000000\n"))
    p = w.qsh(w.alice, "127.0.0.1", "tee /dev/stderr", input=b"i" * 2_000_000)
    equal((len(p.raw), len(p.err)), (2_000_000, 2_000_000))


@test
def half_close_of_input(w):
    w.standard()
    p = w.qsh(w.alice, "127.0.0.1", "cat; echo after-eof; head -c 100000 /dev/zero | wc -c", input=b"x\n")
    equal(p.out, "x\nafter-eof\n100000\n")
    p = w.qsh(w.alice, "-n", "127.0.0.1", "cat; echo done", input=b"ignored")
    equal(p.out, "done\n")


@test
def files_as_standard_input_and_output(w):
    w.standard()
    data = os.urandom(300_000)
    write(w.dir + "/in", data)
    with open(w.dir + "/in", "rb") as i, open(w.dir + "/out", "wb") as o:
        p = subprocess.run([QSH, "127.0.0.1", "cat"], stdin=i, stdout=o, stderr=subprocess.PIPE, env=w.env(w.alice),
                           preexec_fn=w.become(w.alice), timeout=30 * SLOW)
    equal((p.returncode, p.stderr), (0, b""))
    check(open(w.dir + "/out", "rb").read() == data, "copied exactly")


@test
def the_reader_goes_away(w):
    w.standard()
    p = subprocess.run(["sh", "-c", f"{QSH} 127.0.0.1 'yes' | head -n 1"], env=w.env(w.alice), preexec_fn=w.become(w.alice),
                       capture_output=True, timeout=30 * SLOW)
    equal(p.stdout, b"y\n")


@test
def output_held_by_a_background_child_is_waited_for(w):
    w.standard()
    p = w.qsh(w.alice, "127.0.0.1", f"(while [ ! -e {w.alice.home}/go ]; do sleep 0.05; done; echo late) & echo early; touch {w.alice.home}/go")
    equal(p.out, "early\nlate\n")


@test
def a_background_child_of_a_terminal_is_not_waited_for(w):
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("nohup sleep 300 >/dev/null 2>&1 </dev/null & exit\n")
    equal(t.wait(), 0)


@test
def subsystems(w):
    w.standard("Subsystem echo /bin/cat\nSubsystem sftp /usr/lib/openssh/sftp-server\n")
    equal(w.qsh(w.alice, "-s", "127.0.0.1", "echo", input=b"sub").out, "sub")
    p = w.qsh(w.alice, "-s", "127.0.0.1", "nosuch")
    equal(p.returncode, 255)
    contains(p.err, "subsystem request failed")


@test
def signals_to_the_client_end_it(w):
    w.standard()
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        t = w.terminal(w.alice, "127.0.0.1")
        t.expect(r"\$ ")
        t.p.send_signal(sig)
        check(t.wait() != 0, "a signal is no success")
        check(t.restored(), f"the terminal is restored after signal {sig}")
    srv = w.servers[0]
    wait(lambda: not srv.children("qshd-net"), "the server's processes to end")


@test
def escapes(w):
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("\n~?")
    t.expect(r"Supported escape sequences")
    t.expect(r"~\.\s")
    t.send("\n~s")
    t.expect(r"(?i)(rtt|round trip)")
    t.expect(r"(?i)engine")
    t.send("\n~#")
    t.send("\necho til~~de ~x\n")
    t.expect("til~~de ~x\r\n")
    t.send("\necho a; cat <<E | od -c | head -1\n~~q\nE\n")
    t.expect(r"0000000\s+~\s+q")
    t.send("\n~.")
    equal(t.wait(), 255)
    check(t.restored(), "restored")
    t = w.terminal(w.alice, "-e", "none", "127.0.0.1", "cat")
    t.send("\n~.\n")
    t.expect(r"~\.")
    t.send(b"\x04")
    equal(t.wait(), 0)


@test
def suspend_and_resume(w):
    w.standard()
    t = w.terminal(w.alice, "--norc", "-i", program="/bin/bash", env=w.env(w.alice, PS1="local> "))
    t.expect("local> ")
    t.send(f"{QSH} 127.0.0.1\n")
    t.expect(r"alice@.*\$ ")
    t.send("\n~\x1a")
    t.expect("Stopped.*local> ")
    t.send("stty -a | grep -o ' icanon'; fg\n")
    t.expect(" icanon")
    t.expect("qsh")
    t.send("echo back$((1+1))\n")
    t.expect("back2")
    t.send("exit\n")
    t.expect("Connection to 127.0.0.1 closed.*local> ")
    t.send("exit\n")
    equal(t.wait(), 0)


@test
def motd_lastlog_and_hushlogin(w):
    w.standard("PrintMotd yes\nPrintLastLog yes\nUsePAM no\n")
    write("/etc/motd", "message of the day\n")
    def login():
        t = w.terminal(w.alice, "127.0.0.1")
        t.expect(r"\$ ")
        t.send("exit\n")
        t.wait()
        return t.text
    contains(login(), "message of the day")
    contains(login(), "Last login: ")
    w.alice.put(".hushlogin", "")
    text = login()
    check("message of the day" not in text and "Last login" not in text, text)
    check("message of the day" not in w.qsh(w.alice, "127.0.0.1", "true").out, "commands see no motd")


@test
def who_sees_the_login(w):
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("who -m; who\n")
    t.expect(r"alice\s+pts/\d+.*127\.0\.0\.1")
    t.send("exit\n")
    t.wait()
    wait(lambda: "alice" not in subprocess.run(["who"], capture_output=True, text=True).stdout, "the logout record")
    contains(subprocess.run(["last", "-f", "/var/log/wtmp"], capture_output=True, text=True).stdout or "alice", "alice")


@test
def nologin(w):
    w.standard()
    write("/etc/nologin", "going down for repairs\n")
    w.root.put(".ssh/authorized_keys", w.alice.pub() + "\n")
    p = w.qsh(w.alice, "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "going down for repairs")
    equal(w.qsh(w.alice, "root@127.0.0.1", "echo in").out, "in\n")


@test
def forced_commands(w):
    s = w.standard()
    w.alice.authorize(f'command="echo forced; echo $SSH_ORIGINAL_COMMAND",no-pty {w.alice.pub()}')
    equal(w.qsh(w.alice, "127.0.0.1", "rm -rf x").out, "forced\nrm -rf x\n")
    contains(w.qsh(w.alice, "-tt", "127.0.0.1").err, "PTY allocation request failed")


@test
def remote_command_and_request_tty(w):
    w.standard()
    equal(w.qsh(w.alice, "-o", "RemoteCommand=echo %u-%h", "127.0.0.1").out, "alice-127.0.0.1\n")
    check(w.qsh(w.alice, "-o", "RequestTTY=force", "127.0.0.1", "tty").out.startswith("/dev/pts/"), "RequestTTY force")


@test
def no_command_runs_nothing(w):
    s = w.standard()
    p = w.spawn(w.alice, "-N", "127.0.0.1")
    s.logged("Accepted publickey for alice")
    check(not s.children("bash"), "no shell")
    p.terminate()
    p.wait(20 * SLOW)


@test
def background_after_login(w):
    w.standard()
    p = w.spawn(w.alice, "-f", "127.0.0.1", f"while [ ! -e {w.alice.home}/go ]; do sleep 0.05; done; touch {w.alice.home}/done",
                stdout=subprocess.DEVNULL)
    equal(p.wait(30 * SLOW), 0)
    check(not os.path.exists(w.alice.home + "/done"), "qsh -f returned early")
    write(w.alice.home + "/go", "")
    wait(lambda: os.path.exists(w.alice.home + "/done"), "the command in the background")


@test
def several_sessions_do_not_know_of_each_other(w):
    s = w.standard()
    ps = [w.spawn(w.alice, "127.0.0.1", f"read x; echo {i}-$x") for i in range(8)]
    wait(lambda: len(s.children("qshd-net")) == 8, "eight connections")
    for i, p in reversed(list(enumerate(ps))):
        out, err = p.communicate(b"hello\n", 30 * SLOW)
        equal((p.returncode, out), (0, b"%d-hello\n" % i), err)
    wait(lambda: not s.children("qshd-net") and not s.children("qshd-monitor") and not s.children("qshd-broker"), "all roles to end")


@test
def it_speaks_ipv6(w):
    w.standard()
    equal(w.qsh(w.alice, "::1", "echo $SSH_CONNECTION | cut -d' ' -f1").out, "::1\n")
    p = w.qsh(w.alice, "-6", "qsh://alice@[::1]:22", "echo uri")
    equal(p.out, "uri\n", p.err)
    equal(w.qsh(w.alice, "-4", "localhost", "echo $SSH_CLIENT | cut -d' ' -f1").out, "127.0.0.1\n")


@test
def a_long_command_line_and_many_variables(w):
    w.standard("AcceptEnv V*\n")
    cmd = "echo " + "x" * 100_000 + " | wc -c"
    equal(w.qsh(w.alice, "127.0.0.1", cmd).out, "100001\n")
    env = {f"V{i}": "y" * 100 for i in range(100)}
    p = w.qsh(w.alice, "-o", "SendEnv=V*", "127.0.0.1", "env | grep -c ^V", env=w.env(w.alice, **env))
    equal(p.out, "100\n", p.err)
