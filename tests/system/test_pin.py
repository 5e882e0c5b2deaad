"""Connections that may not leave an address or an interface: -b, -B, Migrate no. What must not leave anywhere else is
counted there: nothing of it may be sent, whatever the routes say."""
import subprocess, sys
from qshtest import *
from test_roam import Client, ip, opts, people, second_way

DETOUR = "10.98.0.2"


class Wire:
    """UDP datagrams with port 22 at either end that one interface of namespace "a" has sent."""

    PROGRAM = r"""
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.bind((sys.argv[1], 3))
print("ready", flush=True)
while True:
    p, at = s.recvfrom(65535)
    v = p[0] >> 4
    udp = p[(p[0] & 15) * 4:] if v == 4 and p[9] == 17 else p[40:] if v == 6 and p[6] == 17 else b""
    if at[2] == 4 and len(udp) >= 8 and 22 in struct.unpack("!HH", udp[:4]):
        print("sent", socket.inet_ntop(socket.AF_INET if v == 4 else socket.AF_INET6, p[12:16] if v == 4 else p[8:24]), flush=True)
"""

    def __init__(self, w, dev):
        self.path = f"{w.dir}/wire-{dev}"
        write(self.path, "")
        self.p = subprocess.Popen(["ip", "netns", "exec", "a", sys.executable, "-c", self.PROGRAM, dev], stdout=open(self.path, "wb"))
        wait(lambda: "ready" in read(self.path), "the packet counter")

    def sent(self):
        return read(self.path).split("sent ")[1:]


def silent(c):
    c.says("Nothing heard from .* for 3 s")


@test
def an_interface_that_gets_another_address(w):
    """-B q0: the session goes on from the new address, and while there is none it does not borrow another interface's."""
    people(w)
    w.link(delay=5)
    second_way(w)
    s = w.qshd("", ns="b")
    wire = Wire(w, "q1")
    c = Client(w, "10.99.0.2", "-B", "q0")
    c.ask()
    ip("a", "addr", "flush", "dev", "q0", "scope", "global")
    ip("a", "route", "add", "10.99.0.2/32", "dev", "q0", "scope", "link")   # a way out, but no address to go by
    ip("a", "route", "add", "10.99.0.0/24", "via", DETOUR, "dev", "q1")
    c.begin(1000)
    silent(c)
    check("10.98.0.1" not in s.log(), "the server heard another interface's address:\n" + s.log())
    ip("a", "route", "del", "10.99.0.2/32", "dev", "q0")
    ip("a", "addr", "add", "10.99.0.11/24", "dev", "q0")
    c.ends(1000)
    c.ask(100_000)
    c.says(r"moved from .* to 10\.99\.0\.11 port")
    s.logged(r"Moved user alice from .* to 10\.99\.0\.11 port")
    c.end()
    equal(wire.sent(), [], "sent through the other interface")


@test
def an_interface_without_an_address_borrows_none(w):
    people(w)
    w.link(delay=5)
    second_way(w)
    s = w.qshd("", ns="b")
    ip("a", "addr", "flush", "dev", "q0", "scope", "global")
    ip("a", "route", "add", "10.99.0.2/32", "dev", "q0", "scope", "link")
    p = w.qsh(w.alice, *opts(w), "-B", "q0", "alice@10.99.0.2", "echo in", ns="a")
    equal((p.returncode, p.out), (255, ""), p.err)
    contains(p.err, "cannot send through q0: Cannot assign requested address")
    check("10.98.0.1" not in s.log(), s.log())


@test
def a_bind_address_that_vanishes(w):
    """-b: with the address gone nothing is sent at all, in either family, though a route leads there."""
    for family, server, mine, detour in (("-4", "10.99.0.2", "10.99.0.1/24", "10.98.0.2"), ("-6", "fd99::2", "fd99::1/64", "fd98::2")):
        if family == "-4":
            people(w)
            w.link(delay=5)
            second_way(w)
            for ns, n in (("a", 1), ("b", 2)):
                ip(ns, "addr", "add", f"fd98::{n}/64", "dev", "q1", "nodad")
            s = w.qshd("", ns="b")
            wire = Wire(w, "q1")
        c = Client(w, server, "-b", mine.split("/")[0])
        c.ask()
        ip("a", "addr", "del", mine, "dev", "q0")   # first: as long as it is there, it may go where the route leads
        ip("a", family, "route", "add", server, "via", detour, "dev", "q1", "metric", "4000")
        c.says("is gone or does not answer")
        c.begin(1000)
        silent(c)
        equal(wire.sent(), [], f"sent through the other interface with {family}")
        ip("a", family, "route", "del", server, "via", detour)
        ip("a", "addr", "add", mine, "dev", "q0", *(["nodad"] if family == "-6" else []))
        c.ends(1000)
        c.end()
    check("10.98.0.1" not in s.log() and "fd98" not in s.log(), s.log())


def vpn(w):
    """The session goes through q1, the VPN; q0 is the network beneath, by which the server can be reached too."""
    people(w)
    w.link(delay=5)
    second_way(w)
    w.s = w.qshd("", ns="b")
    return Wire(w, "q0")


@test
def a_vpn_interface_that_is_deleted(w):
    """Migrate no: nothing of the session is sent elsewhere, and the user is told so in a line when he ends it."""
    wire = vpn(w)
    t = w.terminal(w.alice, *opts(w, "-o", "Migrate=no"), f"alice@{DETOUR}", ns="a")
    t.expect(r"\$ ")
    equal(wire.sent(), [], "before")
    ip("a", "route", "add", DETOUR, "dev", "q0", "metric", "4000")
    ip("a", "link", "del", "q1")
    t.send("x")
    t.expect(r"last contact \d+ s ago")
    t.send("\r~.")
    t.expect(r"Connection to 10\.98\.0\.2 closed")
    t.expect(r"qsh: the path from 10\.98\.0\.1 does not answer, and Migrate no kept the session from taking another")
    equal(t.wait(), 255)
    equal(wire.sent(), [], "sent through the network beneath")
    check("10.99.0.1" not in w.s.log(), w.s.log())


@test
def a_vpn_interface_that_goes_down(w):
    """Its address stays, and the route of the network beneath takes packets from it: they must not be sent. It comes back,
    and the session goes on. Without a terminal the user is told at once only of an address that is gone."""
    wire = vpn(w)
    c = Client(w, DETOUR, "-o", "Migrate=no")
    c.ask()
    ip("a", "route", "add", DETOUR, "dev", "q0", "metric", "4000")
    ip("a", "link", "set", "q1", "down")
    c.begin(1000)
    silent(c)
    equal(wire.sent(), [], "sent through the network beneath")
    ip("a", "link", "set", "q1", "up")
    c.ends(1000)
    ip("a", "addr", "del", "10.98.0.1/24", "dev", "q1")
    c.says(r"qsh: 10\.98\.0\.1 is gone, and Migrate no keeps the session to 10\.98\.0\.2 from going on over another network")
    c.begin(1000)
    ip("a", "addr", "add", "10.98.0.1/24", "dev", "q1")
    c.ends(1000)
    c.end()
    equal(wire.sent(), [], "sent through the network beneath")
    check("10.99.0.1" not in w.s.log(), w.s.log())
