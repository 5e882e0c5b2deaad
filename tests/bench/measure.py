"""The measurement of tests/bench/run, inside its namespaces."""
import argparse, os, re, signal, sys, time, traceback

import report, rows
import rows_bulk, rows_carrier, rows_echo, rows_idle      # they declare the rows
import rows_link
from lab import Lab, machine


def main():
    ap = argparse.ArgumentParser(prog="tests/bench/run")
    ap.add_argument("-k", metavar="ROW-REGEX", default="", help="only these rows: " + " ".join(n for n, _ in rows.ROWS))
    ap.add_argument("-n", metavar="RUNS", type=int, default=5)
    ap.add_argument("--quick", action="store_true", help="smaller and fewer, to see that it works")
    ap.add_argument("-o", metavar="DIR", default=os.environ["QSH_BENCH_OUT"])
    args = ap.parse_args()
    runs = 2 if args.quick else args.n
    os.makedirs(args.o, exist_ok=True)
    m = machine()
    text = [report.about(m, runs), "", report.HEAD]
    print("\n".join(text), flush=True)
    done, failed = [], False
    lab = Lab()
    try:
        lab.start_servers()
        for name, fn in rows.ROWS:
            if not re.search(args.k, name):
                continue
            start = time.monotonic()
            try:
                results = fn(lab, runs, args.quick)
            except Exception:                   # one row's failure is not the others'
                traceback.print_exc()
                results = [rows.Result(f"{name}: failed", "", {}, errors=[traceback.format_exc()[-400:]])]
            failed = failed or any(r.errors for r in results)
            done.append((name, results))
            for r in results:
                text.append(report.line(r))
                print(text[-1], flush=True)
            print(f"  ({name}: {time.monotonic() - start:.0f} s)", file=sys.stderr, flush=True)
    finally:
        lab.close()
        report.write_json(args.o, "bench", m, done)
        with open(args.o + "/bench.md", "w") as f:
            f.write("\n".join(text) + "\n")
        report.plots(args.o, done)
    missed = [r.title for _, v in done for r in v if r.met is False]
    print(f"\n{len(missed)} budgets missed; {args.o}/bench.md, bench.json, *.svg", file=sys.stderr)
    return 1 if failed else 0


for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(s, signal.SIG_DFL)
sys.exit(main())
