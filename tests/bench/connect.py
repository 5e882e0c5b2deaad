"""The measurement of tests/bench/connect, inside its namespaces."""
import os, shutil, statistics, subprocess, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here + "/../system")
import qshtest
from run import private_world

SSHD = "/usr/sbin/sshd"


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    return f"{model}, {os.cpu_count()} CPUs, Linux {os.uname().release}"


def once(w, argv):
    start = time.perf_counter()
    p = subprocess.run(["ip", "netns", "exec", "a", "setpriv", f"--reuid={w.alice.uid}", f"--regid={w.alice.gid}", "--clear-groups", *argv],
                       env=w.env(w.alice), stdin=subprocess.DEVNULL, capture_output=True)
    took = time.perf_counter() - start
    if p.returncode != 0:
        sys.exit(f"{argv[0]} failed: {p.stderr.decode()}")
    return took


def main():
    runs = int(sys.argv[1])
    dir = tempfile.mkdtemp(prefix="qsh-bench-")
    os.chmod(dir, 0o755)
    private_world(dir)
    w = qshtest.World(dir)
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    link = w.link()
    w.qshd("UsePAM yes\n", ns="b")
    qshtest.write(dir + "/sshd_config", "HostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM yes\nPidFile none\n")
    sshd = subprocess.Popen(["ip", "netns", "exec", "b", SSHD, "-D", "-f", dir + "/sshd_config"])
    opts = ["-F", "none", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "alice@10.99.0.2", "true"]
    ssh, qsh = [shutil.which("ssh"), *opts], [qshtest.QSH, *opts]
    probe = "import socket; socket.create_connection(('10.99.0.2', 22), 1)"
    qshtest.wait(lambda: subprocess.run(["ip", "netns", "exec", "a", sys.executable, "-c", probe],
                                        capture_output=True).returncode == 0, "sshd")
    version = subprocess.run([ssh[0], "-V"], capture_output=True, text=True).stderr.split(",")[0]
    tcp = qshtest.read("/proc/sys/net/ipv4/tcp_congestion_control").strip()
    print(f"{version}, TCP {tcp}; {machine()}; {runs} runs of each, interleaved, medians (min to max)")
    print(f"{'HOST true':<16} {'ssh':>24} {'qsh':>24} {'ratio':>7}  budget")
    for name, delay, budget in (("no delay", 0, "40 ms"), ("50 ms RTT", 25, "2 RTT + 30 ms")):
        link.set(f"delay {delay}")
        t = {"ssh": [], "qsh": []}
        for i in range(runs + 1):
            for k, argv in (("ssh", ssh), ("qsh", qsh)):
                took = once(w, argv)
                if i > 0:           # the first of each warms caches
                    t[k].append(took * 1000)
        cell = {k: f"{statistics.median(v):.0f} ms ({min(v):.0f} to {max(v):.0f})" for k, v in t.items()}
        print(f"{name:<16} {cell['ssh']:>24} {cell['qsh']:>24} {statistics.median(t['ssh']) / statistics.median(t['qsh']):>6.1f}x  {budget}")
    sshd.terminate()
    for s in w.servers:
        s.stop()
    subprocess.run(["umount", "-l", "/etc"])
    shutil.rmtree(dir, ignore_errors=True)


main()
