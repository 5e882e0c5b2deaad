"""A client that moves: between addresses, interfaces and families, with real programs in namespaces."""
import re, subprocess
from qshtest import *

ECHO = "while read -r n; do head -c $n /dev/zero | tr '\\0' x; echo; done"


def ip(ns, *words):
    subprocess.run(["ip", "-n", ns, *words], check=True)


def people(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2", "10.98.0.2", "fd99::2", "server")


def opts(w, *more):
    return ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", *more]


def second_way(w):
    """A second pair of interfaces between the two namespaces, q1: 10.98.0.1 and 10.98.0.2, without a link emulator.
    The server's 10.99.0.2 and fd99::2 are reached through it where the route says so."""
    subprocess.run(["ip", "link", "add", "q1", "netns", "a", "type", "veth", "peer", "name", "q1", "netns", "b"], check=True)
    for ns, n in (("a", 1), ("b", 2)):
        subprocess.run(["ip", "netns", "exec", ns, "sh", "-c", "for f in all default q0 q1; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done"],
                       check=True)
        ip(ns, "addr", "add", f"10.98.0.{n}/24", "dev", "q1")
        ip(ns, "link", "set", "q1", "up")


class Client:
    """qsh -v with a command that answers lines; its log is followed."""

    def __init__(self, w, host, *more, command=ECHO, ns="a", verbose=True):
        self.w = w
        self.log = f"{w.dir}/client.log"
        write(self.log, "")
        args = ["-v", "-E", self.log] if verbose else ["-E", self.log]
        self.p = w.spawn(w.alice, *opts(w, *more), *args, f"alice@{host}", command, ns=ns)

    def begin(self, n):
        self.p.stdin.write(b"%d\n" % n)
        self.p.stdin.flush()

    def ends(self, n):
        equal(len(self.p.stdout.readline()), n + 1, "the answer; the client says:\n" + read(self.log))

    def ask(self, n=100):
        self.begin(n)
        self.ends(n)

    def said(self, pattern):
        return len(re.findall(pattern, read(self.log)))

    def says(self, pattern, times=1, timeout=60):
        def seen():
            check(self.said(pattern) >= times or self.p.poll() is None,
                  f"qsh has ended ({self.p.poll()}): {self.p.stderr.read().decode() if self.p.poll() is not None else ''}\n{read(self.log)}")
            return self.said(pattern) >= times
        wait(seen, f"{pattern!r} in qsh's log {times} times", timeout)

    def end(self):
        self.p.stdin.close()
        equal(self.p.wait(60 * SLOW), 0, read(self.log))


@test
def the_interface_gets_another_address(w):
    people(w)
    w.link(delay=5)
    s = w.qshd("", ns="b")
    c = Client(w, "10.99.0.2")
    c.ask()
    for i in (11, 12, 13):
        ip("a", "addr", "flush", "dev", "q0", "scope", "global")
        ip("a", "addr", "add", f"10.99.0.{i}/24", "dev", "q0")
        c.ask(200_000)
        c.says(rf"moved from .* to 10\.99\.0\.{i} port")
        s.logged(rf"Moved user alice from .* to 10\.99\.0\.{i} port")
    c.end()


@test
def from_ipv4_to_ipv6_and_back(w):
    people(w)
    w.link(delay=5)
    w.qshd("", ns="b")
    with open("/etc/hosts", "a") as f:
        f.write("10.99.0.2 server\nfd99::2 server\n")
    c = Client(w, "server", "-o", "AddressFamily=any")
    c.ask()
    first = "6" if re.search(r"Connection established to fd99::2", read(c.log)) else "4"
    def away(family):
        ip("a", "addr", "del", "fd99::1/64" if family == "6" else "10.99.0.1/24", "dev", "q0")
    def back(family):
        if family == "6":
            ip("a", "addr", "add", "fd99::1/64", "dev", "q0", "nodad")
        else:
            ip("a", "addr", "add", "10.99.0.1/24", "dev", "q0")
    name = {"6": r"fd99::1", "4": r"10\.99\.0\.1"}
    other = "4" if first == "6" else "6"
    away(first)
    c.ask(300_000)
    c.says(rf"moved from {name[first]} port \d+ to {name[other]} port")
    back(first)
    away(other)
    c.ask(300_000)
    c.says(rf"moved from {name[other]} port \d+ to {name[first]} port")
    c.end()


@test
def a_second_interface_takes_the_route(w):
    """The route goes elsewhere while the old path works: tried beside it, then used; the old one may go then."""
    people(w)
    w.link(delay=5)
    second_way(w)
    ip("b", "route", "add", "10.97.0.1/32", "via", "10.98.0.1")
    s = w.qshd("", ns="b")
    c = Client(w, "10.99.0.2")
    c.ask()
    ip("a", "route", "add", "10.99.0.2/32", "via", "10.98.0.2", "dev", "q1", "src", "10.98.0.1")
    c.says(r"Trying another path, from 10\.98\.0\.1 ")
    c.ask(100_000)
    c.says(r"moved from 10\.99\.0\.1 port \d+ to 10\.98\.0\.1 port")
    s.logged(r"Moved user alice from 10\.99\.0\.1 port \d+ to 10\.98\.0\.1 port")
    equal(c.said("is gone or does not answer"), 0, read(c.log))
    ip("a", "link", "set", "q0", "down")
    c.ask(300_000)
    c.end()


@test
def a_server_with_another_address(w):
    """It is at another address than before; the name is looked up again, and the connection goes on there."""
    people(w)
    w.link(delay=5)
    ip("b", "addr", "add", "10.99.0.7/32", "dev", "q0")
    w.know(w.alice, "server")
    write("/etc/hosts", "127.0.0.1 localhost\n10.99.0.2 server\n")
    w.qshd("", ns="b")
    c = Client(w, "server")
    c.ask()
    ip("b", "route", "add", "10.99.0.1/32", "dev", "q0")
    ip("b", "addr", "del", "10.99.0.2/24", "dev", "q0")
    write("/etc/hosts", "127.0.0.1 localhost\n10.99.0.7 server\n")
    c.begin(1000)
    c.says(r"server is now at 10\.99\.0\.7")
    c.ends(1000)
    c.says(r"An answer came on the path from .* to 10\.99\.0\.7 port 22")
    c.end()
    # Whoever logs in now finds it there at once.
    p = w.qsh(w.alice, *opts(w), "alice@server", "echo in", ns="a")
    equal(p.out, "in\n", p.err)


@test
def migrate_no_stays(w):
    people(w)
    w.link(delay=5)
    second_way(w)
    s = w.qshd("", ns="b")
    c = Client(w, "10.99.0.2", "-o", "Migrate=no")
    c.ask()
    ip("a", "route", "add", "10.99.0.2/32", "via", "10.98.0.2", "dev", "q1", "src", "10.98.0.1")
    c.ask(1000)
    ip("a", "route", "del", "10.99.0.2/32")
    c.ask(1000)
    ip("a", "addr", "del", "10.99.0.1/24", "dev", "q0")
    ip("a", "route", "add", "10.99.0.2/32", "via", "10.98.0.2", "dev", "q1", "src", "10.98.0.1")
    c.says("is gone or does not answer")
    c.begin(1000)
    c.says("Nothing heard from 10.99.0.2 for 3 s")
    check("10.98.0.1" not in s.log(), "the server heard the other address:\n" + s.log())
    ip("a", "route", "del", "10.99.0.2/32")
    ip("a", "addr", "add", "10.99.0.1/24", "dev", "q0")
    c.ends(1000)
    c.ask(1000)
    check("10.98.0.1" not in s.log(), s.log())
    c.end()


@test
def a_bind_address_pins_the_path(w):
    people(w)
    w.link(delay=5)
    second_way(w)
    s = w.qshd("", ns="b")
    for pin in (["-b", "10.99.0.1"],):
        c = Client(w, "10.99.0.2", *pin)
        c.ask()
        ip("a", "addr", "del", "10.99.0.1/24", "dev", "q0")
        ip("a", "route", "add", "10.99.0.2/32", "via", "10.98.0.2", "dev", "q1", "src", "10.98.0.1")
        c.says("is gone or does not answer")
        c.begin(1000)
        c.says("Nothing heard from 10.99.0.2 for 3 s")
        check("10.98.0.1" not in s.log(), s.log())
        ip("a", "route", "del", "10.99.0.2/32")
        ip("a", "addr", "add", "10.99.0.1/24", "dev", "q0")
        c.ends(1000)
        c.end()


@test
def the_status_line(w):
    """Shown after silence with something unanswered, erased when the path is back; not without a terminal."""
    people(w)
    l = w.link(delay=5)
    w.qshd("", ns="b")
    t = w.terminal(w.alice, *opts(w), "alice@10.99.0.2", ns="a")
    t.expect(r"\$ ")
    l.set("down")
    t.send("echo waited-$((40+2))\n")
    m = t.expect(r"\x1b7\x1b\[\?6l\x1b\[1;1H[^q]*\x1b\[7mqsh: last contact \d+ s ago, ~\. to quit\x1b\[0m\x1b8")
    t.expect(r"last contact \d+ s ago")
    l.set("up")
    # Erased, and before anything of the shell's.
    t.expect(r"\x1b\[1;1H\x0f\x1b\(B\x1b\[0m\x1b\[2K\x1b\[0m\x1b8(?:(?!last contact).)*waited-42", timeout=30)
    t.send("~s")
    t.expect(r"last heard 0\.\d s ago")
    t.send("\rexit\r")
    equal(t.wait(), 0)
    check("last contact" not in t.text[t.pos:], t.text[t.pos:])


@test
def ending_a_session_that_is_not_answered(w):
    people(w)
    l = w.link(delay=5)
    w.qshd("", ns="b")
    t = w.terminal(w.alice, *opts(w), "alice@10.99.0.2", ns="a")
    t.expect(r"\$ ")
    l.set("down")
    t.send("x")
    t.expect(r"last contact \d+ s ago")
    t.send("\r~.")
    t.expect(r"\x1b\[2K\x1b\[0m\x1b8")
    t.expect(r"Connection to 10\.99\.0\.2 closed")
    equal(t.wait(), 255)
    check(t.restored(), "the terminal is as before")


@test
def silence_without_a_terminal_shows_nothing(w):
    people(w)
    l = w.link(delay=5)
    w.qshd("", ns="b")
    c = Client(w, "10.99.0.2")
    c.ask()
    l.set("down")
    c.begin(100)
    c.says("Nothing heard from 10.99.0.2 for 3 s")
    l.set("up")
    c.ends(100)
    c.says("10.99.0.2 is heard again")
    c.end()
    equal(c.p.stderr.read(), b"", "standard error")
