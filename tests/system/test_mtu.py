"""How large packets become, and that nothing is lost where a path comes to take less."""
import os, re, subprocess
from qshtest import *
from test_path import Echo, MB, net


def interface(mtu, *sides):
    for ns in sides or "ab":
        subprocess.run(["ip", "-n", ns, "link", "set", "q0", "mtu", str(mtu)], check=True)


def packets(w, since=0):
    """IP lengths of UDP packets so far from either side, after so many packets in all, and how many there are now."""
    trace = w.l.trace()
    return [[t[2] for t in trace[since:] if t[1] == side and t[3] == 17] for side in "ab"], len(trace)


def until_size(w, e, size, since=0):
    """Both ends send packets as large as fit size, or ten bytes less."""
    def there():
        check(e.p.poll() is None, f"the client has ended at {e.came()} of {e.size}")
        return all(any(size - 10 <= n <= size for n in side) for side in packets(w, since)[0])
    wait(there, f"packets of {size} bytes both ways", 40)


def mostly(w, size, since):
    """More than half of what was sent meanwhile was in packets of that size."""
    for side in packets(w, since)[0]:
        part = sum(n for n in side if size - 10 <= n <= size) / sum(side)
        check(part > 0.5, f"{part:.2f} of the bytes went in packets of {size}")


class Slow(Echo):
    """The same, of which the rest comes when it is told: so it is still under way when something has been waited for."""

    def __init__(self, w, size, *args, to="10.99.0.2"):
        self.size, self.path, self.out = size, w.dir + "/echo-in", w.dir + "/echo-out"
        write(self.path, os.urandom(1 << 20) * (size // (1 << 20) + 1), mode=0o644)
        os.truncate(self.path, size)
        self.p = w.spawn(w.alice, *w.opts, *args, f"alice@{to}", "cat", ns="a", stdin=subprocess.PIPE, stdout=open(self.out, "wb"))
        self.given = 0

    def give(self, n):
        """Writes the next n bytes; they have all come back then."""
        with open(self.path, "rb") as f:
            f.seek(self.given)
            data = f.read(n)
        self.p.stdin.write(data)
        self.p.stdin.flush()
        self.given += len(data)
        wait(lambda: self.p.poll() is not None or self.came() >= self.given, f"{self.given} bytes, have {self.came()}", 60)
        check(self.p.poll() is None, f"the client has ended at {self.came()} of {self.size}")

    def last(self):
        self.give(self.size - self.given)
        self.p.stdin.close()
        self.p.stdin = None
        self.end()


@test
def jumbo_frames(w):
    """Packets grow to what the interface takes, both ways."""
    net(w, delay=1)
    interface(9000)
    e = Slow(w, 40 * MB)
    e.give(5 * MB)
    until_size(w, e, 9000)
    have = packets(w)[1]
    e.last()
    mostly(w, 9000, have)


@test
def jumbo_frames_end_at_a_router(w):
    """The interfaces take more than what is between them, which says nothing."""
    net(w, delay=1, mtu=1500)
    interface(9000)
    e = Slow(w, 20 * MB)
    e.give(5 * MB)
    until_size(w, e, 1500)
    e.last()


@test
def a_tunnel_that_swallows_what_it_has_no_room_for(w):
    net(w, delay=1, mtu=1400)
    e = Slow(w, 20 * MB)
    e.give(5 * MB)
    until_size(w, e, 1400)
    e.last()


@test
def the_smallest_ipv6_link(w):
    """Interfaces of 1280 bytes, IPv6."""
    net(w, delay=1)
    w.know(w.alice, "fd99::2")
    interface(1280)
    e = Slow(w, 20 * MB, to="fd99::2")
    e.give(5 * MB)
    until_size(w, e, 1280)
    e.last()


@test
def a_jumbo_black_hole(w):
    """Large packets vanish under a transfer: Ethernet's size goes on, then the smallest; all of it arrives."""
    net(w, delay=1)
    interface(9000)
    e = Slow(w, 60 * MB)
    e.give(10 * MB)
    until_size(w, e, 9000)
    for size in (1500, 1280):
        w.l.set(f"mtu {size}")
        e.give(10 * MB)
    w.l.set("mtu 0")
    e.last()


@test
def moves_under_jumbo_frames(w):
    """The address translator forgets its bindings while large packets fly, and the path takes less after one of the moves."""
    s = net(w, delay=1)
    interface(9000)
    w.l.set("nat 10.99.1.1")
    e = Slow(w, 60 * MB)
    e.give(10 * MB)
    until_size(w, e, 9000)
    for i, mtu in enumerate((0, 1500, 0), 2):
        w.l.set(f"mtu {mtu}")
        w.l.set(f"nat 10.99.1.{i}")
        e.give(10 * MB)
        s.logged(rf"Moved user alice from 10\.99\.1\.{i - 1} port \d+ to 10\.99\.1\.{i} port \d+")
    e.last()


@test
def an_interface_that_takes_less_for_a_while(w):
    """The administrator changes it at one end, then at the other, under a transfer: sending fails at once there
    (EMSGSIZE). After ten seconds more is tried again."""
    net(w, delay=1)
    interface(9000)
    e = Slow(w, 80 * MB)
    e.give(10 * MB)
    until_size(w, e, 9000)
    for ns in "ab":
        interface(1280, ns)
        e.give(5 * MB)
    interface(9000)
    have = packets(w)[1]

    def larger():
        e.give(10_000)
        return all(any(n > 1400 for n in side) for side in packets(w, have)[0])
    wait(larger, "larger packets again", 60)
    e.last()


@test
def loopback_takes_64_kib(w):
    """One packet holds what the interface does, as the statistics say."""
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("head -c 3000000 /dev/zero | tr '\\0' x | fold -w 70; echo do''ne\n")
    t.expect("done\r\n", 60)
    def size():
        t.send("\n~s")
        return int(t.expect(r"(\d+) bytes a packet").group(1))
    t.send("\n")
    wait(lambda: size() == 65507, "packets of 64 KiB", 30)
    t.send("\nexit\n")
    t.wait()
