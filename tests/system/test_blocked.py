"""Networks that do not let UDP through: a login by TCP all the same, and back on UDP with the next connection."""
import os, socket, subprocess, threading
from qshtest import *

TCP = "TcpListenAddress 0.0.0.0:8022\n"


def blocked(w, udp, conf=TCP, **settings):
    """A server in b, alice in a, a link between them whose firewall does this with UDP."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    w.l = w.link(**settings)
    w.l.set("udp " + udp)
    w.opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", "-o", "TcpPort=8022"]
    return w.qshd(conf, ns="b") if conf is not None else None


def login(w, *args, **kw):
    p = w.qsh(w.alice, "-v", *w.opts, *args, "alice@10.99.0.2", "echo $SSH_CONNECTION", ns="a", **kw)
    equal(p.returncode, 0, p.err)
    return p


def on_tcp(p):
    check(p.out.strip().endswith(" 10.99.0.2 8022"), p.out)
    contains(p.err, "over TCP")


def on_udp(p):
    check(p.out.strip().endswith(" 10.99.0.2 22"), p.out)
    contains(p.err, "over UDP")


def by_firewall(w, what):
    s = blocked(w, what)
    on_tcp(login(w))
    s.logged(r"Accepted publickey for alice from 10\.99\.0\.1 port \d+")
    w.l.set("udp pass")     # and back on UDP with the next connection
    on_udp(login(w))


@test
def udp_dropped_by_a_firewall(w):
    by_firewall(w, "drop")


@test
def udp_refused_by_a_firewall(w):
    by_firewall(w, "refuse")


@test
def udp_prohibited_by_a_firewall(w):
    by_firewall(w, "prohibit")


@test
def udp_wins_where_both_work(w):
    blocked(w, "pass", delay=20)
    p = login(w)
    on_udp(p)
    check("by TCP" not in p.err, p.err)     # it answered before TCP was to be tried


@test
def slow_udp_and_tcp_one_of_them_is_used(w):
    """A round trip longer than TCP's delay: both are tried, one login is made and one session runs."""
    s = blocked(w, "pass", delay=250)
    p = login(w)
    contains(p.err, "by TCP")
    equal(len(p.out.strip().split("\n")), 1, p.out)
    s.logged(r"Accepted publickey for alice")
    equal(s.log().count("Accepted publickey for alice"), 1, s.log())


@test
def udp_that_ends_after_the_login(w):
    """What is open waits for the path, which may come back; what is new goes by TCP."""
    s = blocked(w, "pass")
    p = w.spawn(w.alice, *w.opts, "alice@10.99.0.2", "echo up; read x; echo got $x; exit 6", ns="a")
    equal(p.stdout.readline(), b"up\n")
    w.l.set("udp drop")
    p.stdin.write(b"key\n")
    p.stdin.flush()
    on_tcp(login(w))
    check(p.poll() is None, "the connection on UDP waits")
    w.l.set("udp pass")
    out, err = p.communicate(timeout=60 * SLOW)
    equal((p.returncode, out), (6, b"got key\n"), err)


def one_line(w, p, *words):
    equal(p.returncode, 255, p.err)
    equal(len(p.err.strip().split("\n")), 1, p.err)
    for x in words:
        contains(p.err, x)


def fails(w, *words, **kw):
    p = w.qsh(w.alice, *w.opts, "-o", "ConnectTimeout=3", "alice@10.99.0.2", "true", ns="a", **kw)
    one_line(w, p, *words)


@test
def udp_that_ends_in_the_handshake(w):
    """The server's first packet passes and nothing after it: no answer is given up for one that never comes."""
    blocked(w, "pass")
    w.l.set("udp first 1")
    fails(w, "Timeout, server 10.99.0.2 not responding")


@test
def tcp_refused_too(w):
    blocked(w, "refuse", conf="")
    fails(w, "connect to host 10.99.0.2 port", "Connection refused")


@test
def neither_answers(w):
    blocked(w, "drop", conf="")
    fails(w, "connect to host 10.99.0.2 port", "refused")    # TCP's answer tells more than silence


class In:
    """A TCP server in namespace b that runs answer(connection) for each client, in Python of its own."""

    def __init__(self, w, answer):
        self.p = subprocess.Popen(["ip", "netns", "exec", "b", "python3", "-c",
                                   "import socket\ns = socket.create_server(('', 8022))\nprint('ready', flush=True)\n"
                                   f"while True:\n    c, _ = s.accept()\n    {answer}\n"], stdout=subprocess.PIPE)
        equal(self.p.stdout.readline(), b"ready\n")

    def close(self):
        self.p.kill()
        self.p.wait()


@test
def strangers_on_the_tcp_port(w):
    blocked(w, "drop", conf=None)
    for answer, words in (("c.sendall(b'SSH-2.0-OpenSSH_9.2p1\\r\\n'); c.recv(9999)", "what answers there is an SSH server, not qshd"),
                          ("c.recv(9999); c.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n'); c.recv(9999)", "what answers there is a web server, not qshd"),
                          ("keep = globals().setdefault('keep', []); keep.append(c)", "timed out"),
                          ("c.recv(9999); c.close()", "was closed before anything came")):
        srv = In(w, answer)
        try:
            fails(w, "connect to host 10.99.0.2 port", words)
        finally:
            srv.close()
