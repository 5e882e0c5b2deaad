"""Connecting, and bulk data in one stream."""
import os, shutil, subprocess

import qshtest
from lab import CLIENT, LINK, LOOP, SERVER, VETH, Failed
from rows import Result, at_most, interleave, row, times

MBIT = 1000000
GB = 1000                                   # in units of 10^6 bytes


@row("connect")
def connect(lab, runs, quick):
    out = []
    for title, delay, budget in (("`HOST true`, no delay", 0, 40), ("`HOST true`, 50 ms RTT", 25, 130)):
        lab.link(delay=delay)
        s, e = interleave({k: lambda k=k: lab.run([*lab.client(k, LINK), "true"]) * 1000 for k in ("ssh", "qsh")}, runs)
        out.append(Result(title, "ms", s, "40 ms" if delay == 0 else "2 RTT + 30 ms", at_most(budget), errors=e))
    return out


def cpu_of(lab, fn):
    """(what fn returns, CPU seconds of both ends meanwhile, or None)."""
    before = lab.client_cpu.seconds(), lab.server_cpu.seconds()
    v = fn()
    after = lab.client_cpu.seconds(), lab.server_cpu.seconds()
    return v, None if None in before + after else sum(after) - sum(before)


def throughput(lab, runs, host, title, size, budget="", met=None, cpu=False):
    """Rate and CPU time of one stream down and up, the login's share taken off."""
    ns = SERVER if host == LOOP else CLIENT
    peers = ["ssh", "ngtcp2", "qsh"] if shutil.which("gtlsserver") else ["ssh", "qsh"]
    login = {}
    for k in ("ssh", "qsh"):
        s, _ = interleave({k: lambda: cpu_of(lab, lambda: lab.run([*lab.client(k, host), "true"], ns=ns))}, 3)
        if s[k]:
            login[k] = min(t for t, _ in s[k]), min(c or 0 for _, c in s[k])
    out, burnt = [], {}
    for way in ("down", "up"):
        spent = {k: [] for k in peers}

        def once(k, way=way, spent=spent):
            took, used = cpu_of(lab, lambda: lab.copy(k, host, size, up=way == "up", ns=ns))
            base = login.get(k, (0, 0))
            if used is not None:
                spent[k].append((used - base[1]) * GB / size)
            return size / max(took - base[0], 1e-3)
        s, e = interleave({k: lambda k=k: once(k) for k in peers}, runs)
        out.append(Result(f"{title}, {way}", "MB/s", s, budget, met, bigger=True, errors=e))
        burnt[way] = spent
    if cpu:
        out += [Result(f"CPU time a gigabyte, both ends, {title}, {way}", "s/GB", v) for way, v in burnt.items() if any(v.values())]
    return out


@row("veth")
def veth(lab, runs, quick):
    return throughput(lab, runs, VETH, "one stream, clean veth, MTU 1500", 300 if quick else 600, "1.5 x ssh", times(1.5), cpu=True)


@row("jumbo")
def jumbo(lab, runs, quick):
    """As veth, with frames of 9,000 bytes."""
    lab.veth_mtu(9000)
    try:
        return throughput(lab, runs, VETH, "one stream, clean veth, MTU 9000", 300 if quick else 600, cpu=True)
    finally:
        lab.veth_mtu(1500)


@row("loopback")
def loopback(lab, runs, quick):
    return throughput(lab, runs, LOOP, "one stream, loopback", 300 if quick else 600)


LONG = (
    ("loss", "30 MB, 50 ms RTT, 200 Mbit/s, 1 % loss", dict(delay=25, rate=200 * MBIT, queue=1250000, loss=0.01), 1.9),
    ("long", "30 MB, 150 ms RTT, 500 Mbit/s", dict(delay=75, rate=500 * MBIT, queue=9375000), 2.3),
)


def far(lab, runs, title, settings, budget):
    out = []
    for way in ("down", "up"):
        lab.link(**settings)
        s, e = interleave({k: lambda k=k: lab.copy(k, LINK, 30, up=way == "up", timeout=30) for k in ("ssh", "qsh")}, runs, warm=0)
        out.append(Result(f"{title}, {way}", "s", s, f"{budget} s", at_most(budget), errors=e))
    return out


for name, title, settings, budget in LONG:
    row(name)(lambda lab, runs, quick, a=(title, settings, budget): far(lab, runs, *a))


@row("rsync")
def rsync(lab, runs, quick):
    """A tree of small files through rsync: round trips and pipelining, no budget of its own."""
    if not shutil.which("rsync"):
        return []
    src = lab.files + "/tree"
    for i in range(2000):
        qshtest.write(f"{src}/{i // 100}/{i}", os.urandom(4096))
    lab.link(delay=25)

    def once(peer):
        subprocess.run(["rm", "-rf", lab.files + "/copy"], check=True)
        argv = lab.client(peer, LINK)
        took = lab.run(["rsync", "-a", "-e", " ".join(argv[:-1]), src + "/", f"alice@{LINK}:{lab.files}/copy/"], timeout=60)
        if len(os.listdir(lab.files + "/copy/19")) != 100:
            raise Failed("rsync: files are missing")
        return took
    s, e = interleave({k: lambda k=k: once(k) for k in ("ssh", "qsh")}, runs, warm=0)
    return [Result("2,000 files of 4 KiB by rsync, 50 ms RTT", "s", s, errors=e)]
