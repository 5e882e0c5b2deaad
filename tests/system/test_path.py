"""Paths that change and fail under a transfer: no byte is lost or doubled, and it goes on once the path is back."""
import hashlib, os, subprocess, time
from qshtest import *

MB = 1_000_000


def net(w, conf="", **settings):
    """A server in b, alice in a with what she needs to log in, a link between them."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    w.l = w.link(**settings)
    subprocess.run(["ip", "-n", "b", "route", "add", "10.99.1.0/24", "dev", "q0"], check=True)
    w.opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    return w.qshd(conf, ns="b")


class Echo:
    """Data through `qsh HOST cat`: both ways over one connection, all of it compared."""

    def __init__(self, w, size, *args):
        self.size = size
        data = os.urandom(1 << 20) * (size // (1 << 20) + 1)
        self.path, self.out = w.dir + "/echo-in", w.dir + "/echo-out"
        with open(self.path, "wb") as f:
            # Blocks that differ, so that one in another's place is noticed.
            for i in range(0, size, 4096):
                f.write(i.to_bytes(8, "big") + data[i + 8:min(i + 4096, size)])
        self.p = w.spawn(w.alice, *w.opts, *args, "alice@10.99.0.2", "cat", ns="a", stdin=open(self.path, "rb"), stdout=open(self.out, "wb"))

    def came(self):
        return os.path.getsize(self.out)

    def until(self, part, timeout=60):
        wait(lambda: self.p.poll() is not None or self.came() >= part * self.size, f"{part} of the data, have {self.came()}", timeout)
        check(self.p.poll() is None, f"the client has ended at {self.came()} of {self.size}")

    def end(self, timeout=120):
        try:
            self.p.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"stuck at {self.came()} of {self.size}")
        equal((self.p.returncode, self.p.stderr.read()), (0, b""))
        digest = [hashlib.file_digest(open(f, "rb"), "sha256").hexdigest() for f in (self.path, self.out)]
        equal(self.came(), self.size, "bytes")
        equal(digest[1], digest[0], "checksum")


@test
def rebinding_under_load(w):
    """The address translator forgets its bindings again and again while both ways are full."""
    s = net(w, delay=2)
    w.l.set("nat 10.99.1.1")
    e = Echo(w, 100 * MB)
    for i in range(2, 10):
        e.until(i / 11)
        w.l.set(f"nat 10.99.1.{i}")
        s.logged(rf"Moved user alice from 10\.99\.1\.{i - 1} port \d+ to 10\.99\.1\.{i} port \d+")
    e.end()


@test
def disorder(w):
    """One packet in ten is late, one in ten comes twice."""
    net(w, delay=2, reorder=0.1, dup=0.1)
    Echo(w, 100 * MB).end()


@test
def one_packet_in_a_hundred_is_lost(w):
    net(w, delay=1, loss=0.01)
    Echo(w, 40 * MB).end()


@test
def a_black_hole_in_the_middle(w):
    """Both ways come to take 1280 bytes only, while larger packets fly; nobody says so. Then they take more again."""
    net(w, delay=2)
    e = Echo(w, 100 * MB)
    e.until(0.3)
    large = [t[1] for t in w.l.trace() if t[2] > 1400]
    check("a" in large and "b" in large, "the path's size was found")
    w.l.set("mtu 1280")
    e.until(0.7)
    w.l.set("mtu 0")
    e.end()


@test
def the_link_is_down_for_a_minute(w):
    """A full window is unanswered both ways. Both ends try again, at least once in an eighth of the silence."""
    net(w, delay=2)
    e = Echo(w, 100 * MB)
    e.until(0.3)
    w.l.set("down")
    time.sleep(60)                                   # the outage itself
    have = e.came()
    check(have < e.size, "data was under way")
    w.l.set("up")
    start = time.monotonic()
    wait(lambda: e.came() > have, "data to flow again", 40)
    took = time.monotonic() - start
    check(took < 2 * 60 / 8 + 5 * SLOW, f"data flowed only {took:.1f} s after the path was back")
    e.end()
