"""The table, JSON and plots."""
import json, re, shutil, subprocess


def number(v):
    return f"{v:.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}"


def cell(r, peer):
    v = r.samples.get(peer)
    if not v:
        why = [e for e in r.errors if e.startswith(peer + ":")]
        late = re.search(r"not done after (\S+) s", why[0]) if why else None
        return f"> {late.group(1)} s" if late else "failed" if why else "–"
    text = f"{number(r.value(peer))} {r.unit}".strip()
    failed = sum(e.startswith(peer + ":") for e in r.errors)
    if failed:
        text += f" [{failed} runs failed]"
    return text if len(v) < 2 or r.show or len(v) > 50 else f"{text} ({number(min(v))} to {number(max(v))})"


def others(r):
    return "; ".join(f"{k}: {cell(r, k)}" for k in r.samples if k not in ("ssh", "qsh")) or "–"


def ratio(r):
    try:
        return f"{r.ratio():.2f}"
    except (KeyError, ValueError, ZeroDivisionError):
        return "–"


def verdict(r):
    return "" if r.met is None else "ok" if r.met else "**MISSED**"


HEAD = "| | ssh | others | qsh | qsh is better x | budget | |\n|---|---|---|---|---|---|---|"


def line(r):
    return f"| {r.title} | {cell(r, 'ssh')} | {others(r)} | {cell(r, 'qsh')} | {ratio(r)} | {r.budget} | {verdict(r)} |"


def about(m, runs):
    return (f"{m['cpu']}, {m['memory']}, Linux {m['kernel']}, load {m['load']} at the start; {m['date']}.\n"
            f"Kernel TCP: congestion control {m['tcp']}, tcp_wmem {m['tcp_wmem']}, tcp_rmem {m['tcp_rmem']}.\n"
            f"{m['qsh']}; {m['ssh']}; {m['mosh']}; ngtcp2 {m['ngtcp2']}; {m['iperf3']}; {m['rsync']}.\n"
            f"{runs} runs of each, interleaved; medians (minimum to maximum).")


def write_json(dir, name, machine, rows):
    def plain(r):
        d = {k: getattr(r, k) for k in ("title", "unit", "budget", "bigger", "met", "errors", "note")}
        d["value"] = {k: r.value(k) for k, v in r.samples.items() if v}
        d["samples"] = {k: [round(x, 4) for x in v] for k, v in r.samples.items()}
        return d
    with open(f"{dir}/{name}.json", "w") as f:
        json.dump({"machine": machine, "rows": [{"row": k, "results": [plain(r) for r in v]} for k, v in rows]}, f, indent=1)


def gnuplot(dir, name, script):
    if shutil.which("gnuplot") is None:
        return
    script = f"set terminal svg size 900,480 font 'sans,12' background 'white'\nset output '{dir}/{name}.svg'\n" + script
    p = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True)
    if p.returncode != 0:
        print(f"gnuplot: {name}: {p.stderr.strip()[-300:]}")


def quoted(s):
    return '"' + s.replace('"', "'").replace("`", "") + '"'


def bars(dir, name, title, ylabel, results, peers):
    """One group of bars a result, with minimum and maximum."""
    peers = [k for k in peers if any(r.samples.get(k) for r in results)]
    if not peers:
        return
    data = "$d << EOD\n"
    for r in results:
        data += quoted(r.title.replace(", ", "\\n", 1))
        for k in peers:
            v = r.samples.get(k)
            data += f" {r.value(k)} {min(v)} {max(v)}" if v else " NaN NaN NaN"
        data += "\n"
    data += "EOD\n"
    plots = ", ".join(f"$d using {2 + 3 * i}:{3 + 3 * i}:{4 + 3 * i}:xtic(1) title '{k}'" for i, k in enumerate(peers))
    gnuplot(dir, name, data + f"set title {quoted(title)}\nset ylabel {quoted(ylabel)}\nset yrange [0:*]\nset style data histograms\n"
            "set style histogram errorbars gap 1.5 linewidth 1\nset style fill solid 0.7\nset grid y\nset key top left\n"
            f"set xtics font ',9'\nplot {plots}\n")


def distribution(dir, name, title, xlabel, r):
    """What share of the samples is at most x."""
    peers = [k for k, v in r.samples.items() if v]
    if not peers:
        return
    data = ""
    for k in peers:
        v = sorted(r.samples[k])
        data += f"${k} << EOD\n" + "".join(f"{x} {(i + 1) / len(v)}\n" for i, x in enumerate(v)) + "EOD\n"
    gnuplot(dir, name, data + f"set title {quoted(title)}\nset xlabel {quoted(xlabel)}\nset ylabel 'share of keys'\nset logscale x\n"
            "set grid\nset key bottom right\nset yrange [0:1]\nplot "
            + ", ".join(f"${k} using 1:2 with steps linewidth 2 title '{k}'" for k in peers) + "\n")


def plots(dir, rows):
    byrow = dict(rows)

    def of(*names):
        return [r for n in names for r in byrow.get(n, [])]
    bars(dir, "throughput", "One stream", "MB/s", [r for r in of("veth", "jumbo", "loopback") if r.unit == "MB/s"], ["ssh", "ngtcp2", "qsh"])
    bars(dir, "cpu", "CPU time of both ends", "s/GB", [r for r in of("veth", "jumbo") if r.unit == "s/GB"], ["ssh", "ngtcp2", "qsh"])
    bars(dir, "connect", "HOST true", "ms", of("connect"), ["ssh", "qsh"])
    bars(dir, "far", "30 MB over a long way", "s", of("loss", "long"), ["ssh", "qsh"])
    for name, title in (("echo", "Key to echo, 100 ms RTT"), ("echoloss", "Key to echo, 100 ms RTT, 29 % loss each way")):
        for r in of(name)[:1]:
            distribution(dir, name, title, "ms", r)
    for r in of("beside")[1:2]:
        distribution(dir, "beside", "Key to echo beside a download on the same connection, 50 ms RTT, 100 Mbit/s", "ms", r)
