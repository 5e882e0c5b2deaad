"""A client that moves: between addresses, interfaces and families, with real programs in namespaces."""
import hashlib, json, os, re, subprocess
from qshtest import *


def ip(ns, *words):
    subprocess.run(["ip", "-n", ns, *words], check=True)


def people(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2", "10.98.0.2", "fd99::2", "server")


def opts(w, *more):
    return ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", *more]


class Client:
    """qsh -v with a command that answers lines; its log is followed."""

    def __init__(self, w, host, *more, command="while read -r n; do head -c $n /dev/zero | tr '\\0' x; echo; done", ns="a"):
        self.log = f"{w.dir}/client-{host}-{len(more)}.log"
        write(self.log, "")
        self.p = w.spawn(w.alice, *opts(w, *more), "-v", "-E", self.log, f"alice@{host}", command, ns=ns)

    def ask(self, n=100):
        self.p.stdin.write(b"%d\n" % n)
        self.p.stdin.flush()
        equal(len(self.p.stdout.readline()), n + 1, "the answer; the client says:\n" + read(self.log))

    def says(self, pattern, timeout=30):
        return wait(lambda: re.search(pattern, read(self.log)), f"{pattern!r} in qsh's log:\n{read(self.log)}", timeout)

    def moves(self):
        return len(re.findall("The connection moved", read(self.log)))

    def end(self):
        self.p.stdin.close()
        equal(self.p.wait(30 * SLOW), 0, read(self.log))


@test
def the_interface_gets_another_address(w):
    people(w)
    w.link(delay=5)
    w.qshd("", ns="b")
    c = Client(w, "10.99.0.2")
    c.ask()
    for i in (11, 12, 13):
        ip("a", "addr", "flush", "dev", "q0", "scope", "global")
        ip("a", "addr", "add", f"10.99.0.{i}/24", "dev", "q0")
        c.ask(200_000)
        c.says(rf"moved from .* to 10\.99\.0\.{i} port")
    c.end()
