"""qsh's flags and keywords, each seen to do what ssh's does."""
import os, re, socket, struct, subprocess, time
from qshtest import *


def one_line(p, *parts):
    """The client failed with one line that has these parts."""
    equal(p.returncode, 255, p.err)
    equal(p.out, "")
    equal(p.err.count("\n"), 1, "one line: " + p.err)
    for part in parts:
        contains(p.err, part)


@test
def families(w):
    w.standard()
    write("/etc/hosts", "::1 both\n127.0.0.1 both\n")
    w.know(w.alice, "both")
    who = "echo $SSH_CLIENT | cut -d' ' -f1"
    equal(w.qsh(w.alice, "-4", "both", who).out, "127.0.0.1\n")
    equal(w.qsh(w.alice, "-6", "both", who).out, "::1\n")
    equal(w.qsh(w.alice, "-o", "AddressFamily=inet", "both", who).out, "127.0.0.1\n")
    equal(w.qsh(w.alice, "-o", "AddressFamily=inet6", "both", who).out, "::1\n")
    one_line(w.qsh(w.alice, "-4", "::1", "true"), "::1")


def hole(family, address, port=22):
    """A socket that takes packets and answers none; the kernel notes when each came."""
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.setsockopt(socket.SOL_SOCKET, 35, 1)                          # SO_TIMESTAMPNS
    s.bind((address, port))
    s.settimeout(30 * SLOW)
    return s


def came(s):
    """When the first packet came (seconds), by the kernel's note."""
    (_, _, data), = s.recvmsg(2000, 100)[1]
    sec, ns = struct.unpack("qq", data)
    return sec + ns / 1e9


@test
def a_silent_family_costs_a_quarter_of_a_second(w):
    """One family's packets disappear: the other one is tried 250 ms later, and wins."""
    write("/etc/hosts", "::1 both\n127.0.0.1 both\n")
    w.standard("ListenAddress 127.0.0.1\nPort 2022\n")
    w.know(w.alice, "[both]:2022")
    took = []
    for i in range(3):
        with hole(socket.AF_INET6, "::1") as six, hole(socket.AF_INET, "127.0.0.1") as four:
            p = w.spawn(w.alice, "both", "true")
            took.append(-came(six) + came(four))
            p.kill()
            p.wait()
    # What delays the first packet makes the interval shorter, what delays the second one makes it longer.
    check(max(took) >= 0.2, f"the second family was tried after {took} s, not after 250 ms")
    check(min(took) < 5 * SLOW, f"the silent family held the login up for {took} s")
    six = hole(socket.AF_INET6, "::1", 2022)
    equal(w.qsh(w.alice, "-p", "2022", "both", "echo $SSH_CLIENT | cut -d' ' -f1").out, "127.0.0.1\n")
    came(six)


@test
def the_other_silent_family(w):
    write("/etc/hosts", "::1 both\n127.0.0.1 both\n")
    w.standard("ListenAddress ::1\n")
    w.know(w.alice, "both")
    hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hole.bind(("127.0.0.1", 22))
    equal(w.qsh(w.alice, "both", "echo $SSH_CLIENT | cut -d' ' -f1").out, "::1\n")


@test
def a_refused_family_is_left_at_once(w):
    write("/etc/hosts", "::1 both\n127.0.0.1 both\n")
    w.standard("ListenAddress 127.0.0.1\n")
    w.know(w.alice, "both")
    equal(w.qsh(w.alice, "both", "echo $SSH_CLIENT | cut -d' ' -f1").out, "127.0.0.1\n")


@test
def bind_address_and_interface(w):
    w.standard()
    who = "echo $SSH_CLIENT | cut -d' ' -f1"
    equal(w.qsh(w.alice, "-b", "127.0.0.5", "127.0.0.1", who).out, "127.0.0.5\n")
    equal(w.qsh(w.alice, "-o", "BindAddress=127.0.0.6", "127.0.0.1", who).out, "127.0.0.6\n")
    write("/etc/hosts", "::1 both\n127.0.0.1 both\n")
    w.know(w.alice, "both", "127.0.0.1")
    equal(w.qsh(w.alice, "-b", "127.0.0.5", "both", who).out, "127.0.0.5\n", "an address of the other family is not left to chance")
    one_line(w.qsh(w.alice, "-b", "127.0.0.5", "::1", "true"), "127.0.0.5", "::1")
    one_line(w.qsh(w.alice, "-b", "192.0.2.1", "127.0.0.1", "true"), "192.0.2.1")
    one_line(w.qsh(w.alice, "-b", "not-an-address.invalid", "127.0.0.1", "true"), "not-an-address.invalid")
    w.root.put(".ssh/known_hosts", f"127.0.0.1 {w.host_key()}\n")
    p = w.qsh(w.root, "-B", "lo", "-i", w.alice.key, "alice@127.0.0.1", who)
    equal(p.out, "127.0.0.1\n", p.err)
    one_line(w.qsh(w.root, "-B", "nosuch0", "-i", w.alice.key, "alice@127.0.0.1", "true"), "nosuch0")
    one_line(w.qsh(w.root, "-o", "BindInterface=nosuch0", "-i", w.alice.key, "alice@127.0.0.1", "true"), "nosuch0")


@test
def forwarding_off_and_other_flags_without_effect(w):
    w.standard()
    p = w.qsh(w.alice, "-a", "-x", "-k", "127.0.0.1", "echo in")
    equal((p.out, p.err), ("in\n", ""))


@test
def flags_of_what_is_not_there_yet(w):
    w.standard()
    for f in (["-A"], ["-L", "1:x:1"], ["-R", "1:x:1"], ["-D", "1080"], ["-J", "x"], ["-W", "x:1"], ["-w", "0"], ["-X"], ["-Y"], ["-M"],
              ["-S", "x"], ["-O", "check"], ["-g"], ["-K"], ["-I", "x"], ["-c", "x"], ["-m", "x"], ["-y"]):
        one_line(w.qsh(w.alice, *f, "127.0.0.1", "echo in"), f[0], "not supported yet")


@test
def log_file(w):
    w.standard()
    log = w.alice.home + "/log"
    p = w.qsh(w.alice, "-v", "-E", log, "127.0.0.1", "echo in; echo oops >&2")
    equal((p.out, p.err), ("in\n", "oops\n"))
    contains(read(log), "debug1")
    size = len(read(log))
    w.qsh(w.alice, "-v", "-E", log, "127.0.0.1", "true")
    check(len(read(log)) > size, "appended")
    one_line(w.qsh(w.alice, "-E", "/nonexistent/log", "127.0.0.1", "true"), "/nonexistent/log")


@test
def how_much_is_said(w):
    w.standard()
    said = lambda *a: w.qsh(w.alice, *a, "127.0.0.1", "true").err
    equal(said(), "")
    v1, v2, v3 = said("-v"), said("-vv"), said("-v", "-v", "-v")
    contains(v1, "debug1")
    check("debug2" not in v1 and "debug3" not in v2, "one -v, one level")
    check("debug2" in v2 + v3 or "debug3" in v3, "-vv and -vvv say more")
    contains(said("-o", "LogLevel=DEBUG"), "debug1")
    os.unlink(w.alice.ssh("known_hosts"))
    loud = ["-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=~/.ssh/k1"]
    contains(said(*loud), "Permanently added")
    quiet = ["-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=~/.ssh/k2"]
    equal(said("-q", *quiet), "")
    contains(read(w.alice.ssh("k2")), "ssh-ed25519")
    t = w.terminal(w.alice, "-q", "-o", "UserKnownHostsFile=~/.ssh/k2", "127.0.0.1")
    t.expect(r"\$ ")
    t.send("exit\n")
    t.wait()
    check("closed." not in t.text, "-q says nothing at the end")


@test
def version(w):
    u = w.add_user("alice")
    p = w.qsh(u, "-V")
    equal((p.returncode, p.out), (0, ""))
    check(re.match(r"qsh \d+\.\d+\S*\n$", p.err), p.err)


@test
def options_behind_the_host(w):
    w.standard()
    equal(w.qsh(w.alice, "127.0.0.1", "-l", "bob", "-4", "id", "-un").out, "bob\n")
    equal(w.qsh(w.alice, "127.0.0.1", "-n", "--", "cat; echo -l", input=b"x").out, "-l\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo", "-l", "bob").out, "-l bob\n", "behind the command they are the command's")
    equal(w.qsh(w.alice, "--", "127.0.0.1", "echo", "in").out, "in\n")
    equal(w.qsh(w.alice, "ssh://bob@127.0.0.1:22", "id -un").out, "bob\n")


@test
def configuration_files_in_their_order(w):
    """~/.qsh/config, ~/.ssh/config, /etc/qsh/qsh_config, /etc/ssh/ssh_config: the first value counts."""
    w.standard()
    files = [w.alice.home + "/.qsh/config", w.alice.home + "/.ssh/config", PREFIX + "/etc/qsh/qsh_config", "/etc/ssh/ssh_config"]
    names = lambda *a: w.qsh(w.alice, "-G", *a, "name").out
    for i in reversed(range(4)):
        text = f"Host name\n  HostName h{i}\nHost *\n  User u{i}\n"
        if i < 2:
            w.alice.put(files[i].removeprefix(w.alice.home + "/"), text)
        else:
            write(files[i], text)
        out = names()
        contains(out, f"hostname h{i}\n", files[i])
        contains(out, f"user u{i}\n", files[i])
    contains(names("-o", "HostName=mine"), "hostname mine\n")
    w.alice.put("own", "Host name\n  HostName only\n")
    out = names("-F", w.alice.home + "/own")
    contains(out, "hostname only\n")
    contains(out, "user alice\n")
    out = names("-F", "none")
    contains(out, "hostname name\n")
    one_line(w.qsh(w.alice, "-F", "/nonexistent/conf", "name"), "/nonexistent/conf", "No such file")


@test
def a_configuration_at_work(w):
    w.standard("Port 2022\n")
    w.know(w.alice, "[127.0.0.1]:2022")
    w.alice.put(".ssh/more", "Match host *.2 user bob\n  RemoteCommand echo bob-by-match\n")
    w.alice.put(".ssh/config", "Include more\nHost short other\n  HostName 127.0.0.1\n  Port 2022\n  LogLevel ERROR\n"
                               f"Match host 127.0.0.1 exec \"test -e {w.alice.home}/flag-%r\"\n  User bob\nMatch all\n  SetEnv X=1\n")
    equal(w.qsh(w.alice, "short", "id -un").out, "alice\n")
    equal(w.qsh(w.alice, "other", "id -un").out, "alice\n")
    write(w.alice.home + "/flag-alice", "")
    equal(w.qsh(w.alice, "short", "id -un").out, "bob\n", "Match exec")
    contains(w.qsh(w.alice, "-G", "-l", "bob", "10.0.0.2").out, "user bob\n")
    p = w.qsh(w.alice, "-v", "-G", "bob@x.2")
    equal(p.returncode, 0, p.err)
    # What a group or others may write is not obeyed.
    os.chmod(w.alice.ssh("config"), 0o666)
    one_line(w.qsh(w.alice, "short", "true"), w.alice.ssh("config"), "Bad owner or permissions")


@test
def quic_port(w):
    """UDP goes to the ports of QuicPort, while known_hosts is asked for the port of ssh."""
    w.standard("Port 2022\n")
    w.know(w.alice, "127.0.0.1")
    port = "echo $SSH_CONNECTION | cut -d' ' -f4"
    equal(w.qsh(w.alice, "-o", "QuicPort=2022", "127.0.0.1", port).out, "2022\n")
    equal(w.qsh(w.alice, "-o", "QuicPort=2021,2022", "127.0.0.1", port).out, "2022\n", "the first one refuses")
    hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hole.bind(("127.0.0.1", 2020))
    equal(w.qsh(w.alice, "-o", "QuicPort=2020,2022", "127.0.0.1", port).out, "2022\n", "the first one is silent")
    one_line(w.qsh(w.alice, "-o", "QuicPort=0", "127.0.0.1", "true"), "QuicPort")
    one_line(w.qsh(w.alice, "-o", "QuicPort=22,x", "127.0.0.1", "true"), "QuicPort")


@test
def known_keywords_are_passed_over_with_a_debug_line(w):
    w.standard()
    w.alice.put(".ssh/config", "Ciphers aes128-ctr\nForwardAgent yes\nControlMaster auto\n")
    p = w.qsh(w.alice, "-v", "127.0.0.1", "echo in")
    equal(p.out, "in\n")
    for k in ("Ciphers", "ForwardAgent", "ControlMaster"):
        check(re.search(rf"(?m)^debug\d: .*{k}", p.err), f"no debug line names {k}: {p.err}")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").err, "")


@test
def proxies_stop(w):
    w.standard()
    for k, v in (("ProxyJump", "gate"),):
        one_line(w.qsh(w.alice, "-o", f"{k}={v}", "127.0.0.1", "echo in"), k)
        w.alice.put(".ssh/config", f"Host 127.*\n  {k} {v}\n")
        one_line(w.qsh(w.alice, "127.0.0.1", "echo in"), k)
        equal(w.qsh(w.alice, "-o", f"{k}=none", "127.0.0.1", "echo in").out, "in\n")


@test
def request_tty(w):
    w.standard()
    def on_terminal(*args):
        t = w.terminal(w.alice, *args)
        t.wait()
        return "/dev/pts/" in t.text
    check(on_terminal("-o", "RequestTTY=yes", "127.0.0.1", "tty"), "yes")
    check(not on_terminal("-o", "RequestTTY=no", "127.0.0.1", "tty"), "no")
    check(not on_terminal("-o", "RequestTTY=auto", "127.0.0.1", "tty"), "auto, with a command")
    p = w.qsh(w.alice, "-t", "127.0.0.1", "tty")
    equal(p.out, "not a tty\n")
    contains(p.err, "Pseudo-terminal will not be allocated because stdin is not a terminal.")


@test
def remote_command(w):
    w.standard()
    one_line(w.qsh(w.alice, "-o", "RemoteCommand=echo a", "127.0.0.1", "echo b"), "Cannot execute command-line and remote command")
    one_line(w.qsh(w.alice, "-s", "127.0.0.1"), "You must specify a subsystem to invoke")
    one_line(w.qsh(w.alice, "-f", "127.0.0.1"), "Cannot fork into background without a command to execute")


@test
def escape_char(w):
    w.standard()
    for arg in (["-e", "%"], ["-o", "EscapeChar=%"]):
        t = w.terminal(w.alice, *arg, "127.0.0.1")
        t.expect(r"\$ ")
        t.send("\necho a; ~.; echo $((40+2))\n")
        t.expect("42")
        t.send("\n%.")
        equal(t.wait(), 255)
    t = w.terminal(w.alice, "-e", "^]", "127.0.0.1")
    t.expect(r"\$ ")
    t.send(b"\n\x1d.")
    equal(t.wait(), 255)
    one_line(w.qsh(w.alice, "-e", "too-long", "127.0.0.1", "true"), "scape")


@test
def a_dead_server_is_noticed(w):
    """ServerAliveInterval and ServerAliveCountMax; the terminal is as before."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    w.qshd("", ns="b")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", "-o", "ServerAliveInterval=1",
            "-o", "ServerAliveCountMax=2"]
    t = w.terminal(w.alice, *opts, "alice@10.99.0.2", ns="a")
    t.expect(r"\$ ")
    time.sleep(4)                                   # silence of the user is none of the server
    t.send("echo alive-$((40+2))\n")
    t.expect("alive-42")
    l.set("down")
    equal(t.wait(30), 255)
    check(re.search(r"(?i)time(d )?out", t.text) and "10.99.0.2" in t.text, t.text)
    check(t.restored(), "restored")


@test
def a_dead_client_is_noticed(w):
    """ClientAliveInterval and ClientAliveCountMax."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    s = w.qshd("ClientAliveInterval 1\nClientAliveCountMax 2\n", ns="b")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    t = w.terminal(w.alice, *opts, "alice@10.99.0.2", ns="a")
    t.expect(r"\$ ")
    time.sleep(4)
    t.send("echo alive-$((40+2))\n")
    t.expect("alive-42")
    l.set("down")
    s.logged(r"alice 10\.99\.0\.1 port \d+: .*silent")
    wait(lambda: not any(s.children(r) for r in ("qshd-net", "qshd-monitor", "qshd-broker", "bash")), "the session to end")
    t.p.kill()


@test
def identities_from_configuration(w):
    w.standard()
    w.make_key(w.alice.home + "/.ssh/work-bob", w.alice)
    w.bob.authorize(read(w.alice.home + "/.ssh/work-bob.pub"))
    w.alice.put(".ssh/config", "IdentityFile ~/.ssh/work-%r\n")
    equal(w.qsh(w.alice, "bob@127.0.0.1", "echo in").out, "in\n")


@test
def mistakes_on_the_command_line(w):
    u = w.add_user("alice")
    for args in ([], ["-Z", "h"], ["-p"], ["-p", "0", "h"], ["-p", "65536", "h"], ["-p", "x", "h"], ["-o", "NoSuch=1", "h"], ["-o", "Port=x", "h"],
                 ["user@", "true"], ["qsh://", "true"], ["qsh://h:99999", "true"], ["", "true"], ["-oBatchMode=maybe", "h"], ["-l", "a b;c", "h"]):
        p = w.qsh(u, *args)
        equal((p.returncode, p.out), (255, ""), f"{args}: {p.err}")
        check(p.err and ("usage:" in p.err or p.err.count("\n") == 1), f"{args}: {p.err}")
    one_line(w.qsh(u, "-o", "NoSuch=1", "h"), "NoSuch")
    one_line(w.qsh(u, "-p", "x", "h"), "Bad port 'x'")
    u.put(".ssh/config", "# first\nHost *\n  NoSuchKeyword yes\n")
    one_line(w.qsh(u, "h"), w.alice.ssh("config") if hasattr(w, "alice") else ".ssh/config", "3", "NoSuchKeyword")
    u.put(".ssh/config", "Port\n")
    one_line(w.qsh(u, "h"), ".ssh/config", "1")
    u.put(".ssh/config", "Port 1 \"\n")
    one_line(w.qsh(u, "h"), ".ssh/config", "1")
