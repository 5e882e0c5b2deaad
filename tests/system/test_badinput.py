"""Each mistake is one line that says what and where, and exit status 255."""
import os, re, socket, subprocess, time
from qshtest import *


def told(p, *parts):
    equal((p.returncode, p.out), (255, ""), p.err)
    for part in parts:
        contains(p.err, part)
    equal(p.err.count("\n"), 1, "one line: " + p.err)
    check(not re.search(r"(Sanitizer|errno|Assertion)", p.err), p.err)


@test
def hosts_and_ports(w):
    w.standard()
    told(w.qsh(w.alice, "no-such-host.invalid", "true"), "no-such-host.invalid")
    told(w.qsh(w.alice, "a..b", "true"), "a..b")
    told(w.qsh(w.alice, "-p", "2022", "127.0.0.1", "true"), "127.0.0.1", "2022", "Connection refused")
    told(w.qsh(w.alice, "-o", "ConnectTimeout=1", "-p", "2023", "192.0.2.1", "true"), "192.0.2.1")
    told(w.qsh(w.alice, "-p", "70000", "127.0.0.1", "true"), "70000")


@test
def users_and_accounts(w):
    s = w.standard("UsePAM no\n")
    denied = "Permission denied (publickey)."
    told(w.qsh(w.alice, "nobodyhere@127.0.0.1", "true"), f"nobodyhere@127.0.0.1: {denied}")
    shadow = lambda name, fields: write("/etc/shadow", "".join(l + "\n" for l in read("/etc/shadow").splitlines() if not l.startswith(name + ":")) +
                                        f"{name}:{fields}\n", mode=0o640)
    for fields, word in (("!:19000:0:99999:7:::", "locked"), ("*:19000:0:99999:7::10000:", "expired")):
        shadow("bob", fields)
        told(w.qsh(w.alice, "bob@127.0.0.1", "true"), f"bob@127.0.0.1: {denied}")
        s.logged(f"(?i)bob.*{word}")
    dan = w.add_user("dan", shell="/nonexistent/shell")
    dan.authorize(w.alice.pub())
    told(w.qsh(w.alice, "dan@127.0.0.1", "true"), f"dan@127.0.0.1: {denied}")
    for line in ("shell /nonexistent/shell does not exist",):
        s.logged(line)


@test
def an_account_that_pam_refuses(w):
    s = w.standard("UsePAM yes\n")
    lines = [l for l in read("/etc/shadow").splitlines() if not l.startswith("alice:")]
    write("/etc/shadow", "\n".join(lines + ["alice:*:19000:0:99999:7::10000:"]) + "\n", mode=0o640)
    p = w.qsh(w.alice, "127.0.0.1", "true")
    equal((p.returncode, p.out), (255, ""))
    check(0 < p.err.count("\n") <= 2, p.err)
    contains(p.err, "127.0.0.1")


@test
def host_keys(w):
    w.standard()
    os.unlink(w.alice.ssh("known_hosts"))
    p = w.qsh(w.alice, "-o", "BatchMode=yes", "127.0.0.1", "true")
    equal(p.returncode, 255)
    lines = p.err.splitlines()                     # the cause, and ssh's own words, which scripts know
    contains(lines[0], "host key is known for 127.0.0.1")
    contains(lines[0], "SHA256:")
    equal(lines[1:], ["Host key verification failed."])
    w.alice.put(".ssh/known_hosts", "127.0.0.1 ssh-ed25519 garbled!!\n")
    p = w.qsh(w.alice, "-o", "BatchMode=yes", "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "known_hosts:1")
    os.chmod(w.alice.ssh("known_hosts"), 0o000)
    p = w.qsh(w.alice, "-o", "BatchMode=yes", "127.0.0.1", "true")
    equal(p.returncode, 255)
    check(p.err.count("\n") <= 2, p.err)


@test
def malformed_authorized_keys(w):
    s = w.standard("LogLevel VERBOSE\n")
    w.alice.authorize("ssh-ed25519 !!!", "rubbish", w.alice.pub())
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    w.alice.authorize("ssh-ed25519 " + "A" * 20000)
    told(w.qsh(w.alice, "127.0.0.1", "echo in"), "Permission denied (publickey).")


@test
def something_else_listens(w):
    w.standard()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 2022))
    import threading
    stop = threading.Event()

    def answer():
        s.settimeout(0.1)
        while not stop.is_set():
            try:
                b, a = s.recvfrom(2000)
                s.sendto(b"SSH-2.0-OpenSSH_9.2\r\n" * 3, a)
            except TimeoutError:
                pass
    t = threading.Thread(target=answer, daemon=True)
    t.start()
    told(w.qsh(w.alice, "-o", "ConnectTimeout=2", "-p", "2022", "127.0.0.1", "true"), "127.0.0.1", "2022", "timed out")
    stop.set()
    t.join()


@test
def a_full_server(w):
    s = w.standard("MaxStartups 1:100:1\nLoginGraceTime 60\n")
    os.rename(w.alice.ssh("known_hosts"), w.alice.ssh("kh"))
    t = w.terminal(w.alice, "127.0.0.1", "true")
    t.expect(r"\[fingerprint\]")
    told(w.qsh(w.alice, "-o", f"UserKnownHostsFile={w.alice.ssh('kh')}", "127.0.0.1", "true"), "127.0.0.1", "full")
    t.send("no\n")
    t.wait()


@test
def nothing_is_left_half_written(w):
    """The disk is full: known_hosts is as it was, and the login goes on."""
    w.standard()
    d = "/run/small"
    os.makedirs(d)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=777", "tmpfs", d], check=True)
    kh = d + "/known_hosts"
    write(kh, "# " + "x" * 4000 + "\n", w.alice, 0o600)
    before = read(kh)
    p = w.qsh(w.alice, "-o", f"UserKnownHostsFile={kh}", "-o", "StrictHostKeyChecking=accept-new", "127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)
    after = read(kh)
    check(after == before or after == before + f"127.0.0.1 {w.host_key()}\n", f"half a line: {after[-200:]!r}")
    equal(sorted(os.listdir(d)), ["known_hosts"])
    if after == before:
        contains(p.err, kh)
