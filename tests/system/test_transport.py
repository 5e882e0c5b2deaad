"""What the transport is asked for by options, and what it finds out by itself."""
import subprocess
from qshtest import *


def opts(w):
    return ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]


def net(w, conf="", mtu=1500, **settings):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    w.l = w.link(**settings)
    for ns in ("a", "b"):
        subprocess.run(["ip", "-n", ns, "link", "set", "q0", "mtu", str(mtu)], check=True)
    return w.qshd(conf, ns="b")


@test
def the_path_mtu_is_smaller_than_the_interfaces(w):
    """Routers on the way take less, and some say nothing."""
    net(w, mtu=9000, delay=2)
    w.l.set("mtu 1400")
    p = w.qsh(w.alice, *opts(w), "alice@10.99.0.2", "cat", input=b"x" * 5_000_000, ns="a")
    equal(len(p.raw), 5_000_000, p.err)


@test
def connection_buffer(w):
    """The smallest one carries everything in both directions; what is no size, or out of range, is refused."""
    net(w, delay=5, loss=0).stop()
    w.qshd("ConnectionBuffer 1M\n", ns="b")
    p = w.qsh(w.alice, *opts(w), "-o", "ConnectionBuffer=1024k", "alice@10.99.0.2", "cat", input=b"x" * 5_000_000, ns="a")
    equal(len(p.raw), 5_000_000, p.err)
    contains(w.qsh(w.alice, *opts(w), "-G", "-o", "ConnectionBuffer=1024k", "10.99.0.2").out, "connectionbuffer 1M\n")
    for bad in ("1023K", "2G", "much"):
        p = w.qsh(w.alice, "-F", "none", "-o", f"ConnectionBuffer={bad}", "10.99.0.2", "true")
        equal((p.returncode, p.out, p.err.count("\n")), (255, "", 1), p.err)
        contains(p.err, "ConnectionBuffer")


@test
def congestion_control(w):
    net(w, delay=2, loss=0.01).stop()
    for name in ("cubic", "bbr"):
        s = w.qshd(f"CongestionControl {name}\n", ns="b")
        p = w.qsh(w.alice, *opts(w), "-o", f"CongestionControl={name}", "alice@10.99.0.2", "cat", input=b"x" * 3_000_000, ns="a")
        equal(len(p.raw), 3_000_000, f"{name}: {p.err}")
        contains(w.qsh(w.alice, *opts(w), "-G", "-o", f"CongestionControl={name}", "10.99.0.2").out, f"congestioncontrol {name}\n")
        s.stop()
    p = w.qsh(w.alice, "-F", "none", "-o", "CongestionControl=reno2", "10.99.0.2", "true")
    equal((p.returncode, p.out, p.err.count("\n")), (255, "", 1), p.err)
    contains(p.err, "CongestionControl")
    write(w.dir + "/c", "CongestionControl nosuch\n")
    p = subprocess.run([QSHD, "-t", "-f", w.dir + "/c"], capture_output=True, text=True, env=w.env(w.root))
    check(p.returncode != 0 and p.stderr.count("\n") == 1, p.stderr)
