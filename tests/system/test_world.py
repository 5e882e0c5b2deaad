"""The tests' own ground: a private world, and a link that does what it is told."""
import os, subprocess, sys
from qshtest import *


@test
def the_world_is_private(w):
    u = w.add_user("alice")
    check(os.path.exists(u.key), "a key was made")
    equal(subprocess.run(["id", "-un", "alice"], capture_output=True, text=True).stdout, "alice\n", "id")
    check(sorted(os.listdir("/run/home")) == ["alice", "root"], "nobody else lives here")


@test
def the_link_delays_and_drops(w):
    l = w.link(delay=30)
    code = ("import socket,time,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(float(sys.argv[1]))\n"
            "t=time.monotonic()\ns.sendto(b'x',('10.99.0.2',7))\ntry:\n s.recv(10)\n print(time.monotonic()-t)\nexcept TimeoutError:\n print('lost')\n")
    echo = ("import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('10.99.0.2',7))\nprint('up',flush=True)\n"
            "while True:\n b,a=s.recvfrom(10)\n s.sendto(b,a)\n")
    srv = subprocess.Popen(["ip", "netns", "exec", "b", sys.executable, "-c", echo], stdout=subprocess.PIPE)
    srv.stdout.readline()

    def rtt(timeout):
        return subprocess.run(["ip", "netns", "exec", "a", sys.executable, "-c", code, str(timeout)],
                              capture_output=True, text=True).stdout.strip()
    tries = [float(rtt(5)) for _ in range(5)]
    check(min(tries) >= 0.06, f"a round trip that is too short: {tries}")
    check(min(tries) < 0.5, f"round trips {tries}")
    l.set("down a")
    equal(rtt(0.3), "lost", "link down")
    l.set("up")
    l.set("nat 10.99.0.77")
    subprocess.run(["ip", "-n", "b", "route", "add", "10.99.0.77/32", "dev", "q0"], check=True)
    check(float(rtt(5)) >= 0.06, "through NAT")
    check(any(p[1] == "a" and p[3] == 17 and p[5] == 7 for p in l.trace()), "the trace has the packets")
