"""What the system tests stand on: a private world for each test, servers, clients, terminals, links.

Each test runs as root in mount, network and PID namespaces of its own (see run.py): /etc, /run, /var/log are private copies, so a test may add accounts, write /etc/ssh/sshd_config and
take port 22; whatever it started ends with it. Nothing here sleeps for luck: wait() polls a condition.
"""
import codecs, os, pty, re, select, shutil, signal, subprocess, sys, termios, fcntl, struct, time, pwd

PREFIX = os.environ.get("QSH_PREFIX", "/usr/local")
BUILD = os.environ.get("QSH_BUILD", ".")
SLOW = float(os.environ.get("QSH_SLOW", "1"))   # sanitizers, loaded machines
QSH = PREFIX + "/bin/qsh"
QSHD = PREFIX + "/sbin/qshd"
TESTS = []


class Skip(Exception):
    pass


def test(fn):
    """Marks a function fn(world) as a test."""
    fn.module = fn.__module__
    TESTS.append(fn)
    return fn


def need_program(name, package):
    if shutil.which(name) is None:
        raise Skip(f"{name} is not installed (Debian: {package})")


def wait(cond, what, timeout=20):
    """Polls cond() until it is true; returns its value. Fails naming what was waited for."""
    end = time.monotonic() + timeout * SLOW
    while True:
        v = cond()
        if v:
            return v
        if time.monotonic() > end:
            raise AssertionError("waited in vain for: " + what)
        time.sleep(0.01)


def read(path):
    """The file's text; "" where there is none, or where it belongs to a process that has just ended."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def write(path, text, owner=None, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    if owner:
        os.chown(path, owner.uid, owner.gid)


def check(cond, text=""):
    if not cond:
        raise AssertionError(text)


def equal(got, want, text=""):
    if got != want:
        raise AssertionError(f"{text}: got {got!r}, want {want!r}")


def contains(text, part, what=""):
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    if part not in text:
        raise AssertionError(f"{what}: no {part!r} in:\n{text}")


class User:
    def __init__(self, name, uid, gid, home):
        self.name, self.uid, self.gid, self.home = name, uid, gid, home
        self.key = home + "/.ssh/id_ed25519"

    def ssh(self, name):
        return f"{self.home}/.ssh/{name}"

    def put(self, rel, text, mode=0o600):
        write(f"{self.home}/{rel}", text, self, mode)
        d = os.path.dirname(f"{self.home}/{rel}")
        while d != self.home:
            os.chown(d, self.uid, self.gid)
            d = os.path.dirname(d)

    def authorize(self, *keys_or_lines):
        self.put(".ssh/authorized_keys", "".join(k.rstrip("\n") + "\n" for k in keys_or_lines))

    def pub(self):
        return read(self.key + ".pub").strip()


class Terminal:
    """A program on a terminal of its own, as a person sees and types it."""

    def __init__(self, argv, env=None, preexec=None, rows=24, cols=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.slave_name = os.ttyname(slave)
        self.slave = slave
        self.saved = termios.tcgetattr(slave)

        def setup():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if preexec:
                preexec()
        self.p = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=setup)
        self.text = ""
        self.pos = 0
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode   # a read may end inside a character

    def pump(self, timeout=0.05):
        r, _, _ = select.select([self.master], [], [], timeout)
        if r:
            try:
                b = os.read(self.master, 65536)
            except OSError:
                return False
            self.text += self.decode(b)
            return True
        return False

    def expect(self, pattern, timeout=20):
        """Waits until the screen's text behind the last match has pattern (a regular expression)."""
        end = time.monotonic() + timeout * SLOW
        while True:
            m = re.compile(pattern, re.S).search(self.text, self.pos)
            if m:
                self.pos = m.end()
                return m
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} on the terminal; it shows:\n{self.text[self.pos:]}\n(all: {self.text!r})")
            self.pump()

    def send(self, s):
        b = s if isinstance(s, bytes) else s.encode()
        while b:
            n = os.write(self.master, b)
            b = b[n:]

    def resize(self, rows, cols):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def restored(self):
        """Are the terminal's modes what they were before the program ran?"""
        return termios.tcgetattr(self.slave) == self.saved

    def wait(self, timeout=20):
        end = time.monotonic() + timeout * SLOW
        while self.p.poll() is None:
            self.pump(0.02)
            if time.monotonic() > end:
                raise AssertionError(f"the program on the terminal does not end; it shows:\n{self.text[self.pos:]}")
        while self.pump(0):
            pass
        return self.p.returncode


class Server:
    """A running qshd (in the foreground, its log in a file)."""

    def __init__(self, world, conf, args, user, ns, confpath):
        self.world = world
        self.log_path = f"{world.dir}/qshd-{len(world.servers)}.log"
        self.conf = confpath
        argv = [QSHD, "-D", "-E", self.log_path]
        if confpath:
            write(confpath, conf)
            argv += ["-f", confpath]
        argv += args
        if ns:
            argv = ["ip", "netns", "exec", ns] + argv
        write(self.log_path, "", user)
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=open(self.log_path + ".err", "wb"),
                                  env=world.env(user or world.root), preexec_fn=world.become(user))
        world.servers.append(self)
        self.ready()

    def ready(self):
        def up():
            if self.p.poll() is not None:
                raise AssertionError("qshd ended: " + self.log() + self.err())
            return "listening on" in self.log()
        wait(up, "qshd to listen")

    def log(self):
        return read(self.log_path)

    def err(self):
        return read(self.log_path + ".err")

    def logged(self, pattern, timeout=20):
        """Waits for a line that matches; the match."""
        return wait(lambda: re.search(pattern, self.log()), f"{pattern!r} in qshd's log:\n{self.log()}", timeout)

    def children(self, role):
        """pids of live role processes ("qshd-net") of this server that serve somebody: not the spare ones. Those bear
        their role's name too until they take the name qshd-spare; but a qshd-net that serves has its system call filter,
        and a monitor watches for SIGTERM only after it has taken that name."""
        out = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                exe = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue
            status = dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines())
            if not exe.endswith("/" + role) or not status or status["Name"] == "qshd-spare":
                continue
            if role == "qshd-net" and status["Seccomp"] != "2":
                continue
            if role == "qshd-monitor" and not int(status["SigCgt"], 16) >> signal.SIGTERM - 1 & 1:
                continue
            out.append(int(pid))
        return sorted(out)

    def hup(self):
        self.p.send_signal(signal.SIGHUP)

    def stop(self):
        self.p.terminate()
        self.p.wait(20 * SLOW)


class World:
    def __init__(self, dir):
        self.dir = dir
        self.servers, self.links = [], []
        self.root = User("root", 0, 0, "/run/home/root")
        self.next_uid = 2000

    # ---- people -------------------------------------------------------------
    def add_user(self, name, shell="/bin/bash", key=True, home=None, password="*", groups=()):
        uid = self.next_uid
        self.next_uid += 1
        home = home or f"/run/home/{name}"
        with open("/etc/passwd", "a") as f:
            f.write(f"{name}:x:{uid}:{uid}:{name}:{home}:{shell}\n")
        with open("/etc/group", "a") as f:
            f.write(f"{name}:x:{uid}:\n")
            for i, g in enumerate(groups):
                f.write(f"{g}:x:{uid + 5000 + i}:{name}\n")
        with open("/etc/shadow", "a") as f:
            f.write(f"{name}:{password}:19000:0:99999:7:::\n")
        os.makedirs(home + "/.ssh", exist_ok=True)
        u = User(name, uid, uid, home)
        for d, mode in ((home, 0o755), (home + "/.ssh", 0o700)):
            os.chown(d, uid, uid)
            os.chmod(d, mode)
        if key:
            self.make_key(u.key, u)
        return u

    def make_key(self, path, owner, passphrase="", kind="ed25519", extra=()):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", f"key of {owner.name}", "-f", path,
                        *extra], check=True, stdin=subprocess.DEVNULL)
        for p in (path, path + ".pub"):
            os.chown(p, owner.uid, owner.gid)

    def env(self, user, **more):
        e = {"HOME": user.home, "USER": user.name, "LOGNAME": user.name, "SHELL": "/bin/bash", "TERM": "xterm",
             "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
        for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if k in os.environ:
                e[k] = os.environ[k]
        e.update(more)
        return e

    def become(self, user):
        if user is None or user.uid == 0:
            return None

        def f():
            os.setgroups([])
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
            os.chdir(user.home)
        return f

    # ---- servers ------------------------------------------------------------
    def qshd(self, conf="", args=(), user=None, ns=None, default_config=False):
        """Starts qshd with this configuration (port 22; user mode where user is not root). With
        default_config it is started without -f and reads what it finds in /etc."""
        if default_config:
            return Server(self, "", list(args), user, ns, None)
        path = f"{self.dir}/qshd_config-{len(self.servers)}"
        return Server(self, conf, list(args), user, ns, path)

    def host_key(self, path="/etc/ssh/ssh_host_ed25519_key"):
        return " ".join(read(path + ".pub").split()[:2])

    def know(self, user, *names, key=None):
        """Writes user's known_hosts: these names have this host key."""
        user.put(".ssh/known_hosts", "".join(f"{n} {key or self.host_key()}\n" for n in names))

    # ---- clients ------------------------------------------------------------
    def qsh(self, user, *args, input=b"", timeout=60, ns=None, env=None, program=QSH):
        """Runs qsh as user; the finished process (returncode, stdout, stderr as text)."""
        argv = (["ip", "netns", "exec", ns] if ns else []) + [program, *args]
        p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=env or self.env(user), preexec_fn=None if ns else self.become(user))
        try:
            out, err = p.communicate(input if isinstance(input, bytes) else input.encode(), timeout * SLOW)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            raise AssertionError(f"{' '.join(argv)} does not end; stdout {out[-2000:]!r} stderr {err[-2000:]!r}")
        p.out, p.raw = out.decode(errors="replace"), out
        p.err = err.decode(errors="replace")
        return p

    def spawn(self, user, *args, ns=None, env=None, stdin=subprocess.PIPE, stdout=subprocess.PIPE):
        argv = (["ip", "netns", "exec", ns] if ns else []) + [QSH, *args]
        return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                                env=env or self.env(user), preexec_fn=None if ns else self.become(user))

    def terminal(self, user, *args, ns=None, env=None, rows=24, cols=80, program=QSH):
        argv = (["ip", "netns", "exec", ns] if ns else []) + [program, *args]
        return Terminal(argv, env or self.env(user), None if ns else self.become(user), rows, cols)

    # ---- networks -----------------------------------------------------------
    def link(self, traced=True, **settings):
        """Two namespaces, "a" (10.99.0.1, fd99::1) and "b" (10.99.0.2, fd99::2), and an emulated link."""
        l = Link(self, settings, traced=traced)
        self.links.append(l)
        return l

    def standard(self, conf="", **kw):
        """alice, who may log in as herself and as bob, and a root qshd on port 22 of 127.0.0.1."""
        self.alice = self.add_user("alice")
        self.bob = self.add_user("bob")
        for u in (self.alice, self.bob):
            u.authorize(self.alice.pub())
        self.know(self.alice, "127.0.0.1", "localhost", "::1", "10.99.0.2", "fd99::2")
        return self.qshd(conf, **kw)


class Link:
    def __init__(self, world, settings, a="a", b="b", traced=True):
        self.trace_path = f"{world.dir}/trace"
        for ns in (a, b):
            subprocess.run(["ip", "netns", "add", ns], check=True)
        self.p = subprocess.Popen([f"{BUILD}/tests/net/linkemu", *(["-t", self.trace_path] if traced else []), a, "q0", b, "q0"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        equal(self.p.stdout.readline(), "ready\n", "linkemu")
        for ns, n in ((a, 1), (b, 2)):
            for cmd in (f"link set lo up", f"addr add 10.99.0.{n}/24 dev q0", f"link set q0 up mtu 1500",
                        f"addr add fd99::{n}/64 dev q0 nodad"):
                subprocess.run(["ip", "-n", ns] + cmd.split(), check=True)
        for k, v in settings.items():
            self.set(f"{k} {v}")

    def set(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        answer = self.p.stdout.readline().strip()
        check(not answer.startswith("error") and answer != "", f"linkemu: {line}: {answer}")
        return answer

    def trace(self):
        """Packets so far: (time us, side, IP length, protocol, source port, destination port)."""
        self.set("mark .")
        out = []
        text = read(self.trace_path)
        for line in text[:text.rfind("\n") + 1].splitlines():  # packets go on, and a line may be half written
            w = line.split()
            if w and w[0] != "#":
                out.append((int(w[0]), w[1], int(w[2]), int(w[3]), int(w[4]), int(w[5])))
        return out
