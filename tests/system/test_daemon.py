"""qshd's flags, and keywords whose effect shows in the daemon itself."""
import os, re, signal, socket, stat, subprocess, time
from qshtest import *


def run(w, *args, user=None):
    return subprocess.run([QSHD, *args], capture_output=True, text=True, env=w.env(user or w.root), preexec_fn=w.become(user),
                          stdin=subprocess.DEVNULL, timeout=30 * SLOW)


def one_line(p, *parts):
    check(p.returncode != 0, p.stdout)
    equal(p.stderr.count("\n"), 1, "one line: " + p.stderr)
    for part in parts:
        contains(p.stderr, part)


def listening():
    """Local addresses of this world's UDP sockets."""
    out = set()
    for f, six in (("/proc/net/udp", False), ("/proc/net/udp6", True)):
        for line in read(f).splitlines()[1:]:
            a, port = line.split()[1].split(":")
            out.add(("6" if six else "4", int(port, 16)))
    return out


@test
def ports_on_the_command_line(w):
    s = w.standard("Port 22\n", args=["-p", "2022", "-p", "2023"])
    w.know(w.alice, "[127.0.0.1]:2022", "[127.0.0.1]:2023", "127.0.0.1")
    equal({p for f, p in listening()}, {2022, 2023}, "-p replaces Port")
    for p in ("2022", "2023"):
        equal(w.qsh(w.alice, "-p", p, "127.0.0.1", "echo in").out, "in\n")


@test
def families_on_the_command_line(w):
    for flag, family in (("-4", "4"), ("-6", "6")):
        s = w.qshd("Port 2022\n", args=[flag])
        equal({f for f, p in listening()}, {family}, flag)
        s.stop()


@test
def options_on_the_command_line(w):
    s = w.standard("Port 22\nPermitTTY yes\n", args=["-o", "PermitTTY=no", "-o", "SetEnv X=1"])
    contains(w.qsh(w.alice, "-tt", "127.0.0.1", "tty").err, "PTY allocation request failed")
    equal(w.qsh(w.alice, "127.0.0.1", "echo $X").out, "1\n")
    write("/etc/ssh/sshd_config", "Port 22\n")
    one_line(run(w, "-t", "-o", "NoSuch=1"), "NoSuch")


@test
def host_key_on_the_command_line(w):
    key = w.dir + "/hk"
    w.make_key(key, w.root)
    w.standard("HostKey /etc/ssh/ssh_host_ed25519_key\n", args=["-h", key])
    equal(w.qsh(w.alice, "127.0.0.1", "true").returncode, 255, "the configured key is not shown")
    w.know(w.alice, "127.0.0.1", key=w.host_key(key))
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")


@test
def host_key_keyword(w):
    key = w.dir + "/hk"
    w.make_key(key, w.root)
    w.make_key(w.dir + "/rsa", w.root, kind="rsa", extra=("-b", "2048"))
    s = w.standard(f"HostKey {w.dir}/rsa\nHostKey {key}\n")
    w.know(w.alice, "127.0.0.1", key=w.host_key(key))
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    s.stop()
    write(w.dir + "/c", f"HostKey {w.dir}/nosuch\n")
    one_line(run(w, "-t", "-f", w.dir + "/c"), w.dir + "/nosuch")
    write(w.dir + "/c", f"HostKey {w.dir}/rsa\n")
    p = run(w, "-t", "-f", w.dir + "/c")
    equal(p.returncode, 0, "/etc/ssh/ssh_host_ed25519_key is used")
    contains(p.stderr, "no Ed25519 key among the configured host keys")
    write("/etc/ssh/sshd_config", f"HostKey {w.dir}/nosuch\n")
    p = run(w, "-t")
    equal(p.returncode, 0, "sshd does not mind either")
    contains(p.stderr, w.dir + "/nosuch")
    os.chmod(key, 0o644)
    write(w.dir + "/c", f"HostKey {key}\n")
    p = run(w, "-t", "-f", w.dir + "/c")
    check(p.returncode != 0, "others can read the host key")
    contains(p.stderr, key)


@test
def a_host_key_is_made_for_root_too(w):
    for f in ("", ".pub"):
        os.unlink("/etc/ssh/ssh_host_ed25519_key" + f)
    key = PREFIX + "/etc/qsh/host_ed25519_key"
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    s = w.qshd("")
    equal(os.stat(key).st_mode & 0o777, 0o600)
    w.know(w.alice, "127.0.0.1", key=w.host_key(key))
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    before = read(key)
    s.stop()
    w.qshd("")
    equal(read(key), before, "and kept")
    equal(sorted(os.listdir(PREFIX + "/etc/qsh")), ["host_ed25519_key", "host_ed25519_key.pub"], "nothing half-written")


@test
def debug_mode_serves_one_connection(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "127.0.0.1")
    write(w.dir + "/c", "Port 22\n")
    err = open(w.dir + "/err", "wb")
    for flags, level in ((["-d"], "debug1"), (["-ddd"], "debug1")):
        p = subprocess.Popen([QSHD, *flags, "-f", w.dir + "/c"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env=w.env(w.root))
        wait(lambda: "listening on" in read(w.dir + "/err") or p.poll() is not None, "qshd -d")
        equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
        equal(p.wait(20 * SLOW), 0, "it ends with the connection")
        contains(read(w.dir + "/err"), level)
        os.truncate(w.dir + "/err", 0)


@test
def quiet(w):
    w.standard()
    w.servers[0].stop()
    log = w.dir + "/log"
    write(w.dir + "/c", "Port 22\n")
    p = subprocess.Popen([QSHD, "-q", "-D", "-E", log, "-f", w.dir + "/c"], stdin=subprocess.DEVNULL, env=w.env(w.root))
    wait(lambda: w.qsh(w.alice, "127.0.0.1", "echo in").out == "in\n", "qshd -q")
    equal(read(log), "")
    p.terminate()
    p.wait(20 * SLOW)
    one_line(run(w, "-q", "-t", "-f", "/nonexistent"), "/nonexistent")


@test
def log_to_standard_error(w):
    write(w.dir + "/c", "Port 22\n")
    p = subprocess.Popen([QSHD, "-e", "-D", "-f", w.dir + "/c"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=w.env(w.root), text=True)
    contains(p.stderr.readline(), "listening on")
    p.terminate()
    p.communicate(timeout=20 * SLOW)
    one_line(run(w, "-D", "-E", "/nonexistent/log", "-f", w.dir + "/c"), "/nonexistent/log")


@test
def mistakes_on_the_command_line(w):
    write("/etc/ssh/sshd_config", "Port 22\n")
    for args, part in ((["-p", "x"], "x"), (["-p", "0"], "0"), (["-Z"], "Z"), (["-p"], "p"), (["extra"], "extra"), (["-T", "-C", "nonsense=1"], "nonsense"),
                       (["-t", "-h", "/nonexistent/key"], "/nonexistent/key"), (["-t", "-f", "/etc"], "/etc")):
        one_line(run(w, *args), part)
    write(w.dir + "/c", "# first\n\nPort 22\n  NoSuch 1\n")
    one_line(run(w, "-t", "-f", w.dir + "/c"), w.dir + "/c", "4", "NoSuch")


@test
def what_is_in_force(w):
    """-T shows each keyword that is obeyed, and what Match makes of it (-C)."""
    write(w.dir + "/c", "Match Address 10.0.0.0/8\n  MaxSessions 1\nMatch LocalPort 2022\n  Banner /b\nMatch Group root\n  SetEnv G=1\n"
                        "Match Host *.example.org\n  ForceCommand x y\nMatch LocalAddress 192.0.2.1\n  PermitTTY no\nMatch User alice,b*\n  MaxAuthTries 2\n")
    dump = lambda *c: run(w, "-T", "-f", w.dir + "/c", *[x for s in c for x in ("-C", s)]).stdout.splitlines()
    plain = dump()
    for line in ("port 22", "maxsessions 10", "permittty yes", "maxauthtries 6", "usepam no", "logingracetime 120", "maxstartups 10:30:100",
                 "clientaliveinterval 0", "loglevel INFO", "syslogfacility AUTH", "strictmodes yes"):
        check(line in plain, f"{line}: {plain}")
    for spec, line in (("user=x,addr=10.1.1.1", "maxsessions 1"), ("user=x,lport=2022", "banner /b"), ("user=root", "setenv G=1"),
                       ("user=x,host=a.example.org", "forcecommand x y"), ("user=x,laddr=192.0.2.1", "permittty no"), ("user=bob", "maxauthtries 2")):
        check(line not in plain, line)
        out = dump(spec)
        check(line in out, f"{spec}: no {line} in {out}")


@test
def the_unprivileged_account(w):
    other = w.add_user("netonly", key=False)
    s = w.standard("UnprivilegedUser netonly\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    uid = dict(l.split(":", 1) for l in read(f"/proc/{s.children('qshd-listener')[0]}/status").splitlines())["Uid"].split()[0]
    equal(uid, str(other.uid))
    write(w.dir + "/c", "UnprivilegedUser nobodyhere\n")
    one_line(run(w, "-t", "-f", w.dir + "/c"), "nobodyhere", "useradd")
    write(w.dir + "/c", "UnprivilegedUser root\n")
    check(run(w, "-t", "-f", w.dir + "/c").returncode != 0, "root is not unprivileged")


@test
def pam_service_name(w):
    write("/etc/pam.d/qtest", "auth required pam_permit.so\naccount required pam_deny.so\nsession required pam_permit.so\n")
    write("/etc/pam.d/qtest2", "account required pam_permit.so\nsession required pam_deny.so\n")
    s = w.standard("UsePAM yes\nPAMServiceName qtest\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""), "the account stage denies")
    write(s.conf, "UsePAM yes\nPAMServiceName qtest2\n")
    s.hup()
    wait(lambda: (w.qsh(w.alice, "127.0.0.1", "echo in"), "PAM: session" in s.log())[1], "the session stage to deny")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""), "the session stage denies")
    write(s.conf, "UsePAM yes\n")
    s.hup()
    wait(lambda: w.qsh(w.alice, "127.0.0.1", "echo in").out == "in\n", "the service sshd permits")


@test
def nologin_without_pam(w):
    w.standard("UsePAM no\n")
    write("/etc/nologin", "going down for repairs\n")
    w.root.put(".ssh/authorized_keys", w.alice.pub() + "\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""))
    contains(p.err, "going down for repairs")
    equal(w.qsh(w.alice, "root@127.0.0.1", "echo in").out, "in\n")


@test
def no_motd_and_no_last_login(w):
    write("/etc/motd", "message of the day\n")
    s = w.standard("UsePAM no\nPrintMotd no\nPrintLastLog no\n")
    for i in range(2):
        t = w.terminal(w.alice, "127.0.0.1")
        t.expect(r"\$ ")
        t.send("exit\n")
        t.wait()
    check("message of the day" not in t.text and "Last login" not in t.text, t.text)


@test
def login_records(w):
    """utmp, wtmp and lastlog, each with the client's address; a command without a terminal leaves none."""
    s = w.standard()
    w.qsh(w.alice, "127.0.0.1", "true")
    equal(os.path.getsize("/var/log/wtmp"), 0, "no terminal, no record")
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    wait(lambda: b"alice" in open("/run/utmp", "rb").read(), "utmp")
    t.send("exit\n")
    t.wait()
    wait(lambda: open("/var/log/wtmp", "rb").read().count(b"pts/") >= 2, "login and logout in wtmp")
    check(b"alice" in open("/var/log/wtmp", "rb").read(), "wtmp")
    with open("/var/log/lastlog", "rb") as f:
        f.seek(w.alice.uid * 292)
        rec = f.read(292)
    contains(rec, "pts/", "lastlog")
    contains(rec, "127.0.0.1", "lastlog")


@test
def subsystem_force_command_and_set_env(w):
    s = w.standard("Subsystem a /bin/echo sub-a\nMatch User bob\n  ForceCommand echo forced:$SSH_ORIGINAL_COMMAND\n  Subsystem a /bin/false\n")
    equal(w.qsh(w.alice, "-s", "127.0.0.1", "a").out, "sub-a\n")
    equal(w.qsh(w.alice, "bob@127.0.0.1", "x y").out, "forced:x y\n")
    equal(w.qsh(w.alice, "bob@127.0.0.1").out, "forced:\n")


@test
def authentication_methods_any_and_none(w):
    s = w.standard("AuthenticationMethods any\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    s.stop()
    w.make_key(w.alice.home + "/.ssh/two", w.alice)
    w.qshd("AuthenticationMethods publickey,publickey\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").returncode, 255, "one key of two")
    w.alice.authorize(w.alice.pub(), read(w.alice.home + "/.ssh/two.pub"))
    p = w.qsh(w.alice, "-i", w.alice.key, "-i", w.alice.home + "/.ssh/two", "127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)


@test
def syslog(w):
    """Without -e and -E the log goes to the system log, with SyslogFacility."""
    w.standard()
    w.servers[0].stop()
    # A /dev of this test's own, with devices made anew: nothing of the machine's is within reach.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/dev"], check=True)
    os.umask(0)
    for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        os.mknod("/dev/" + name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
    os.umask(0o022)
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    log.settimeout(0.1)
    write(w.dir + "/c", f"Port 22\nSyslogFacility LOCAL3\nPidFile {w.dir}/pid\n")
    subprocess.run([QSHD, "-f", w.dir + "/c"], check=True, env=w.env(w.root), timeout=30 * SLOW)
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    text = ""

    def accepted():
        nonlocal text
        try:
            text += log.recv(4096).decode() + "\n"
        except TimeoutError:
            pass
        return "Accepted publickey for alice" in text
    wait(accepted, "the login in the system log")
    line = next(l for l in text.splitlines() if "Accepted" in l)
    check(line.startswith("<158>"), "local3.info: " + line)
    contains(line, "qshd")
    os.kill(int(read(w.dir + "/pid")), signal.SIGTERM)
    wait(lambda: not os.path.exists(w.dir + "/pid"), "the daemon to end")


@test
def user_mode_says_where_it_listens(w):
    u = w.add_user("alice")
    p = subprocess.Popen([QSHD, "-D"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=w.env(u), preexec_fn=w.become(u), text=True)
    text = ""
    while "SHA256:" not in text or "8022" not in text:
        line = p.stdout.readline()
        check(line, "it ended: " + text)
        text += line
    p.terminate()
    p.wait(20 * SLOW)
    p = subprocess.Popen([QSHD, "-D", "-p", "9022"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=w.env(u),
                         preexec_fn=w.become(u), text=True)
    contains(p.stdout.readline(), "9022")
    p.terminate()
    p.wait(20 * SLOW)


@test
def many_listen_addresses(w):
    conf = "".join(f"ListenAddress {a}\n" for a in ("127.0.0.1", "127.0.0.2:2022", "[::1]:2023", "::1"))
    w.standard(conf)
    w.know(w.alice, "127.0.0.1", "[127.0.0.2]:2022", "[::1]:2023", "::1")
    for port, a in (("22", "127.0.0.1"), ("2022", "127.0.0.2"), ("2023", "::1"), ("22", "::1")):
        equal(w.qsh(w.alice, "-p", port, a, "echo $SSH_CONNECTION | cut -d' ' -f3,4").out, f"{a} {port}\n")
    w.servers[0].stop()
    write(w.dir + "/c", "ListenAddress 192.0.2.77\n")
    p = run(w, "-D", "-e", "-f", w.dir + "/c")
    check(p.returncode != 0, "an address that is not here")
    contains(p.stderr, "192.0.2.77")
