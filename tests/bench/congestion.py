"""The measurement of tests/bench/cc, inside its namespaces: the congestion controls of qsh, alone and beside TCP.

Flows go from the client to the server (the option of the client chooses the control, so one server serves all). Several
links are measured at a time, each an emulator of its own between the two hosts.
"""
import argparse, json, os, queue, re, shutil, signal, subprocess, sys, threading, time

from lab import CLIENT, SERVER, Failed, Lab, machine, percentile
import qshtest, report

FLOW = "/run/bench/flow.py"                 # alice has to read it too, wherever the checkout lies
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
RATE = 100000000                            # bit/s
CONTROLS = ("cubic", "bbr")
RTTS, LOSSES, QUEUES = (1, 50, 200), (0, 0.01, 0.05), ("shallow", "deep")
SINK, ECHO = 5001, 7


def queue_bytes(rtt, kind):
    """A quarter of the bandwidth-delay product, or four of them; never less than 32 and 512 kB."""
    bdp = RATE / 8 * rtt / 1000
    return int(max(bdp / 4, 32e3) if kind == "shallow" else max(bdp * 4, 512e3))


class Link(qshtest.Link):
    """One more emulated link between the two hosts: 10.100.N.1 and 10.100.N.2."""

    def __init__(self, n):
        self.host, self.dev, self.lock = f"10.100.{n}.2", f"c{n}", threading.Lock()
        self.p = subprocess.Popen([f"{qshtest.BUILD}/tests/net/linkemu", "-s", str(n + 1), CLIENT, self.dev, SERVER, self.dev],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        qshtest.equal(self.p.stdout.readline(), "ready\n", "linkemu")
        for ns, i in ((CLIENT, 1), (SERVER, 2)):
            for cmd in (f"addr add 10.100.{n}.{i}/24 dev {self.dev}", f"link set {self.dev} up mtu 1500"):
                subprocess.run(["ip", "-n", ns] + cmd.split(), check=True)

    def shape(self, rtt, loss, queue):
        for k, v in dict(delay=rtt / 2, rate=RATE, queue=queue_bytes(rtt, queue), loss=loss).items():
            self.set(f"{k} {v}")


class Case:
    """What happens on one link at one time: flows of ("qsh" or "tcp", control)."""

    def __init__(self, table, rtt, loss, queue, flows, seconds, skip):
        self.table, self.rtt, self.loss, self.queue, self.flows = table, rtt, loss, queue, flows
        self.seconds, self.skip = seconds, skip     # the first skip seconds do not count
        self.goodput, self.silence, self.ping, self.error = [], [], [], None

    def name(self):
        return f"{self.table} rtt{self.rtt} loss{self.loss} {self.queue} " + "+".join(f"{k}-{c}" for k, c in self.flows)

    def jain(self):
        g = self.goodput
        return sum(g) ** 2 / (len(g) * sum(x * x for x in g)) if any(g) else 0

    def share(self):
        """Of a flow of the first kind, in fair shares: 1 is fair."""
        mine = [g for g, f in zip(self.goodput, self.flows) if f == self.flows[0]]
        return sum(mine) / len(mine) * len(self.goodput) / sum(self.goodput) if sum(self.goodput) else 0

    def utilization(self):
        return sum(self.goodput) / (RATE / 1e6)


def all_cases(quick):
    out = []
    t, beside = (3, 4) if quick else (8, 12)
    for rtt in RTTS:
        for queue in QUEUES:
            for loss in LOSSES:
                for kind in ("tcp", "qsh"):
                    out += [Case("alone", rtt, loss, queue, [(kind, c)], t, 0) for c in CONTROLS]
            for theirs in CONTROLS:
                for mine in CONTROLS:
                    for n in (1, 2):
                        out.append(Case("beside", rtt, 0, queue, [("qsh", mine)] * n + [("tcp", theirs)], beside, beside / 3))
                if theirs == "cubic":
                    out.append(Case("reference", rtt, 0, queue, [("tcp", "bbr"), ("tcp", "cubic")], beside, beside / 3))
    return out


def series(path):
    """[(seconds, bytes so far)] of a counting end."""
    return [(float(a), int(b)) for a, _, b in (l.partition(" ") for l in qshtest.read(path).splitlines()) if b]


def at(points, t):
    """Bytes so far at time t."""
    v = 0
    for when, n in points:
        if when > t:
            break
        v = n
    return v


def silence(points, start, end):
    """The longest time without a byte."""
    last, worst, n = start, 0, 0
    for when, total in points:
        if when > end:
            break
        if total > n:
            worst, last, n = max(worst, when - last), when, total
    return max(worst, end - last)


def start_flow(lab, link, case, i, path, seconds):
    kind, control = case.flows[i]
    if kind == "tcp":
        return lab.popen([PYTHON, FLOW, "tcp", link.host, str(SINK), os.path.basename(path), control, str(seconds)], user=None)
    argv = lab.client("qsh", link.host, "-o", "CongestionControl=" + control)
    with open("/dev/zero", "rb") as zero:
        return lab.popen([*argv, f"{PYTHON} {FLOW} count >{path}"], stdin=zero)


def measure(lab, link, case, n):
    link.shape(case.rtt, case.loss, case.queue)
    paths = [f"{lab.files}/flow-{n}-{i}" for i in range(len(case.flows))]
    total, procs = case.seconds + 8, []
    ping = lab.popen([PYTHON, FLOW, "ping", link.host, str(ECHO), str(case.seconds)], user=None, stdout=subprocess.PIPE)
    try:
        # Those that are there first (TCP) do not wait for the others' logins.
        for i in range(len(case.flows)):
            procs.append(start_flow(lab, link, case, i, paths[i], total))

        def begun():
            if any(p.p.poll() for p in procs):
                raise Failed("a flow ended")
            return all(series(p) for p in paths) and [series(p)[0][0] for p in paths]
        first = qshtest.wait(begun, "the flows to begin", 8)
        start, end = max(first), max(first) + case.seconds
        time.sleep(max(0, end + 0.3 - time.monotonic()))
        for f, path in enumerate(paths):
            points, began = series(path), start + case.skip
            case.goodput.append((at(points, end) - at(points, began)) * 8e-6 / (end - began))
            case.silence.append(silence([(t, b) for t, b in points if t >= first[f]], first[f], end))
        out, _ = ping.p.communicate(timeout=20)
        case.ping = [float(v) for v in out.split() if v != b"lost"]
    except (AssertionError, Failed, OSError, subprocess.TimeoutExpired) as e:
        for p in procs:
            p.kill()
        case.error = f"{e} {' '.join(p.said for p in procs)}".strip()[-300:]
        print(f"  {case.name()}: {case.error}", file=sys.stderr, flush=True)
    finally:
        for p in [ping, *procs]:
            p.kill()
        for p in paths:
            if os.path.exists(p):
                os.unlink(p)
        link.set("loss 0")
        time.sleep(0.3 + 2 * case.rtt / 1000)       # what is still on the way


def work(lab, link, todo, done):
    while True:
        try:
            n, case = todo.get_nowait()
        except queue.Empty:
            return
        measure(lab, link, case, n)
        done.append(case)
        if not case.error:
            print(f"  {case.name()}: {' '.join(f'{g:.1f}' for g in case.goodput)} Mbit/s", file=sys.stderr, flush=True)


# ---- tables ---------------------------------------------------------------------

def find(cases, table, rtt, loss, queue, flows):
    return next((c for c in cases if (c.table, c.rtt, c.loss, c.queue, c.flows) == (table, rtt, loss, queue, flows)), None)


def alone_cell(c):
    if c is None or c.error:
        return "failed" if c else "–"
    worst = max(c.silence)
    stall = f" **silent {worst:.1f} s**" if worst > 1 + 4 * c.rtt / 1000 else ""
    rtt = f" ({percentile(c.ping, 50):.0f} ms)" if c.ping else ""
    return f"{c.goodput[0]:.1f}{rtt}{stall}"


def alone_table(cases):
    out = [f"Alone, {RATE // 1000000} Mbit/s: goodput in Mbit/s from the first byte on (median round trip of a small packet meanwhile)", "",
           "| RTT | queue | loss | TCP cubic | TCP bbr | qsh cubic | qsh bbr |", "|---|---|---|---|---|---|---|"]
    for rtt in RTTS:
        for q in QUEUES:
            for loss in LOSSES:
                cells = [alone_cell(find(cases, "alone", rtt, loss, q, [(k, c)])) for k in ("tcp", "qsh") for c in CONTROLS]
                if any(c != "–" for c in cells):
                    out.append(f"| {rtt} ms | {q} | {loss * 100:.0f} % | " + " | ".join(cells) + " |")
    return out


def beside_cell(c):
    if c is None or c.error:
        return "failed" if c else "–"
    mine = c.goodput[:-1]
    return f"{' + '.join(f'{g:.0f}' for g in mine)} : {c.goodput[-1]:.0f}; {c.share():.2f}; {c.jain():.2f}"


def beside_table(cases):
    out = ["Beside a TCP flow, no loss: Mbit/s of qsh : Mbit/s of TCP; a qsh flow in fair shares; Jain index. "
           "The last column is TCP bbr beside TCP cubic, for comparison", "",
           "| RTT | queue | TCP | flows of qsh | qsh cubic | qsh bbr | (TCP bbr : TCP cubic) |", "|---|---|---|---|---|---|---|"]
    for rtt in RTTS:
        for q in QUEUES:
            for theirs in CONTROLS:
                for n in (1, 2):
                    cells = [beside_cell(find(cases, "beside", rtt, 0, q, [("qsh", m)] * n + [("tcp", theirs)])) for m in CONTROLS]
                    ref = find(cases, "reference", rtt, 0, q, [("tcp", "bbr"), ("tcp", "cubic")]) if (theirs, n) == ("cubic", 1) else None
                    if any(c != "–" for c in cells):
                        out.append(f"| {rtt} ms | {q} | {theirs} | {n} | " + " | ".join(cells) + f" | {beside_cell(ref) if ref else ''} |")
    return out


def average(v):
    return f"{sum(v) / len(v):.2f}" if v else "–"


def summary(cases):
    """What the default is decided by."""
    out = ["In short", "", "| | TCP cubic | TCP bbr | qsh cubic | qsh bbr |", "|---|---|---|---|---|"]
    kinds = [(k, c) for k in ("tcp", "qsh") for c in CONTROLS]
    good = [c for c in cases if not c.error]

    def line(title, values):
        out.append(f"| {title} | " + " | ".join(values) + " |")
    for loss in LOSSES:
        line(f"mean use of the link alone, {loss * 100:.0f} % loss",
             [average([c.utilization() for c in good if c.table == "alone" and c.loss == loss and c.flows == [f]]) for f in kinds])
    line("longest silence alone, s", [f"{max((max(c.silence) for c in good if c.table == 'alone' and c.flows == [f]), default=0):.1f}"
                                      for f in kinds])
    for q in QUEUES:
        line(f"mean round trip alone without loss, {q} queue, multiple of the empty link's",
             [average([percentile(c.ping, 50) / c.rtt for c in good
                       if c.table == "alone" and c.loss == 0 and c.queue == q and c.flows == [f] and c.ping and c.rtt > 1]) for f in kinds])
    for theirs in CONTROLS:
        of = [[c for c in good if c.table == "beside" and c.flows[0] == f and c.flows[-1] == ("tcp", theirs)] for f in kinds]
        line(f"mean Jain index beside TCP {theirs}", [average([c.jain() for c in v]) for v in of])
        line(f"fair shares of a flow beside TCP {theirs}, least to most",
             [f"{min(c.share() for c in v):.2f} to {max(c.share() for c in v):.2f}" if v else "–" for v in of])
        line(f"mean use of the link together with TCP {theirs}", [average([c.utilization() for c in v]) for v in of])
    failed = [c.name() for c in cases if c.error]
    return out + ([f"\nFailed: {'; '.join(failed)}"] if failed else [])


def plot(dir, cases):
    data, n = "$d << EOD\n", 0
    kinds = [(k, c) for k in ("tcp", "qsh") for c in CONTROLS]
    for rtt in RTTS:
        for q in QUEUES:
            for loss in LOSSES:
                v = [find(cases, "alone", rtt, loss, q, [f]) for f in kinds]
                if any(v):
                    data += f'"{rtt} ms\\n{loss * 100:.0f} %\\n{q}" ' + " ".join(f"{c.goodput[0]}" if c and c.goodput else "NaN" for c in v) + "\n"
                    n += 1
    if n:
        titles = [f"{'TCP' if k == 'tcp' else 'qsh'} {c}" for k, c in kinds]
        report.gnuplot(dir, "cc", data + "EOD\nset title 'One flow, 100 Mbit/s'\nset ylabel 'Mbit/s'\nset yrange [0:*]\n"
                       "set style data histograms\nset style fill solid 0.7\nset grid y\nset xtics font ',8'\nset key outside top horizontal\nplot "
                       + ", ".join(f"$d using {i + 2}:xtic(1) title '{t}'" for i, t in enumerate(titles)) + "\n")


def write(dir, m, cases, text):
    with open(dir + "/cc.md", "w") as f:
        f.write(text + "\n")
    with open(dir + "/cc.json", "w") as f:
        json.dump({"machine": m, "rate": RATE, "cases": [
            {"table": c.table, "rtt_ms": c.rtt, "loss": c.loss, "queue_bytes": queue_bytes(c.rtt, c.queue), "queue": c.queue,
             "flows": ["-".join(f) for f in c.flows], "goodput_mbit": [round(g, 2) for g in c.goodput],
             "silence_s": [round(s, 2) for s in c.silence], "ping_ms": [round(p, 2) for p in c.ping], "error": c.error} for c in cases]}, f, indent=1)
    plot(dir, cases)


def main():
    ap = argparse.ArgumentParser(prog="tests/bench/cc")
    ap.add_argument("-k", metavar="REGEX", default="", help='only cases whose name matches, e.g. "alone rtt50 loss0.01 deep qsh-bbr"')
    ap.add_argument("-j", metavar="LINKS", type=int, default=4, help="links measured at a time")
    ap.add_argument("--quick", action="store_true", help="shorter, to see that it works")
    ap.add_argument("-o", metavar="DIR", default=os.environ["QSH_BENCH_OUT"])
    args = ap.parse_args()
    os.makedirs(args.o, exist_ok=True)
    m = machine()
    available = qshtest.read("/proc/sys/net/ipv4/tcp_available_congestion_control").split()
    cases = [c for c in all_cases(args.quick)
             if re.search(args.k, c.name()) and all(k == "qsh" or control in available for k, control in c.flows)]
    lab = Lab()
    done = []
    try:
        links = [Link(n) for n in range(args.j)]
        lab.w.know(lab.alice, *[l.host for l in links])
        for ns in (CLIENT, SERVER):
            for k in ("rmem", "wmem"):          # enough for any link here, else the kernel's limits are measured
                with open(f"/proc/sys/net/ipv4/tcp_{k}") as f:
                    low, mid, _ = f.read().split()
                subprocess.run(["ip", "netns", "exec", ns, "sh", "-c", f"echo {low} {mid} 33554432 >/proc/sys/net/ipv4/tcp_{k}"], check=True)
        shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "flow.py"), FLOW)
        lab.start_qshd()
        lab.serve([PYTHON, FLOW, "sink", str(SINK), lab.files], user=None)
        lab.serve([PYTHON, FLOW, "echo", str(ECHO)], user=None)
        lab.answers_soon(SINK)
        todo = queue.Queue()
        for item in enumerate(cases):
            todo.put(item)
        threads = [threading.Thread(target=work, args=(lab, l, todo, done)) for l in links]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        lab.close()
    head = (f"{m['cpu']}, {m['memory']}, Linux {m['kernel']}, load {m['load']} at the start; {m['date']}; {m['qsh']}.\n"
            f"TCP's congestion controls are the kernel's ({' '.join(available)}), set per socket.")
    text = "\n".join([head, "", *summary(done), "", *alone_table(done), "", *beside_table(done)])
    print(text)
    write(args.o, m, done, text)
    return 1 if any(c.error for c in done) else 0


for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(s, signal.SIG_DFL)
sys.exit(main())
