"""Logins that do nothing: memory and CPU time of the server."""
import os, re, time

import qshtest
from lab import LINK, Failed
from rows import Result, at_most, row

ROLES = {"ssh": re.compile(r"/sshd[^/]*$"), "qsh": re.compile(r"/qshd(-monitor|-net|-broker)$")}


def processes(peer):
    """pids of the server's processes that serve logins, listening and spare ones with them."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if ROLES[peer].search(os.readlink(f"/proc/{pid}/exe")):
                out.append(int(pid))
        except OSError:
            pass
    return out


def private_kb(pids):
    total = 0
    for pid in pids:
        for line in qshtest.read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(("Private_Clean:", "Private_Dirty:")):
                total += int(line.split()[1])
    return total


def wakeups(pids):
    """{pid: how often it began to run because something had happened}."""
    return {pid: int(m.group(1)) for pid in pids
            if (m := re.search(r"\nvoluntary_ctxt_switches:\s*(\d+)", qshtest.read(f"/proc/{pid}/status")))}


def log_in(lab, peer, n):
    procs = []
    for i in range(n):
        r, w = os.pipe()
        p = lab.popen([*lab.client(peer, LINK, "-tt"), "echo READY; exec sleep 10000"], stdout=w)
        os.close(w)
        procs.append(p)
        os.set_blocking(r, False)
        seen = b""
        end = time.monotonic() + 20
        while b"READY" not in seen:
            if time.monotonic() > end or p.p.poll() is not None:
                raise Failed(f"{peer}: idle login {i} does not come up")
            try:
                seen += os.read(r, 4096)
            except BlockingIOError:
                time.sleep(0.005)
        os.close(r)
    return procs


@row("idle")
def idle(lab, runs, quick):
    n, seconds = (10, 5) if quick else (100, 20)
    lab.link()
    memory, cpu, wakes, each, errors = {}, {}, {}, {}, []
    for peer in ("ssh", "qsh"):
        procs = []
        try:
            before = processes(peer)
            base = private_kb(before)
            procs = log_in(lab, peer, n)
            time.sleep(2)                       # what follows a login is over
            now = processes(peer)
            memory[peer] = [(private_kb(now) - base) / n / 1000]
            each[peer] = [(len(now) - len(before)) / n]
            w0, c0 = wakeups(now), lab.server_cpu.seconds()
            time.sleep(seconds)
            c1 = lab.server_cpu.seconds()
            w1 = wakeups(now)
            if len(w1) < len(w0):
                errors.append(f"{peer}: {len(w0) - len(w1)} of the server's processes ended while nothing happened")
            wakes[peer] = [sum(n - w0[pid] for pid, n in w1.items()) / seconds]
            if c0 is not None:
                cpu[peer] = [(c1 - c0) / seconds * 1000 / n * 1000]
        except Failed as e:
            errors.append(str(e))
        for p in procs:
            p.kill()
        try:
            qshtest.wait(lambda: len(processes(peer)) <= len(before) + 2, f"{peer}: logins to end")
        except AssertionError as e:
            errors.append(str(e))
    return [Result(f"idle login: private memory of its server processes (of {n})", "MB", memory, "5 MB", at_most(5), errors=errors),
            Result("... processes a login", "", each),
            Result(f"1,000 idle logins: server's CPU time a second (from {n}, {seconds} s)", "ms", cpu, "5 ms", at_most(5)),
            Result(f"... wake-ups a second of {n} logins", "", wakes)]
