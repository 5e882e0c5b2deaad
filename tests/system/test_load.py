"""100 MB both ways over one connection, compared by checksum, while what lies beneath it changes."""
import re, signal, subprocess, time
from qshtest import *
from test_path import Echo, MB, net


def ip(ns, line):
    subprocess.run(["ip", "-n", ns] + line.split(), check=True)


def moved(s, to, timeout=60):
    s.logged(rf"Moved user alice from \S+ port \d+ to {re.escape(to)} port \d+", timeout)


def moves(s):
    return re.findall(r"Moved user alice from \S+ port \d+ to (\S+) port \d+", s.log())


def second_way(w):
    """A second pair of interfaces, q1: 10.98.0.1 and 10.98.0.2. The server's 10.99.0.2 is reached through it where the
    route says so, as through a VPN that comes and goes."""
    subprocess.run(["ip", "link", "add", "q1", "netns", "a", "type", "veth", "peer", "name", "q1", "netns", "b"], check=True)
    for ns, n in (("a", 1), ("b", 2)):
        subprocess.run(["ip", "netns", "exec", ns, "sh", "-c",
                        "for f in all default q0 q1; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done"], check=True)
        ip(ns, f"addr add 10.98.0.{n}/24 dev q1")
        ip(ns, "link set q1 up")


def is_up(ns, dev):
    """The kernel drops what is sent for up to a second after an interface was set up."""
    return " state UP " in subprocess.run(["ip", "-n", ns, "-o", "link", "show", dev], capture_output=True, text=True, check=True).stdout


class Load(Echo):
    """An Echo to a name, whose addresses /etc/hosts has."""

    def __init__(self, w, size, *args):
        w.know(w.alice, "10.99.0.2", "server")
        super().__init__(w, size, *args, "-o", "HostName=server")


@test
def from_one_family_to_the_other(w):
    """IPv6 goes while both ways are full, comes back, and IPv4 goes; three times."""
    s = net(w, delay=2, rate=100_000_000)
    write("/etc/hosts", "127.0.0.1 localhost\n10.99.0.2 server\nfd99::2 server\n")
    e = Load(w, 100 * MB)
    for i in range(3):
        e.until((2 * i + 1) / 8)
        ip("a", "addr del fd99::1/64 dev q0")
        wait(lambda: moves(s)[2 * i:] == ["10.99.0.1"], "the move to IPv4")
        e.until((2 * i + 2) / 8)
        ip("a", "addr add fd99::1/64 dev q0 nodad")
        ip("a", "addr del 10.99.0.1/24 dev q0")
        wait(lambda: moves(s)[2 * i + 1:] == ["fd99::1"], "the move to IPv6")
        ip("a", "addr add 10.99.0.1/24 dev q0")
    e.end()


@test
def twenty_moves_of_which_most_are_not_answered(w):
    s = net(w, delay=2, rate=100_000_000)
    e = Echo(w, 100 * MB)
    e.until(0.05)
    last = 1
    for i in range(20):
        answered = i % 5 == 4
        w.l.set("up" if answered else "down")
        before = len(w.l.trace())
        ip("a", f"addr add 10.99.0.{40 + i}/24 dev q0")
        ip("a", f"addr del 10.99.0.{last}/24 dev q0")
        ip("a", f"addr replace 10.99.0.{40 + i}/24 dev q0")       # it may have gone with the one before it
        last = 40 + i
        wait(lambda: any(t[1] == "a" and t[3] == 17 for t in w.l.trace()[before:]), "the client to send by its new address")
        if answered:
            moved(s, f"10.99.0.{last}")
            e.until((i + 1) / 25)
    e.end()


@test
def the_server_is_restarted(w):
    """SIGTERM and start with both ways full; what moves afterwards finds its way through the new listener."""
    conf = "LogLevel DEBUG1\n"
    s = first = net(w, conf, delay=2, rate=100_000_000)    # the processes of the connection keep their log
    w.l.set("nat 10.99.1.1")
    e = Echo(w, 100 * MB)
    for i in range(3):
        e.until((i + 1) / 6)
        s.stop()
        s = w.qshd(conf, ns="b")
        s.logged("took over the connection")
        w.l.set(f"nat 10.99.1.{i + 2}")
        moved(first, f"10.99.1.{i + 2}")
    e.end()


@test
def the_server_changes_its_address(w):
    """The name is looked up again, and the transfer goes on at the new address."""
    s = net(w, delay=2, rate=100_000_000)
    for i in (7, 8):
        ip("b", f"addr add 10.99.0.{i}/32 dev q0")
    write("/etc/hosts", "127.0.0.1 localhost\n10.99.0.2 server\n")
    e = Load(w, 100 * MB)
    ip("b", "route add 10.99.0.1/32 dev q0")
    for i, (old, new) in enumerate((("2/24", "7"), ("7/32", "8"))):
        e.until((i + 1) / 4)
        ip("b", f"addr del 10.99.0.{old} dev q0")
        write("/etc/hosts", f"127.0.0.1 localhost\n10.99.0.{new} server\n")
    e.end()


@test
def a_vpn_comes_and_goes(w):
    """The route goes through another interface; later that interface is taken down."""
    s = net(w, delay=2, rate=40_000_000)      # time enough for a second try, 5 s after a first one that was not answered
    second_way(w)
    e = Echo(w, 100 * MB)
    for i in range(3):
        e.until((2 * i + 1) / 8)
        wait(lambda: all(is_up(ns, "q1") for ns in "ab"), "both ends to carry packets")
        ip("a", "route add 10.99.0.2/32 via 10.98.0.2 dev q1 src 10.98.0.1")
        wait(lambda: moves(s)[2 * i:] == ["10.98.0.1"], "the move into it")
        e.until((2 * i + 2) / 8)
        ip("a", "link set q1 down")
        wait(lambda: moves(s)[2 * i + 1:] == ["10.99.0.1"], "the move out of it")
        ip("a", "link set q1 up")
    e.end()


@test
def a_laptop_that_sleeps(w):
    """The client is stopped with both ways full; meanwhile the address translator forgets it."""
    s = net(w, delay=2, rate=100_000_000)
    w.l.set("nat 10.99.1.1")
    e = Echo(w, 100 * MB)
    for i in range(2):
        e.until((i + 1) / 4)
        e.p.send_signal(signal.SIGSTOP)
        time.sleep(5)                                # the sleep itself
        w.l.set(f"nat 10.99.1.{i + 2}")
        have = e.came()
        e.p.send_signal(signal.SIGCONT)
        e.until((have + MB) / e.size)
    e.end()
