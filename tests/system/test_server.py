"""The daemon: user mode, roles and their limits, signals, crashes."""
import os, re, signal, subprocess, time
from qshtest import *

ROLES = ("qshd-net", "qshd-monitor", "qshd-broker")


@test
def user_mode_serves_only_that_user(w):
    w.alice, w.bob = w.add_user("alice"), w.add_user("bob")
    for u in (w.alice, w.bob):
        u.authorize(w.alice.pub())
    s = w.qshd("", user=w.alice)
    text = s.log() + s.err()
    contains(text, "8022")
    w.know(w.alice, "[127.0.0.1]:8022", key=w.host_key(w.alice.home + "/.qsh/host_ed25519_key")
           if os.path.exists(w.alice.home + "/.qsh/host_ed25519_key") else w.host_key())
    equal(w.qsh(w.alice, "-p", "8022", "127.0.0.1", "id -un").out, "alice\n")
    p = w.qsh(w.alice, "-p", "8022", "bob@127.0.0.1", "id -un")
    equal((p.returncode, p.out), (255, ""))
    t = w.terminal(w.alice, "-p", "8022", "127.0.0.1")
    t.expect(r"\$ ")
    t.send("tty\n")
    t.expect("/dev/pts/")
    t.send("exit\n")
    equal(t.wait(), 0)


def status(pid):
    return dict(l.split(":", 1) for l in read(f"/proc/{pid}/status").splitlines())


@test
def roles_run_as_they_should(w):
    s = w.standard()
    p = w.spawn(w.alice, "bob@127.0.0.1", "read x")
    bash = wait(lambda: s.children("bash"), "the shell")
    uid = lambda pid: status(pid)["Uid"].split()[0]
    qshd = subprocess.run(["id", "-u", "qshd"], capture_output=True, text=True).stdout.strip()
    (net,), (bro,), (lis,) = s.children("qshd-net"), s.children("qshd-broker"), s.children("qshd-listener")
    mon = int(status(net)["PPid"])
    equal(uid(net), qshd, "qshd-net")
    equal(uid(lis), qshd, "qshd-listener")
    equal(uid(mon), "0", "qshd-monitor")
    equal(uid(bro), str(w.bob.uid), "qshd-broker")
    for pid in (net, lis):
        st = status(pid)
        equal(st["Seccomp"].strip(), "2", f"seccomp filter of {pid}")
        equal(st["NoNewPrivs"].strip(), "1")
        equal(int(st["CapEff"], 16), 0, "no capabilities")
        equal(st["Groups"].split(), [] if st["Groups"].strip() == "" else st["Groups"].split(), "groups")
        check(os.listdir(f"/proc/{pid}/root") == [], f"{pid} sees an empty root")
    for pid in (net, mon, bro, lis):
        env = [v for v in read(f"/proc/{pid}/environ").split("\0") if not re.match("(A|L|UB)SAN_OPTIONS=", v)]
        equal(env, [""], f"environment of {pid}")  # but for what a build with sanitizers passes on
    if "libasan" not in read(f"/proc/{bro}/maps"):
        equal(os.stat(f"/proc/{bro}/environ").st_uid, 0, "the user's programs cannot trace the broker")
        equal(os.readlink(f"/proc/{bro}/fd/2"), "/dev/null", "the broker has nothing of the administrator's")
    p.communicate(b"\n", 30 * SLOW)


@test
def a_crash_of_one_connection_touches_no_other(w):
    s = w.standard()
    a = w.spawn(w.alice, "127.0.0.1", "read x; echo a-$x")
    wait(lambda: len(s.children("qshd-net")) == 1 and s.children("bash"), "first")
    first = s.children("qshd-net")[0]
    b = w.spawn(w.alice, "127.0.0.1", "read x; echo b-$x")
    wait(lambda: len(s.children("qshd-net")) == 2 and len(s.children("bash")) == 2, "second")
    os.kill(first, signal.SIGSEGV)
    s.logged(r"(?i)127\.0\.0\.1.*(signal|crash|ended)|(signal|crash).*127\.0\.0\.1")
    out, err = b.communicate(b"lives\n", 30 * SLOW)
    equal((b.returncode, out), (0, b"b-lives\n"))
    wait(lambda: not any(s.children(r) for r in ROLES), "the crashed connection's roles to end")
    a.kill()
    equal(w.qsh(w.alice, "127.0.0.1", "echo new").out, "new\n")


@test
def a_terminal_is_hung_up_when_the_connection_dies(w):
    s = w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("sh -c 'trap \"touch ~/hup; exit\" HUP; echo s''et; while :; do sleep 0.05; done'\n")
    t.expect("set\r\n")
    os.kill(s.children("qshd-net")[0], signal.SIGKILL)
    wait(lambda: os.path.exists(w.alice.home + "/hup"), "SIGHUP at the shell")
    t.p.kill()


@test
def sigterm_stops_listening_and_sessions_live_on(w):
    s = w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    s.stop()
    equal(s.p.returncode, 0)
    t.send("echo still-$((40+2))\n")
    t.expect("still-42")
    equal(w.qsh(w.alice, "-o", "ConnectTimeout=5", "127.0.0.1", "true").returncode, 255, "nobody listens")
    w.qshd("")
    equal(w.qsh(w.alice, "127.0.0.1", "echo new").out, "new\n", "a new qshd on the same port")
    t.send("echo and-$((40+3))\n")
    t.expect("and-43")
    t.send("exit\n")
    equal(t.wait(), 0)


@test
def sighup_keeps_sessions_and_bad_configurations_out(w):
    s = w.standard("PermitTTY yes\n")
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    write(s.conf, "Port 22\nPort 2022\n")
    w.know(w.alice, "127.0.0.1", "[127.0.0.1]:2022")
    s.hup()
    wait(lambda: w.qsh(w.alice, "-o", "ConnectTimeout=2", "-p", "2022", "127.0.0.1", "echo in").out == "in\n", "the new port")
    write(s.conf, "NoSuchKeyword x\n")
    s.hup()
    s.logged("NoSuchKeyword")
    equal(w.qsh(w.alice, "-p", "2022", "127.0.0.1", "echo in").out, "in\n", "the old configuration holds")
    t.send("echo still-$((40+2))\n")
    t.expect("still-42")
    t.send("exit\n")
    t.wait()


@test
def a_monitor_ended_by_the_administrator(w):
    s = w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    os.kill(wait(lambda: s.children("qshd-monitor"), "the monitor")[0], signal.SIGTERM)
    equal(t.wait(), 255)
    contains(t.text, "127.0.0.1 closed by remote host")
    check(t.restored(), "restored")
    wait(lambda: not any(s.children(r) for r in ROLES), "all roles to end")


@test
def the_listener_is_started_again(w):
    s = w.standard()
    lis = s.children("qshd-listener")[0]
    os.kill(lis, signal.SIGKILL)
    wait(lambda: s.children("qshd-listener") not in ([], [lis]), "a new listener")
    equal(w.qsh(w.alice, "-o", "ConnectTimeout=10", "127.0.0.1", "echo in").out, "in\n")


@test
def no_descriptors_leak_into_sessions(w):
    w.standard()
    out = w.qsh(w.alice, "127.0.0.1", "ls -l /proc/self/fd").out
    fds = re.findall(r" (\d+) -> ", out)
    equal(sorted(map(int, fds))[:3], [0, 1, 2])
    check(len(fds) == 4, out)       # and the folder that ls reads


@test
def the_roles_link_only_what_they_need(w):
    need_program("readelf", "binutils")
    for role in ("libexec/qsh/qshd-monitor", "libexec/qsh/qshd-broker", "sbin/qshd"):
        path = f"{PREFIX}/{role}"
        out = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
        check("(NEEDED)" in out, role)
        for lib in ("ngtcp2", "gnutls", "libssl"):
            check(lib not in out, f"{role} links {lib}")


@test
def a_role_is_not_run_by_hand(w):
    for role in ("qshd-net", "qshd-monitor", "qshd-broker", "qshd-listener"):
        p = subprocess.run([f"{PREFIX}/libexec/qsh/{role}"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        check(p.returncode != 0 and p.stderr.strip() and p.stderr.strip().count("\n") == 0, f"{role}: {p.stderr}")


@test
def daemon_with_pid_file(w):
    w.standard()
    write(w.dir + "/conf", f"Port 2022\nPidFile {w.dir}/pid\n")
    p = subprocess.run([QSHD, "-f", w.dir + "/conf", "-E", w.dir + "/log"], env=w.env(w.root), capture_output=True, text=True, timeout=30 * SLOW)
    equal((p.returncode, p.stderr), (0, ""))
    w.know(w.alice, "[127.0.0.1]:2022")
    equal(w.qsh(w.alice, "-p", "2022", "127.0.0.1", "echo in").out, "in\n", "ready when the parent returned")
    pid = int(read(w.dir + "/pid"))
    os.kill(pid, signal.SIGTERM)
    wait(lambda: not os.path.exists(w.dir + "/pid"), "the daemon to end")
