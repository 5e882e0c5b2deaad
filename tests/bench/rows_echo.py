"""From a key to its echo."""
import fcntl, os, pty, random, re, select, struct, subprocess, sys, termios, time

from lab import LINK, Failed, percentile
from rows import Result, at_most, mean, p, row

KEYS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# qsh's status line, drawn with the cursor saved, goes as a whole: its letters are no echoes.
ESCAPES = re.compile(rb"\x1b7[^\x00]*?\x1b8|\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-Z\\-_()][0B]?")
ECHO = "stty raw -echo; echo READY; exec cat"


class Typist:
    """One login on a terminal, typed at; remembers when each key went and when its echo came."""

    def __init__(self, lab, argv):
        self.master, slave = pty.openpty()
        self.keyboard = self.master
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
        self.proc = lab.popen(argv, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        os.set_blocking(self.master, False)
        self.text, self.waiting, self.times, self.n = b"", [], [], 0

    def read(self):
        try:
            b = os.read(self.master, 65536)
        except (BlockingIOError, OSError):
            return
        now = time.perf_counter()
        self.text += b
        # What may be the beginning of an escape sequence stays for the next time.
        cut, saved, back = (self.text.rfind(x) for x in (b"\x1b", b"\x1b7", b"\x1b8"))
        cut = saved if saved > back else -1 if cut == back else cut
        keep = self.text[cut:] if cut >= 0 and not ESCAPES.match(self.text, cut) else b""
        plain = ESCAPES.sub(b"", self.text[:len(self.text) - len(keep)])
        self.text = keep
        for c in plain:
            if self.waiting and c == self.waiting[0][0]:
                self.times.append((now - self.waiting.pop(0)[1]) * 1000)

    def press(self):
        k = KEYS[self.n % len(KEYS)]
        self.n += 1
        self.waiting.append((k, time.perf_counter()))
        os.write(self.keyboard, bytes([k]))

    def ready(self, timeout):
        end, seen = time.monotonic() + timeout, b""
        while b"READY" not in seen:
            if time.monotonic() > end or self.proc.p.poll() is not None:
                raise Failed(f"{self.proc.what}: no login: {seen[-200:]!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    seen += os.read(self.master, 65536)
                except OSError:
                    pass

    def close(self):
        self.proc.kill()
        os.close(self.master)


def type_keys(typists, seconds, gap, patience, rng):
    """Types at all of them for so long, a key every gap seconds on average, never waiting for the echo; then waits for the
    rest for up to patience seconds. What has not come by then counts as having taken that long."""
    start = time.perf_counter()
    due = {t: start + rng.random() * gap for t in typists}
    fds = {t.master: t for t in typists}
    while True:
        now = time.perf_counter()
        typing = now - start < seconds
        if not typing and (now - start > seconds + patience or not any(t.waiting for t in typists)):
            break
        for t in typists:
            if typing and due[t] <= now:
                t.press()
                due[t] = now + gap * (0.6 + 0.8 * rng.random())
        next = min(due.values()) if typing else now + 0.1
        for fd in select.select(list(fds), [], [], max(0, min(next - time.perf_counter(), 0.1)))[0]:
            fds[fd].read()
    now = time.perf_counter()
    for t in typists:
        t.times += [(now - at) * 1000 for _, at in t.waiting]
        t.waiting = []


def login(lab, peer):
    if peer == "mosh":
        ssh = " ".join(lab.client("ssh", LINK)[:-1])
        return Typist(lab, ["mosh", "--predict=never", "--no-init", "--ssh=" + ssh, "alice@" + LINK, "--", "sh", "-c", ECHO])
    return Typist(lab, [*lab.client(peer, LINK, "-tt"), ECHO])


def echo(lab, settings, seconds, gap, each):
    """{peer: [ms]} over that many logins of each peer, all on one link at the same time (a few bytes a second each)."""
    typists, errors = {}, []
    lab.link(delay=settings["delay"])
    for i in range(each):
        for peer in ("ssh", "mosh", "qsh"):
            try:
                t = login(lab, peer)
                typists[t] = peer
                t.ready(20)
            except (Failed, OSError) as e:
                errors.append(f"{peer}: {e}")
                print(f"  {peer}: {e}", file=sys.stderr)
                if t in typists:
                    del typists[t]
                    t.close()
    rng = random.Random(1)
    type_keys(list(typists), 1, 0.1, 3, rng)        # warm: the first keys are not counted
    for t in typists:
        t.times = []
    lab.link(**settings)
    type_keys(list(typists), seconds, gap, 20, rng)
    lab.link()
    out = {"ssh": [], "mosh": [], "qsh": []}
    for t, peer in typists.items():
        out[peer] += t.times
        t.close()
    subprocess.run(["pkill", "-x", "mosh-server"])   # of this PID namespace
    return out, errors


@row("echo")
def clean(lab, runs, quick):
    s, e = echo(lab, dict(delay=50), 6 if quick else 20, 0.2, 2)
    return [Result("key to echo, 100 ms RTT, no loss: p50", "ms", s, "101 ms", at_most(101.5), errors=e),
            Result("... p99", "ms", s, show=p(99))]


@row("echoloss")
def lossy(lab, runs, quick):
    s, e = echo(lab, dict(delay=50, loss=0.29), 10 if quick else 50, 0.2, 2 if quick else 4)
    title = "key to echo, 100 ms RTT, 29 % loss each way, no prediction"
    return [Result(title + ": mean", "ms", s, show=mean, errors=e), Result("... p50", "ms", s), Result("... p90", "ms", s, show=p(90)),
            Result("... p99", "ms", s, "250 ms", at_most(250), show=p(99)), Result("... max", "ms", s, show=max)]


# ---- beside bulk on the same connection -------------------------------------------

class Pipes(Typist):
    """One session without a terminal: keys go to its standard input and come back on standard error, and standard output, a
    stream of its own of the same connection, carries a download at full rate once start() was called."""

    def __init__(self, lab, peer, name, more=()):
        stdin, self.keyboard = os.pipe()
        self.master, stderr = os.pipe()
        self.fifo = f"{lab.files}/{name}"
        os.mkfifo(self.fifo)
        os.chown(self.fifo, lab.alice.uid, lab.alice.gid)
        # What sh starts in the background would have nothing for input: it gets the real one.
        remote = f"exec 3<&0; echo READY >&2; cat <&3 >&2 & cat {self.fifo} >/dev/null; exec cat /dev/zero"
        self.proc = lab.popen([*lab.client(peer, LINK, *more), remote], stdin=stdin, stderr=stderr)
        os.close(stdin)
        os.close(stderr)
        os.set_blocking(self.master, False)
        self.text, self.waiting, self.times, self.n = b"", [], [], 0

    def start(self):
        with open(self.fifo, "w"):
            pass

    def close(self):
        os.close(self.keyboard)
        super().close()
        os.unlink(self.fifo)


@row("beside")
def beside(lab, runs, quick):
    """Idle, then loaded, on the same connection; a peer at a time, for they would share the link's rate."""
    rate, seconds = 100000000, 2 if quick else 4
    idle, loaded, load = ({k: [] for k in ("ssh", "qsh")} for _ in range(3))
    errors = []
    rng = random.Random(2)
    for i in range(2 if quick else min(runs, 3)):
        for peer in ("ssh", "qsh"):
            lab.link(delay=25, rate=rate, queue=625000)
            t = None
            try:
                t = Pipes(lab, peer, f"go-{peer}-{i}")
                t.ready(20)
                type_keys([t], 1, 0.1, 5, rng)
                t.times = []
                type_keys([t], seconds / 2, 0.1, 5, rng)
                idle[peer] += t.times
                t.start()
                type_keys([t], 2, 0.1, 5, rng)          # until the download is at its rate
                t.times = []
                before, at = lab.link_carried("b"), time.perf_counter()
                type_keys([t], seconds, 0.1, 5, rng)
                loaded[peer] += t.times
                load[peer].append((lab.link_carried("b") - before) * 8e-6 / (time.perf_counter() - at))
            except (Failed, OSError) as e:
                errors.append(f"{peer}: {e}")
                print(f"  {peer}: {e}", file=sys.stderr)
            finally:
                if t:
                    t.close()
    ratio = {k: [v / percentile(idle[k], 50) for v in loaded[k]] if idle[k] else [] for k in loaded}
    title = "key to echo beside a download on the same connection, 50 ms RTT, 100 Mbit/s"
    return [Result(title + ", idle: p50", "ms", idle, errors=errors), Result("... loaded: p50", "ms", loaded),
            Result("... loaded, as a multiple of idle: p50", "x", ratio, "2 x", at_most(2)), Result("... p99", "x", ratio, show=p(99)),
            Result("... the download meanwhile", "Mbit/s", load, bigger=True)]
