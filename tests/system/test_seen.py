"""A session that is silent: behind a translator that has changed, and as seen by the administrator's tools."""
import os, re, signal, subprocess, time
from qshtest import *
from test_restart import opts, started


def terminal(w):
    t = w.terminal(w.alice, *opts(w), "alice@10.99.0.2", ns="a")
    t.expect(r"\$ ")
    return t


def hushed(l):
    """Waits until the client has sent nothing for a second: its last acknowledgement too has left."""
    seen = [-1, 0.0]

    def same():
        n = sum(p[1] == "a" for p in l.trace())
        if n != seen[0]:
            seen[:] = n, time.monotonic()
        return time.monotonic() - seen[1] > 1
    wait(same, "the client to be silent")


@test
def a_key_finds_the_new_path(w):
    """The translator forgets; the next key has its echo within two of the intervals at which paths are probed (1 s)."""
    l, s = started(w)
    t = terminal(w)
    for i in range(3):
        hushed(l)
        l.set(f"nat 10.99.1.{2 + i}")
        began = time.monotonic()
        t.send(f"echo k{i}-$((40+2))\n")
        t.expect(f"k{i}-42")
        took = time.monotonic() - began
        check(took < 2 * SLOW, f"the echo took {took:.1f} s")
        s.logged(rf"Moved user alice from .* to 10\.99\.1\.{2 + i} port")
    t.send("exit\n")
    t.wait()


@test
def output_finds_whoever_waits_for_it(w):
    """The translator forgets while the user waits for output: it comes long before the keepalive of those who are not there
    (25 s)."""
    l, s = started(w)
    t = terminal(w)
    go = w.alice.home + "/go"
    t.send(f"until test -e {go}; do sleep 0.1; done; echo went-$((40+2))\n")
    t.expect("done")
    hushed(l)
    l.set("nat 10.99.1.2")
    began = time.monotonic()
    w.alice.put("go", "")
    t.expect("went-42", timeout=60)
    took = time.monotonic() - began
    check(took < 15 * SLOW, f"the output took {took:.1f} s")
    t.send("exit\n")
    t.wait()


def w_says(name):
    env = dict(os.environ, COLUMNS="200")
    out = subprocess.run(["w", "-i", name], capture_output=True, text=True, env=env).stdout
    return [l for l in out.splitlines() if l.split()[:1] == [name]]


@test
def w_shows_a_silent_session(w):
    """With the address that the user came from and what runs there; likewise when the client was moved or is silent."""
    need_program("w", "procps")
    l, s = started(w, "UsePAM no\n")
    t = terminal(w)
    t.send("echo tty=$(tty); exec sleep 7777\n")
    tty = t.expect(r"tty=/dev/(pts/\d+)")[1]
    line = wait(lambda: [x for x in w_says("alice") if "sleep 7777" in x], "w to show what runs")[0]
    equal(line.split()[:3], ["alice", tty, "10.99.1.1"], line)
    l.set("nat 10.99.1.2")
    t.send("x")
    s.logged(r"Moved user alice from .* to 10\.99\.1\.2 port")
    l.set("down")
    for x in (w_says("alice"), subprocess.run(["who"], capture_output=True, text=True).stdout.splitlines()):
        x = [y for y in x if y.startswith("alice ")]
        equal(len(x), 1, "sessions shown")
        contains(x[0], "10.99.1.1")     # where the login came from; moves are in the log
        contains(x[0], tty)
    os.kill(s.children("qshd-monitor")[0], signal.SIGTERM)
    wait(lambda: not w_says("alice"), "w to forget it", 60)
    l.set("up")
    equal(t.wait(60), 255)


@test
def what_loginctl_does_ends_a_session(w):
    """terminate-session and terminate-user send SIGTERM to all that PAM's session holds: the monitor, which opened it, the
    broker, the shell; in any order."""
    l, s = started(w, "UsePAM no\n")
    for order in (lambda p: p, reversed):
        t = terminal(w)
        t.send("echo pid=$$.\n")
        shell = int(t.expect(r"pid=(\d+)\.")[1])
        all = [*s.children("qshd-monitor"), *s.children("qshd-broker"), shell]
        equal(len(all), 3)
        for pid in order(all):
            os.kill(pid, signal.SIGTERM)
        equal(t.wait(60), 255)
        contains(t.text, "Received disconnect from 10.99.0.2")
        contains(t.text, "Connection to 10.99.0.2 closed")
        check(t.restored(), "the terminal is as before")
        wait(lambda: not any(s.children(r) for r in ("qshd-monitor", "qshd-net", "qshd-broker")), "its processes to end", 60)
        wait(lambda: re.search(r"State:\tZ|^$", read(f"/proc/{shell}/status")), "the shell to end", 60)   # nobody here reaps it
        equal([x for x in subprocess.run(["who"], capture_output=True, text=True).stdout.splitlines() if "alice" in x], [], "who")
