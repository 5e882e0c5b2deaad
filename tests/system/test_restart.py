"""qshd is restarted, upgraded, killed, or the whole machine reboots, while logins live."""
import os, re, signal, subprocess
from qshtest import *


def started(w, conf="", args=()):
    """alice behind an address translator, and a server on the other side of a link."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    subprocess.run(["ip", "-n", "b", "route", "add", "10.99.1.0/24", "dev", "q0"], check=True)
    l.set("nat 10.99.1.1")
    return l, server(w, conf, args)


def server(w, conf="", args=()):
    return w.qshd("LogLevel DEBUG1\n" + conf, args, ns="b")


def opts(w):
    return ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]


class Echo:
    """A session that answers what it is asked for."""

    def __init__(self, w):
        self.p = w.spawn(w.alice, *opts(w), "alice@10.99.0.2",
                         "while read -r n; do head -c $n /dev/zero | tr '\\0' x; echo; done", ns="a", env=w.env(w.alice))
        self.ask(10)

    def ask(self, n):
        self.p.stdin.write(b"%d\n" % n)
        self.p.stdin.flush()
        equal(len(self.p.stdout.readline()), n + 1, "what came back")

    def end(self):
        self.p.stdin.close()
        equal(self.p.wait(30 * SLOW), 0, "status")


def moved(s, to):
    return s.logged(rf"Moved user alice from 10\.99\.1\.\d+ port \d+ to {re.escape(to)} port \d+")


def known_again(s):
    return s.logged("the connection is known to the listener again")


def listener(s):
    return wait(lambda: s.children("qshd-listener"), "a listener")[0]


@test
def a_login_survives_a_restart_and_moves_afterwards(w):
    l, one = started(w)
    e = Echo(w)
    one.stop()
    equal(one.p.returncode, 0, "qshd's status")
    e.ask(1000)
    two = server(w)
    # The monitor logs where it did from the start: in the first one's file.
    known_again(one)
    for i in range(3):
        l.set(f"nat 10.99.1.{2 + i}")
        e.ask(100_000)
        moved(one, f"10.99.1.{2 + i}")
    # And once more, with the move in between.
    two.stop()
    l.set("nat 10.99.1.9")
    three = server(w)
    e.ask(100_000)
    moved(one, "10.99.1.9")
    # A new login beside it has a number of its own.
    f = Echo(w)
    l.set("nat 10.99.1.10")
    e.ask(1000)
    f.ask(1000)
    moved(one, "10.99.1.10")
    moved(three, "10.99.1.10")
    f.end()
    e.end()


@test
def a_login_survives_the_death_of_qshd(w):
    """SIGKILL, of the supervisor: nobody can tidy up."""
    l, one = started(w)
    e = Echo(w)
    one.p.kill()
    one.p.wait()
    wait(lambda: not one.children("qshd-listener"), "the listener to end with its supervisor")
    server(w)
    known_again(one)
    l.set("nat 10.99.1.2")
    e.ask(100_000)
    moved(one, "10.99.1.2")
    e.end()


@test
def a_login_survives_the_death_of_the_listener(w):
    l, s = started(w)
    e = Echo(w)
    for i in range(2):
        os.kill(listener(s), signal.SIGKILL)
        wait(lambda: s.log().count("the connection is known to the listener again") == i + 1, "the connection to be known again", 60)
        l.set(f"nat 10.99.1.{2 + i}")
        e.ask(100_000)
        moved(s, f"10.99.1.{2 + i}")
    e.end()
    wait(lambda: not s.children("qshd-net"), "nothing to be left of it")


@test
def a_login_survives_a_reload_and_moves_afterwards(w):
    l, s = started(w)
    e = Echo(w)
    write(s.conf, "LogLevel DEBUG1\nPort 22\nPort 2022\n")
    s.hup()
    s.logged(r"listening on .* port 2022")
    l.set("nat 10.99.1.2")
    e.ask(100_000)
    moved(s, "10.99.1.2")
    e.end()


@test
def a_login_survives_an_upgrade(w):
    """Another binary, in the place of the first."""
    l, one = started(w)
    e = Echo(w)
    one.stop()
    copy = w.dir + "/qshd-upgraded"
    shutil.copy(QSHD, copy)
    import qshtest
    old, qshtest.QSHD = qshtest.QSHD, copy
    try:
        server(w)
    finally:
        qshtest.QSHD = old
    known_again(one)
    l.set("nat 10.99.1.2")
    e.ask(100_000)
    moved(one, "10.99.1.2")
    e.end()


@test
def a_move_while_nobody_listens(w):
    """What the client sends then is lost, and no reason to end its connection when somebody listens again."""
    l, one = started(w)
    e = Echo(w)
    one.stop()
    l.set("nat 10.99.1.2")
    e.p.stdin.write(b"50000\n")
    e.p.stdin.flush()
    server(w)
    equal(len(e.p.stdout.readline()), 50001, "what came back")
    moved(one, "10.99.1.2")
    e.end()


@test
def a_terminal_survives_a_restart(w):
    l, one = started(w)
    t = w.terminal(w.alice, "-tt", *opts(w), "alice@10.99.0.2", ns="a", env=w.env(w.alice))
    t.expect(r"\$ ")
    one.stop()
    server(w)
    known_again(one)
    l.set("nat 10.99.1.2")
    t.send("echo still-$((40+2))\n")
    t.expect("still-42")
    t.send("exit\n")
    equal(t.wait(), 0)


@test
def a_restart_for_another_port_leaves_logins_alone(w):
    """Nobody listens any more where the client came to: the login goes on where it is."""
    l, one = started(w)
    e = Echo(w)
    one.stop()
    server(w, "Port 2022\n")
    e.ask(1000)
    e.end()


def reboot(l, s):
    """All that the machine forgets: every process, the run directory. None of them says goodbye to another's client."""
    l.set("down")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if os.path.basename(exe).startswith("qshd"):
            os.kill(int(pid), signal.SIGKILL)
    s.p.wait()
    wait(lambda: not any(s.children(r) for r in ("qshd-net", "qshd-monitor", "qshd-broker", "qshd-listener")), "everything to end")
    shutil.rmtree("/run/qshd", ignore_errors=True)
    check(not os.path.exists("/run/qshd/keys"), "the keys of the run directory are gone")
    l.set("up")
    return len(l.trace())


def is_told(l, e, before):
    """The next packet of the client's ends its connection; before: how long the trace was when its process had ended."""
    try:
        e.p.stdin.write(b"10\n")
        e.p.stdin.flush()
    except BrokenPipeError:
        pass  # it had something to send before, and knows already
    equal(e.p.wait(60 * SLOW), 255, "status")
    contains(e.p.stderr.read(), "Connection to 10.99.0.2 closed: the server was restarted, or has ended this session")
    trace = [t for t in l.trace()[before:] if t[3] == 17]
    sizes = [t[2] - 28 for t in trace if t[1] == "b"]
    asked = sum(t[1] == "a" for t in trace)
    # One for each packet at most, and each as RFC 9000 section 10.3 wants it.
    check(1 <= len(sizes) <= asked, f"{len(sizes)} answers to {asked} packets: {trace}")
    check(all(21 <= n <= 43 for n in sizes), f"sizes of stateless resets: {sizes}")


@test
def a_rebooted_server_ends_a_connection_at_once(w):
    l, one = started(w)
    e = Echo(w)
    before = reboot(l, one)
    server(w)
    is_told(l, e, before)


@test
def a_rebooted_server_with_another_host_key_since(w):
    """The key was changed while qshd ran; the login was after that."""
    l, one = started(w, "HostKey /etc/ssh/ssh_host_ed25519_key\n")
    w.make_key("/etc/ssh/other_key", w.root)
    write(one.conf, "LogLevel DEBUG1\nHostKey /etc/ssh/other_key\n")
    one.hup()
    one.logged("received SIGHUP")
    w.know(w.alice, "10.99.0.2", key=w.host_key("/etc/ssh/other_key"))
    # The monitor that was started ahead is told the key when it is needed: the first login has the new one.
    wait(lambda: w.qsh(w.alice, *opts(w), "alice@10.99.0.2", "true", ns="a").returncode == 0, "the new host key")
    e = Echo(w)
    before = reboot(l, one)
    server(w, "HostKey /etc/ssh/other_key\n")
    is_told(l, e, before)


@test
def the_end_of_a_process_is_told(w):
    """SIGKILL of the process of a connection: nothing is left that could say goodbye."""
    l, s = started(w)
    e = Echo(w)
    os.kill(s.children("qshd-net")[0], signal.SIGKILL)
    before = len(l.trace())
    wait(lambda: not s.children("qshd-monitor"), "its monitor to end")
    is_told(l, e, before)


# ---- address validation ----------------------------------------------------------

def first_answer(w, l, *args):
    """Logs in; the server's first packet: a Retry is small, a handshake's flight is not."""
    while True:
        before = len(l.trace())
        p = w.qsh(w.alice, *opts(w), *args, "alice@10.99.0.2", "true", ns="a")
        # With MaxStartups 1:1:1000 one in a hundred is refused.
        if p.returncode == 0:
            break
        contains(p.err, "full")
    trace = [t for t in l.trace()[before:] if t[3] == 17]
    # The translator gives ports in a row: the last one is ours, others are other connections'.
    mine = max(t[5] for t in trace if t[1] == "b")
    return next(t for t in trace if t[1] == "b" and t[5] == mine)


def is_retry(packet):
    return packet[2] < 300


@test
def a_known_address_needs_no_retry(w):
    """Under load everybody has to prove his address first, but who was here before has a token."""
    l, s = started(w, "MaxStartups 1:1:1000\nLoginGraceTime 0\n")
    path = w.dir + "/tokens"
    mine = ("-o", f"TokenFile={path}")
    check(not is_retry(first_answer(w, l, *mine)), "no load, no Retry")
    equal(os.stat(path).st_mode & 0o777, 0o600)
    one = read(path)
    equal(len(one.splitlines()), 1)
    # Somebody who does not answer the question about the host key: not authenticated.
    t = w.terminal(w.alice, "-F", "none", "-o", "UserKnownHostsFile=none", "-o", "GlobalKnownHostsFile=none",
                   "-o", "TokenFile=none", "alice@10.99.0.2", ns="a", env=w.env(w.alice))
    t.expect(r"\[fingerprint\]")
    check(is_retry(first_answer(w, l, "-o", "TokenFile=none")), "a stranger gets a Retry")
    equal(read(path), one)
    check(not is_retry(first_answer(w, l, *mine)), "a known one gets none")
    two = read(path)
    check(len(two.splitlines()) == 1 and two != one, "the token was used up, and there is another one")
    # After a restart it is good, too; from another address it is not, and no obstacle.
    s.stop()
    s = server(w, "MaxStartups 1:1:1000\nLoginGraceTime 0\n")
    s.logged("took over the connection")
    check(not is_retry(first_answer(w, l, *mine)), "after a restart")
    l.set("nat 10.99.1.2")
    check(is_retry(first_answer(w, l, *mine)), "from another address")
    t.send("no\n")
    t.wait()


@test
def a_server_answers_no_more_than_three_times_what_came(w):
    """To an address that is not proven (RFC 9000 section 8.1): the client's first packet, and then silence."""
    l, s = started(w)
    l.set("down b")
    p = w.spawn(w.alice, *opts(w), "-o", "ConnectTimeout=3", "alice@10.99.0.2", "true", ns="a", env=w.env(w.alice))
    p.wait(30 * SLOW)
    got = sum(t[2] - 28 for t in l.trace() if t[3] == 17 and t[1] == "a")
    sent = sum(t[2] - 28 for t in l.trace() if t[3] == 17 and t[1] == "b")
    check(got > 0 and 0 < sent <= 3 * got, f"{sent} bytes for {got}")


# ---- silence -----------------------------------------------------------------------

@test
def a_silent_session_is_seen_and_can_be_ended(w):
    """The client's network is gone: who(1) shows the session, and hanging its shell up ends all of it."""
    need_program("who", "coreutils")
    l, s = started(w, "UsePAM no\n")
    t = w.terminal(w.alice, "-tt", *opts(w), "alice@10.99.0.2", ns="a", env=w.env(w.alice))
    t.expect(r"\$ ")
    t.send("echo tty=$(tty) pid=$$\n")
    m = t.expect(r"tty=/dev/(\S+) pid=(\d+)")
    l.set("down")
    who = subprocess.run(["who", "-u"], capture_output=True, text=True).stdout
    line = next((x for x in who.splitlines() if m[1] in x.split()), "")
    contains(line, "alice", who)
    contains(line, "10.99.1.1", who)
    # The process that it names lives as long as the session, and takes it along.
    os.kill(int(m[2]), signal.SIGHUP)
    wait(lambda: m[1] not in subprocess.run(["who"], capture_output=True, text=True).stdout.split(), "who to forget it")
    l.set("up")
    equal(t.wait(60) in (129, 255), True, "the client's status")
    wait(lambda: not s.children("qshd-net"), "nothing to be left of it", 60)


@test
def the_monitor_ends_a_silent_session(w):
    l, s = started(w, "UsePAM no\n")
    t = w.terminal(w.alice, "-tt", *opts(w), "alice@10.99.0.2", ns="a", env=w.env(w.alice))
    t.expect(r"\$ ")
    l.set("down")
    os.kill(s.children("qshd-monitor")[0], signal.SIGTERM)
    wait(lambda: not s.children("qshd-net") and not s.children("qshd-broker"), "its processes to end", 60)
    equal([x for x in subprocess.run(["who"], capture_output=True, text=True).stdout.splitlines() if "alice" in x], [])
    # The client hears of it when it is heard again.
    l.set("up")
    t.send("x")
    equal(t.wait(60), 255)
    contains(t.text, "Connection to 10.99.0.2 closed")


@test
def an_idle_channel_is_closed(w):
    l, s = started(w, "ChannelTimeout session:shell=1\n")
    e = Echo(w) # a command
    t = w.terminal(w.alice, "-tt", *opts(w), "alice@10.99.0.2", ns="a", env=w.env(w.alice))
    t.expect(r"\$ ")
    equal(t.wait(60), 255)
    contains(t.text, "idle for too long")
    s.logged("ChannelTimeout")
    e.ask(1000)
    e.end()


@test
def an_unused_connection_is_closed(w):
    l, s = started(w, "UnusedConnectionTimeout 1\n")
    p = w.spawn(w.alice, *opts(w), "-N", "alice@10.99.0.2", ns="a", env=w.env(w.alice))
    equal(p.wait(60 * SLOW), 255)
    contains(p.stderr.read(), "unused for too long")
