"""A login that moves: to another address, another family, another network, most of which do not answer."""
import os, re, subprocess, time
from qshtest import *


def ip(ns, line):
    subprocess.run(["ip", "-n", ns] + line.split(), check=True)


def net(w, conf="", names=("10.99.0.2",), **settings):
    """A server in b, alice in a with what she needs to log in, a link between them."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, *names)
    w.l = w.link(**settings)
    w.opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    return w.qshd(conf, ns="b")


class Session:
    """A login that answers what it is asked for."""

    def __init__(self, w, *args, host="10.99.0.2"):
        self.p = w.spawn(w.alice, *w.opts, *args, f"alice@{host}",
                         "echo $SSH_CONNECTION; while read -r n; do head -c $n /dev/zero | tr '\\0' x; echo; done", ns="a", env=w.env(w.alice))
        self.of = self.p.stdout.readline().decode().split()

    def ask(self, n):
        self.p.stdin.write(b"%d\n" % n)
        self.p.stdin.flush()
        equal(len(self.p.stdout.readline()), n + 1, "what came back")

    def send(self):
        """Asks for little, and does not wait."""
        self.p.stdin.write(b"10\n")
        self.p.stdin.flush()

    def receive(self, n):
        """The answers to so many times send()."""
        for i in range(n):
            equal(len(self.p.stdout.readline()), 11, "what was asked for meanwhile")

    def end(self):
        self.p.stdin.close()
        equal(self.p.wait(60 * SLOW), 0, "status")


def moved(s, to):
    s.logged(rf"Moved user alice from \S+ port \d+ to {re.escape(to)} port \d+", 60)


@test
def to_another_address(w):
    """The interface loses its address and has another one."""
    s = net(w, delay=5)
    e = Session(w)
    for i in range(3):
        ip("a", f"addr add 10.99.0.{31 + i}/24 dev q0")
        ip("a", f"addr del 10.99.0.{30 + i if i else 1}/24 dev q0")
        ip("a", f"addr replace 10.99.0.{31 + i}/24 dev q0")       # it may have gone with the one before it
        e.ask(100_000)
        moved(s, f"10.99.0.{31 + i}")
    e.end()


@test
def from_one_family_to_the_other(w):
    """The server is known by both; the one in use goes away, later it is back and the other one goes."""
    s = net(w, names=("both",), delay=5)
    write("/etc/hosts", "127.0.0.1 localhost\nfd99::2 both\n10.99.0.2 both\n")
    e = Session(w, host="both")
    equal(e.of[0], "fd99::1", "IPv6 is preferred")
    e.ask(1000)
    ip("a", "addr del fd99::1/64 dev q0")
    e.ask(100_000)
    moved(s, "10.99.0.1")
    ip("a", "addr add fd99::1/64 dev q0 nodad")
    ip("a", "addr del 10.99.0.1/24 dev q0")
    e.ask(100_000)
    moved(s, "fd99::1")
    e.end()


@test
def to_another_address_before_the_server_has_answered(w):
    s = net(w, delay=5)
    w.l.set("down")
    p = w.spawn(w.alice, *w.opts, "-v", "alice@10.99.0.2", "echo $SSH_CONNECTION", ns="a", env=w.env(w.alice))
    wait(lambda: any(t[1] == "a" and t[3] == 17 for t in w.l.trace()), "the client to send")
    ip("a", "addr del 10.99.0.1/24 dev q0")
    ip("a", "addr add 10.99.0.30/24 dev q0")
    w.l.set("up")
    out, err = p.communicate(timeout=120 * SLOW)
    equal(p.returncode, 0, f"status; it said {err.decode()}")
    equal(out.decode().split()[0], "10.99.0.30", "the client's address")
    s.logged(r"Accepted publickey for alice from 10\.99\.0\.30 ")


@test
def twenty_moves_of_which_most_are_not_answered(w):
    s = net(w, delay=5)
    e = Session(w)
    e.ask(1000)
    last, waiting = 1, 0
    for i in range(20):
        answered = i in (6, 13, 19)
        w.l.set("up" if answered else "down")
        before = len(w.l.trace())
        ip("a", f"addr add 10.99.0.{40 + i}/24 dev q0")
        ip("a", f"addr del 10.99.0.{last}/24 dev q0")
        ip("a", f"addr replace 10.99.0.{40 + i}/24 dev q0")       # it may have gone with the one before it
        last = 40 + i
        e.send()
        waiting += 1
        wait(lambda: any(t[1] == "a" and t[3] == 17 for t in w.l.trace()[before:]), "the client to send by its new address")
        if answered:
            e.receive(waiting)
            waiting = 0
            moved(s, f"10.99.0.{last}")
    e.ask(100_000)
    e.end()


@test
def a_pinned_path_is_not_left(w):
    """-b and Migrate no: a session does not leak onto another network; when its own is back, it goes on."""
    s = net(w, delay=5)
    for args in (["-b", "10.99.0.1"], ["-o", "Migrate=no"]):
        e = Session(w, *args)
        e.ask(1000)
        ip("a", "addr add 10.99.0.50/24 dev q0")
        ip("a", "addr del 10.99.0.1/24 dev q0")
        ip("a", "addr replace 10.99.0.50/24 dev q0")
        e.send()
        time.sleep(2)                                # in which it would have moved
        check("10.99.0.50" not in s.log(), f"{args}: it left its path: {s.log()}")
        ip("a", "addr add 10.99.0.1/24 dev q0")
        ip("a", "addr del 10.99.0.50/24 dev q0")
        ip("a", "addr replace 10.99.0.1/24 dev q0")
        e.receive(1)
        e.ask(1000)
        e.end()
