"""QUIC over TCP: what it costs beside UDP and beside ssh."""
import os, random, sys

from lab import LINK, VETH, Failed, percentile
from rows import Result, interleave, mean, p, row
from rows_bulk import cpu_of
from rows_echo import ECHO, Pipes, Typist, type_keys

MBIT = 1000000
PORT = 8022
# UDP goes to a port where nobody is, which an ICMP error says at once: what is measured is TCP.
OPTIONS = ("-o", f"TcpPort={PORT}", "-o", "QuicPort=9")
PEERS = {"ssh": ("ssh", ()), "UDP": ("qsh", ()), "qsh": ("qsh", OPTIONS)}   # "qsh" is the one over TCP here


def listening(fn):
    def with_tcp(lab, runs, quick):
        lab.start_qshd(f"TcpListenAddress 0.0.0.0:{PORT}\n")
        try:
            return fn(lab, runs, quick)
        finally:
            lab.start_qshd()
    return with_tcp


@row("carrier-login")
@listening
def login(lab, runs, quick):
    lab.link(delay=25)
    s, e = interleave({k: lambda a=a: lab.run([*lab.client(a[0], LINK, *a[1]), "true"]) * 1000 for k, a in PEERS.items()}, runs)
    return [Result("over TCP: `HOST true`, 50 ms RTT", "ms", s, errors=e)]


@row("carrier-bulk")
@listening
def bulk(lab, runs, quick):
    out = []
    for title, settings in (("no loss", {}), ("1 % loss", dict(loss=0.01))):
        for way in ("down", "up"):
            lab.link(delay=25, rate=200 * MBIT, queue=1250000, **settings)
            s, e = interleave({k: lambda a=a: lab.copy(a[0], LINK, 30, up=way == "up", more=a[1], timeout=40) for k, a in PEERS.items()},
                              runs, warm=0)
            out.append(Result(f"over TCP: 30 MB, 50 ms RTT, 200 Mbit/s, {title}, {way}", "s", s, "ssh",
                              lambda r: r.value("qsh") <= r.value("ssh"), errors=e))
    return out


@row("carrier-fast")
@listening
def fast(lab, runs, quick):
    """Rate and CPU time where the machine is the limit, the login's share taken off; and what the link carries for 30 MB."""
    size, out = 300, []
    base = {}
    for k, a in PEERS.items():
        s, _ = interleave({k: lambda: cpu_of(lab, lambda: lab.run([*lab.client(a[0], VETH, *a[1]), "true"]))}, 3)
        base[k] = min(t for t, _ in s[k]), min(c or 0 for _, c in s[k])
    for way in ("down", "up"):
        spent = {k: [] for k in PEERS}

        def once(k, a):
            took, used = cpu_of(lab, lambda: lab.copy(a[0], VETH, size, up=way == "up", more=a[1]))
            if used is not None:
                spent[k].append((used - base[k][1]) * 1000 / size)
            return size / max(took - base[k][0], 1e-3)
        s, e = interleave({k: lambda k=k, a=a: once(k, a) for k, a in PEERS.items()}, runs)
        out += [Result(f"over TCP: one stream, clean veth, MTU 1500, {way}", "MB/s", s, bigger=True, errors=e),
                Result("... CPU time a gigabyte, both ends", "s/GB", spent)]
    carried = {k: [] for k in PEERS}
    for k, a in PEERS.items():
        lab.link(delay=1, rate=200 * MBIT)
        before = [lab.link_carried(side) for side in "ab"]
        lab.copy(a[0], LINK, 30, more=a[1])
        carried[k] = [(sum(lab.link_carried(side) for side in "ab") - sum(before)) / 30e6 * 100 - 100]
    out.append(Result("over TCP: bytes on the link beyond the 30 MB carried, both ways", "%", carried))
    return out


def typist(lab, a):
    return Typist(lab, [*lab.client(a[0], LINK, "-tt", *a[1]), ECHO])


def echo(lab, loss, seconds, each):
    """{peer: [ms]} over that many logins of each peer, all at the same time."""
    typists, rng, errors = {}, random.Random(3), []
    lab.link(delay=50)
    for _ in range(each):
        for k, a in PEERS.items():
            t = typist(lab, a)
            try:
                t.ready(20)
                typists[t] = k
            except Failed as e:
                errors.append(f"{k}: {e}")
                t.close()
    type_keys(list(typists), 1, 0.1, 3, rng)
    for t in typists:
        t.times = []
    lab.link(delay=50, loss=loss)
    type_keys(list(typists), seconds, 0.2, 20, rng)
    lab.link()
    out = {k: [] for k in PEERS}
    for t, k in typists.items():
        out[k] += t.times
        t.close()
    return out, errors


@row("carrier-echo")
@listening
def keys(lab, runs, quick):
    out = []
    for loss, seconds, each in ((0, 8, 2), (0.05, 20, 3), (0.29, 40, 4)):
        s, e = echo(lab, loss, 5 if quick else seconds, 2 if quick else each)
        out += [Result(f"over TCP: key to echo, 100 ms RTT, {loss * 100:.0f} % loss each way: p50", "ms", s, errors=e),
                Result("... mean", "ms", s, show=mean), Result("... p99", "ms", s, show=p(99))]
    return out


@row("carrier-beside")
@listening
def beside(lab, runs, quick):
    """Keys beside a download on the same connection."""
    out, rng = [], random.Random(4)
    for title, settings in (("no loss", {}), ("1 % loss", dict(loss=0.01))):
        idle, loaded, load = ({k: [] for k in PEERS} for _ in range(3))
        errors = []
        for i in range(2 if quick else min(runs, 3)):
            for k, a in PEERS.items():
                lab.link(delay=25, rate=100 * MBIT, queue=625000, **settings)
                t = None
                try:
                    t = Pipes(lab, a[0], f"c-{k}-{len(settings)}-{i}", a[1])
                    t.ready(20)
                    type_keys([t], 1, 0.1, 5, rng)
                    t.times = []
                    type_keys([t], 2, 0.1, 5, rng)
                    idle[k] += t.times
                    t.start()
                    type_keys([t], 2, 0.1, 5, rng)
                    t.times = []
                    before = lab.link_carried("b")
                    type_keys([t], 4, 0.1, 5, rng)
                    loaded[k] += t.times
                    load[k].append((lab.link_carried("b") - before) * 8e-6 / 4)
                except (Failed, OSError) as e:
                    errors.append(f"{k}: {e}")
                    print(f"  {k}: {e}", file=sys.stderr)
                finally:
                    if t:
                        t.close()
        out += [Result(f"over TCP: key to echo beside a download, 50 ms RTT, 100 Mbit/s, {title}: p50", "ms", loaded, errors=errors),
                Result("... p99", "ms", loaded, show=p(99)), Result("... idle: p50", "ms", idle),
                Result("... the download meanwhile", "Mbit/s", load, bigger=True)]
    return out
