"""The link itself: is it fast and precise enough to measure on?"""
import shutil, subprocess, sys, time

from lab import LINK, SERVER, Failed, percentile
from rows import ROWS, Result, row

ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7))
while True:
    b, a = s.recvfrom(2048); s.sendto(b, a)
"""
ASK = f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("{LINK}", 7)); s.settimeout(2)
for i in range(100):
    t = time.perf_counter(); s.send(b"x" * 64); s.recv(2048); print((time.perf_counter() - t) * 1000); time.sleep(0.003)
"""


def ping(lab):
    p = lab.popen([sys.executable, "-c", ASK], user=None, stdout=subprocess.PIPE)
    out, err = p.p.communicate(timeout=60)
    if p.p.returncode != 0:
        raise Failed("link: " + err.decode()[-300:])
    return [float(v) for v in out.split()]


def iperf(lab, seconds, *more):
    """Mbit/s of TCP from client to server."""
    s = lab.popen(["iperf3", "-s", "-1"], ns=SERVER, user=None)
    try:
        lab.answers_soon(5201)
        p = lab.popen(["iperf3", "-c", LINK, "-t", str(seconds), "-f", "m", *more], user=None, stdout=subprocess.PIPE)
        out, _ = p.p.communicate(timeout=seconds + 20)
        for line in out.decode().splitlines():
            if line.rstrip().endswith("receiver"):
                return float(line.split()[6])
        raise Failed("iperf3: no result")
    finally:
        s.kill()


@row("link")
def link(lab, runs, quick):
    """Rate of TCP through the emulator without a limit and with one, and how late packets are."""
    e = lab.popen([sys.executable, "-c", ECHO], ns=SERVER, user=None)
    out, samples, errors = [], {}, []
    try:
        lab.link()
        time.sleep(0.3)
        for title, delay in (("no delay", 0), ("50 ms", 25)):
            lab.link(delay=delay)
            samples[title] = ping(lab)
    finally:
        e.kill()
    for title, v in samples.items():
        out.append(Result(f"the link itself, round trip of a small packet, {title}: p50, p99", "ms",
                          {"p50": [percentile(v, 50)], "p99": [percentile(v, 99)]}))
    if shutil.which("iperf3"):
        s = {"no limit": [], "500 Mbit/s": []}
        for _ in range(2):
            lab.link()
            s["no limit"].append(iperf(lab, 2))
            lab.link(rate=500000000, queue=1000000)
            s["500 Mbit/s"].append(iperf(lab, 2))
        out.append(Result("the link itself, TCP (iperf3)", "Mbit/s", s, bigger=True))
    return out


# It says how far the rest can be trusted, so it comes first.
ROWS.insert(0, ROWS.pop())
