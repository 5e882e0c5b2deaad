"""What the measurements stand on: two hosts in namespaces, joined by an emulated link (q0, 10.99.0.x) and by a veth pair
(v0, 10.98.0.x), with sshd, qshd and ngtcp2's server on the second; commands run as alice, timed, each with a time limit.
Everything happens in mount, network and PID namespaces that tests/bench/run made.
"""
import ctypes, os, shutil, signal, statistics, subprocess, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here + "/../system")
import qshtest
from run import private_world as private_files

SSHD = "/usr/sbin/sshd"
CLIENT, SERVER = "a", "b"                   # namespaces
LINK, VETH, LOOP = "10.99.0.2", "10.98.0.2", "127.0.0.1"
SSH_CIPHER = ["-c", "aes128-gcm@openssh.com"]
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """One run of one program did not do what it should; the others go on."""


class TimedOut(Failed):
    def __init__(self, what, limit):
        super().__init__(f"{what}: not done after {limit} s")
        self.limit = limit


class Cpu:
    """CPU time of a set of processes, from a control group (the kernel's own clock, not ticks)."""

    def __init__(self, name):
        self.dir = None
        for base, file, unit in (("/sys/fs/cgroup/cpuacct", "cpuacct.usage", 1e9), ("/sys/fs/cgroup", "cpu.stat", 1e6)):
            dir = f"{base}/{os.environ.get('QSH_BENCH_GROUP', 'qsh-bench')}/{name}"
            try:
                os.makedirs(dir, exist_ok=True)
            except OSError:
                continue
            if os.path.exists(f"{dir}/{file}"):
                self.dir, self.file, self.unit = dir, f"{dir}/{file}", unit
                return

    def join(self):
        if self.dir:
            with open(self.dir + "/cgroup.procs", "w") as f:
                f.write("0")

    def seconds(self):
        """None where there is no such control group."""
        if not self.dir:
            return None
        text = qshtest.read(self.file).split()
        return int(text[0] if len(text) == 1 else text[text.index("usage_usec") + 1]) / self.unit


class Proc:
    """A program under way, with the time it began."""

    def __init__(self, p, what):
        self.p, self.what, self.start, self.said, self.over = p, what, time.perf_counter(), "", False

    def finish(self, timeout):
        """Seconds that it took; Failed where it fails or does not end in time."""
        try:
            _, err = self.p.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.p.pid, signal.SIGKILL)
            self.p.communicate()
            raise TimedOut(self.what, timeout)
        took = time.perf_counter() - self.start
        if self.p.returncode != 0:
            raise Failed(f"{self.what}: status {self.p.returncode}: {(err or b'').decode(errors='replace').strip()[-300:]}")
        return took

    def kill(self):
        """Ends it where it runs; what it said on standard error is in said."""
        if self.p.poll() is None:
            # A client that just vanishes leaves a login with a terminal behind, which waits for it for days.
            os.killpg(self.p.pid, signal.SIGTERM)
            try:
                self.p.wait(1)
            except subprocess.TimeoutExpired:
                os.killpg(self.p.pid, signal.SIGKILL)
        if not self.over:
            self.over = True
            _, err = self.p.communicate()
            self.said = (err or b"").decode(errors="replace").strip()


class Lab:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="qsh-bench-")
        os.chmod(self.dir, 0o755)
        private_files(self.dir)
        self.files = "/run/bench"           # in memory
        os.makedirs(self.files + "/www")
        os.chmod(self.files, 0o777)
        self.client_cpu, self.server_cpu = Cpu("client"), Cpu("server")
        self.w = qshtest.World(self.dir)
        self.alice = self.w.add_user("alice")
        self.alice.authorize(self.alice.pub())
        self.w.know(self.alice, LINK, VETH, LOOP)
        self.emu = self.w.link(traced=False)
        self.make_veth()
        self.servers = []
        self.sizes = set()
        self.qshd = None

    def make_veth(self):
        def ip(*argv):
            subprocess.run(["ip", *argv], check=True)
        ip("link", "add", "v0", "netns", CLIENT, "type", "veth", "peer", "name", "v0", "netns", SERVER)
        for ns, n in ((CLIENT, 1), (SERVER, 2)):
            ip("-n", ns, "addr", "add", f"10.98.0.{n}/24", "dev", "v0")
            ip("-n", ns, "link", "set", "v0", "up")
        self.veth_mtu(1500)

    def veth_mtu(self, n):
        for ns in (CLIENT, SERVER):
            subprocess.run(["ip", "-n", ns, "link", "set", "v0", "mtu", str(n)], check=True)

    def close(self):
        for p in self.servers:
            p.terminate()
        for s in self.w.servers:
            s.stop()
        for p in self.servers:
            p.wait()
        self.emu.p.kill()
        subprocess.run(["umount", "-l", "/etc"])
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- processes ----------------------------------------------------------
    def setup(self, ns, user, cpu):
        fd = os.open(f"/run/netns/{ns}", os.O_RDONLY | os.O_CLOEXEC)

        def f():
            if libc.setns(fd, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            if cpu:
                cpu.join()
            if user:
                os.setgroups([])
                os.setresgid(user.gid, user.gid, user.gid)
                os.setresuid(user.uid, user.uid, user.uid)
        return fd, f

    def popen(self, argv, ns=CLIENT, user="alice", cpu=None, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
              stderr=subprocess.PIPE):
        user = self.alice if user == "alice" else None
        fd, setup = self.setup(ns, user, cpu)
        try:
            p = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=self.w.env(user or self.w.root),
                                 cwd="/", preexec_fn=setup, start_new_session=True)
        finally:
            os.close(fd)
        return Proc(p, os.path.basename(argv[0]))

    def run(self, argv, timeout=60, **kw):
        """Seconds that the command took, as alice on the client's side."""
        return self.popen(argv, cpu=self.client_cpu, **kw).finish(timeout)

    def serve(self, argv, user=None):
        """A server in the foreground on the server's side, for as long as the lab lives."""
        p = self.popen(argv, ns=SERVER, user=user, cpu=self.server_cpu, stderr=subprocess.DEVNULL).p
        self.servers.append(p)
        return p

    def answers(self, port):
        probe = f"import socket; socket.create_connection(('{LINK}', {port}), 1)"
        qshtest.wait(lambda: subprocess.run(["ip", "netns", "exec", CLIENT, sys.executable, "-c", probe],
                                            capture_output=True).returncode == 0, f"TCP port {port}")

    def answers_soon(self, port):
        """As answers, for a server that serves one connection only: looks without connecting."""
        qshtest.wait(lambda: f":{port:04X} " in "".join(l for l in subprocess.run(
            ["ip", "netns", "exec", SERVER, "cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True).stdout),
            f"TCP port {port}")

    # ---- servers ------------------------------------------------------------
    def start_sshd(self):
        conf = self.dir + "/sshd_config"
        qshtest.write(conf, "HostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM yes\nPidFile none\nMaxStartups 200\n")
        p = self.serve([SSHD, "-D", "-f", conf])
        self.answers(22)
        return p

    def start_qshd(self, conf=""):
        """Stops the one that runs, if any."""
        if self.qshd:
            self.qshd.terminate()
            self.qshd.wait()
        n = len(self.servers)
        path, log = f"{self.dir}/qshd_config-{n}", f"{self.dir}/qshd-{n}.log"
        qshtest.write(path, "UsePAM yes\nMaxStartups 200\n" + conf)
        qshtest.write(log, "")
        self.qshd = self.serve([qshtest.QSHD, "-D", "-E", log, "-f", path])
        qshtest.wait(lambda: "listening on" in qshtest.read(log), f"qshd to listen: {qshtest.read(log)}")

    def start_ngtcp2(self):
        if not shutil.which("gtlsserver"):
            return
        key, cert = self.dir + "/www.key", self.dir + "/www.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                        "-out", cert, "-days", "30", "-subj", "/CN=bench"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.file(1)
        self.serve(["gtlsserver", "-q", "-d", self.files + "/www", "--no-quic-dump", "--no-http-dump", "--max-data=64M",
                    "--max-stream-data-bidi-remote=64M", "--max-window=64M", "--max-stream-window=64M", "*", "4433", key, cert])

    def start_servers(self):
        self.start_sshd()
        self.start_qshd()
        self.start_ngtcp2()

    # ---- the link -----------------------------------------------------------
    def link(self, **settings):
        """Sets the emulated link: what is not named is off. delay is one way, ms; rate bit/s; queue bytes; loss 0 to 1."""
        every = dict(delay=0, jitter=0, rate=0, queue=1 << 20, loss=0, dup=0, reorder=0)
        for k, v in {**every, **settings}.items():
            self.emu.set(f"{k} {v}")

    def link_carried(self, side):
        """Bytes that the link has carried so far from this side ("a", "b"): what was lost or did not fit is taken off by count."""
        w = self.emu.set("stats").split()
        packets, bytes, *gone = map(int, w[1:6] if side == "a" else w[7:12])
        return bytes * (packets - sum(gone)) / max(packets, 1)

    # ---- commands -----------------------------------------------------------
    def file(self, megabytes):
        """Path of a file of that many 10^6 bytes, in memory."""
        path = f"{self.files}/www/{megabytes}.bin"
        if megabytes not in self.sizes:
            with open(path, "wb") as f:
                block = os.urandom(1000000)
                for _ in range(megabytes):
                    f.write(block)
            self.sizes.add(megabytes)
        return path

    def client(self, peer, host, *more):
        """Command line of ssh or qsh to host, without the remote command."""
        opts = ["-F", "none", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", *more, "alice@" + host]
        return [shutil.which("ssh"), *SSH_CIPHER, *opts] if peer == "ssh" else [qshtest.QSH, *opts]

    def copy(self, peer, host, megabytes, up=False, more=(), ns=None, timeout=60):
        """Seconds for one transfer between a file in memory and nowhere, login included."""
        path = self.file(megabytes)
        ns = ns or (SERVER if host == LOOP else CLIENT)
        if peer == "ngtcp2":
            argv = ["gtlsclient", "-q", "--no-quic-dump", "--no-http-dump", "--max-data=64M", "--max-stream-data-bidi-local=64M",
                    "--exit-on-all-streams-close", *more]
            if up:
                argv += ["-m", "POST", "-d", path]
            return self.run([*argv, host, "4433", f"https://bench/{1 if up else megabytes}.bin"], ns=ns, timeout=timeout)
        argv = self.client(peer, host, *more)
        if not up:
            return self.run([*argv, "cat " + path], ns=ns, timeout=timeout)
        with open(path, "rb") as f:
            return self.run([*argv, f"test $(wc -c) -eq {megabytes}000000"], stdin=f, ns=ns, timeout=timeout)


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    mem = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")) >> 20

    def version(*argv, line=0):
        try:
            p = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            return (p.stdout + p.stderr).strip().splitlines()[line]
        except (OSError, IndexError):
            return "not installed"

    def deb(name):
        try:
            return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True).stdout or "?"
        except OSError:
            return "?"
    sysctl = "/proc/sys/net/"
    return {
        "cpu": f"{model}, {os.cpu_count()} CPUs", "memory": f"{mem} GiB", "kernel": os.uname().release,
        "load": qshtest.read("/proc/loadavg").split()[0],
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "tcp": qshtest.read(sysctl + "ipv4/tcp_congestion_control").strip(),
        "tcp_wmem": " ".join(qshtest.read(sysctl + "ipv4/tcp_wmem").split()),
        "tcp_rmem": " ".join(qshtest.read(sysctl + "ipv4/tcp_rmem").split()),
        "qsh": version(qshtest.QSH, "-V"), "ssh": version("ssh", "-V").split(",")[0], "mosh": version("mosh", "--version"),
        "ngtcp2": deb("ngtcp2-client"), "iperf3": version("iperf3", "--version"), "rsync": version("rsync", "--version"),
    }


def median(values):
    return statistics.median(values)


def percentile(values, p):
    v = sorted(values)
    return v[min(len(v) - 1, int(p / 100 * len(v)))]
