"""A row of the table: who is measured, how, and against what budget. Rows are declared with @row; each gets its lab and the
number of runs, and returns Results."""
import sys

from lab import Failed, TimedOut, median, percentile

ROWS = []


class Result:
    """One line of the table. samples: {peer: [value]}; budget: text, and met(result) -> bool, or None for no budget."""

    def __init__(self, title, unit, samples, budget="", met=None, bigger=False, errors=(), show=None, note=""):
        self.title, self.unit, self.samples, self.budget, self.bigger = title, unit, samples, budget, bigger
        self.errors, self.show, self.note = list(errors), show, note
        self.met = None
        if met:
            try:
                self.met = bool(met(self))
            except (KeyError, ValueError, ZeroDivisionError):
                self.met = False

    def value(self, peer):
        """What counts for a peer: the median of its runs, or what show makes of its samples."""
        v = self.samples[peer]
        if not v:
            raise ValueError(peer)
        return (self.show or median)(v)

    def ratio(self, a="qsh", b="ssh"):
        """How many times as good a is as b."""
        x, y = self.value(a), self.value(b)
        return x / y if self.bigger else y / x


def row(name):
    def add(fn):
        ROWS.append((name, fn))
        return fn
    return add


def interleave(peers, runs, warm=1):
    """Runs each of {peer: function} in turn: A B A B. {peer: [value]} and what failed; the first round warms caches."""
    samples, errors, out = {k: [] for k in peers}, [], set()
    for i in range(runs + warm):
        for k, fn in peers.items():
            if k in out or sum(e.startswith(k + ":") for e in errors) >= 2:
                continue            # it will not work the next time either
            try:
                v = fn()
                if i >= warm:
                    samples[k].append(v)
            except (Failed, OSError, AssertionError) as e:
                errors.append(f"{k}: {e}")
                print(f"  {k}: {e}", file=sys.stderr, flush=True)
                # Without a result so far, more of that would only take time.
                if isinstance(e, TimedOut) and not samples[k] and i >= 1:
                    out.add(k)
    return samples, errors


def at_most(limit, peer="qsh"):
    return lambda r: r.value(peer) <= limit


def times(factor, peer="ssh"):
    """At least this many times as good as the peer."""
    return lambda r: r.ratio("qsh", peer) >= factor


def p(n):
    return lambda v: percentile(v, n)


def mean(v):
    return sum(v) / len(v)
