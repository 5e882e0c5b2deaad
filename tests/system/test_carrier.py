"""Logins over a byte stream: TCP, ProxyCommand, qshd -i."""
import hashlib, os, re, signal, socket, struct, subprocess, threading, time
from qshtest import *

TCP = "TcpListenAddress 127.0.0.1:8022\n"


def silent_udp(port=9):
    """A UDP port that takes everything and answers nothing: a network that blocks UDP."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    return s


def tcp_args(user, *more):
    # The host key stays filed under the port of Port; only UDP packets go astray.
    return ["-o", "QuicPort=9", "-o", "TcpPort=8022", "-i", user.key, *more]


class TcpServer:
    """Something else than qshd on a TCP port: runs answer(connection) for each client."""

    def __init__(self, answer, port=8022):
        self.s = socket.create_server(("127.0.0.1", port))
        self.answer = answer
        self.port = port
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with c:
            try:
                self.answer(c)
            except OSError:
                pass


def script(w, name, text):
    path = f"{w.dir}/{name}"
    write(path, text, mode=0o755)
    return path


# What a ProxyCommand does: its standard input and output to a TCP port and back.
RELAY = """#!/usr/bin/env python3
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while True:
        b = os.read(0, 65536)
        if not b:
            break
        s.sendall(b)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while True:
    b = s.recv(65536)
    if not b:
        break
    while b:
        b = b[os.write(1, b):]
"""


def world_files(w):
    os.chmod(w.dir, 0o755)


# ---- TCP ----------------------------------------------------------------------------

@test
def login_by_tcp_where_udp_is_blocked(w):
    s = w.standard(TCP)
    contains(s.log(), "listening on TCP 127.0.0.1 port 8022")
    with silent_udp():
        p = w.qsh(w.alice, "-v", *tcp_args(w.alice), "bob@127.0.0.1", "whoami; echo $SSH_CONNECTION; exit 7")
        equal(p.returncode, 7, p.err)
        equal(p.out.split("\n")[0], "bob")
        check(re.match(r"127\.0\.0\.1 \d+ 127\.0\.0\.1 8022$", p.out.split("\n")[1]), p.out)
        contains(p.err, "by TCP")
        contains(p.err, "over TCP")
        port = p.out.split("\n")[1].split()[1]
        s.logged(rf"Accepted publickey for bob from 127\.0\.0\.1 port {port}")
        s.logged(r"Disconnected from user bob")
    # and back on UDP with the next connection
    p = w.qsh(w.alice, "-v", "-o", "TcpPort=8022", "bob@127.0.0.1", "echo $SSH_CONNECTION")
    equal(p.returncode, 0, p.err)
    check(p.out.strip().endswith(" 127.0.0.1 22"), p.out)
    contains(p.err, "over UDP")


@test
def udp_refused_leads_to_tcp_at_once(w):
    w.standard(TCP)
    p = w.qsh(w.alice, "-v", *tcp_args(w.alice), "bob@127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)


@test
def tcp_port_is_off_by_default(w):
    s = w.standard()
    check("TCP" not in s.log(), s.log())
    p = w.qsh(w.alice, "-v", "bob@127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)
    check("by TCP" not in p.err, p.err)


@test
def ten_megabytes_each_way_over_tcp(w):
    w.standard(TCP)
    data = os.urandom(10 << 20)
    with silent_udp():
        p = w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "cat", input=data)
        equal(p.returncode, 0, p.err)
        equal(hashlib.sha256(p.raw).digest(), hashlib.sha256(data).digest(), "what came back")
        p = w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "sha256sum", input=data)
        equal(p.out.split()[0], hashlib.sha256(data).hexdigest())


@test
def terminal_signals_and_state_over_tcp(w):
    w.standard(TCP)
    with silent_udp():
        t = w.terminal(w.alice, "-tt", *tcp_args(w.alice), "bob@127.0.0.1", "trap 'echo got it; exit 3' INT; echo ready; while :; do sleep 0.1; done")
        t.expect("ready")
        t.send("\r~s")
        t.expect(r"127\.0\.0\.1 port 8022")
        t.expect(r"over TCP")
        t.send("\x03")
        t.expect("got it")
        equal(t.wait(), 3)
        check(t.restored(), "the terminal's modes")


@test
def killed_by_a_signal_over_tcp(w):
    w.standard(TCP)
    with silent_udp():
        p = w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "kill -TERM $$; sleep 60")
        check(p.returncode != 0, p.returncode)


@test
def the_end_of_the_tcp_connection_is_told(w):
    s = w.standard(TCP)
    with silent_udp():
        p = w.spawn(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "echo up; sleep 600")
        equal(p.stdout.readline(), b"up\n")
        for pid in s.children("qshd-net"):
            os.kill(pid, signal.SIGKILL)
        out, err = p.communicate(timeout=30 * SLOW)
        equal(p.returncode, 255)
        contains(err, "Connection to 127.0.0.1 lost: the TCP connection")


@test
def rules_by_address_hold_over_tcp(w):
    s = w.standard(TCP)
    w.bob.authorize(f'from="10.0.0.0/8" {w.alice.pub()}')
    with silent_udp():
        p = w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "echo in")
        equal(p.returncode, 255)
    s.logged(r"127\.0\.0\.1 port \d+")


# ---- what is not qshd ----------------------------------------------------------------

def refused_with(w, answer, *words):
    w.alice = w.add_user("alice")
    srv = TcpServer(answer)
    with silent_udp():
        p = w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "true", timeout=60)
    equal(p.returncode, 255)
    for x in words:
        contains(p.err, x)
    equal(len(p.err.strip().split("\n")), 1, p.err)
    srv.s.close()


@test
def an_ssh_server_is_told(w):
    refused_with(w, lambda c: (c.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), c.recv(1 << 20), c.recv(1)),
                 "port 8022 by TCP", "what answers there is an SSH server")


@test
def a_web_server_is_told(w):
    def web(c):
        c.recv(100)
        c.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    refused_with(w, web, "what answers there is a web server")


@test
def a_server_that_hangs_up_is_told(w):
    refused_with(w, lambda c: c.recv(100), "TCP connection")


@test
def garbage_from_a_tcp_client(w):
    """None of it may end the server, hang it or hold a process."""
    s = w.standard(TCP + "LoginGraceTime 2\nLogLevel DEBUG1\n")
    hello = b"QSHF/1\r\n"
    for text in (b"SSH-2.0-OpenSSH_9.2\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" + bytes(500),
                 hello + b"\0\0", hello + b"\0\1\0", hello + b"\xff\xff" + bytes(65535), hello + b"\x04\xb0" + os.urandom(1200),
                 os.urandom(5000), hello + b"\x04\xb0\xc0\0\0\0\1\x08" + bytes(1193), b"Q" * 300, hello[:5]):
        c = socket.create_connection(("127.0.0.1", 8022))
        c.settimeout(30 * SLOW)
        try:
            c.sendall(text)
            while c.recv(65536):
                pass
        except ConnectionResetError:
            pass
        c.close()
    s.logged("is an SSH client")
    s.logged("is a web client")
    # silent, and half a frame: LoginGraceTime ends them
    for text in (b"", hello, hello + b"\x04\xb0" + bytes(100)):
        c = socket.create_connection(("127.0.0.1", 8022))
        c.settimeout(60 * SLOW)
        try:
            c.sendall(text)
            while c.recv(65536):
                pass
        except ConnectionResetError:
            pass
        c.close()
    wait(lambda: not s.children("qshd-net"), "their processes to end")
    with silent_udp():
        p = w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "echo in")
        equal(p.out, "in\n", p.err)
    check("signal" not in s.log(), s.log())


@test
def an_ssh_client_is_answered(w):
    w.standard(TCP)
    with socket.create_connection(("127.0.0.1", 8022)) as c:
        c.settimeout(30 * SLOW)
        c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        contains(c.recv(1000), "it speaks qsh, and nothing else")


@test
def max_startups_counts_tcp(w):
    s = w.standard(TCP + "MaxStartups 2\nLoginGraceTime 120\n")
    held = [socket.create_connection(("127.0.0.1", 8022)) for _ in range(2)]
    wait(lambda: len(s.children("qshd-net")) == 2, "two connections that say nothing")
    with silent_udp():
        p = w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "echo in")
        equal(p.returncode, 255)
        contains(p.err, "the server is full")
        s.logged(r"refused connection from 127\.0\.0\.1 port \d+ on 127\.0\.0\.1 port 8022: 2 not authenticated yet")
        for c in held:
            c.close()
        wait(lambda: not s.children("qshd-net"), "their end")

        def in_again():
            return w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "echo in").out == "in\n"
        wait(in_again, "a login once they are gone")


@test
def connections_opened_and_dropped(w):
    """Many connections that say nothing, half a greeting or half a packet: the server keeps nothing of them."""
    s = w.standard(TCP + "MaxStartups 20\nLoginGraceTime 120\n")
    listener, = s.children("qshd-listener")

    def fds():
        return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in (listener, s.p.pid)}
    before = fds()
    texts = (b"", b"QSHF", b"QSHF/1\r\n", b"QSHF/1\r\n\x04", b"QSHF/1\r\n\x04\xb0" + bytes(600), b"QSHF/1\r\n\xff\xff" + bytes(30000))
    for i in range(1000):
        with socket.create_connection(("127.0.0.1", 8022)) as c:
            try:
                c.sendall(texts[i % len(texts)])
            except OSError:
                pass    # refused: there are 20 already
    wait(lambda: not s.children("qshd-net"), "their processes to end", 60)
    # A process that is kept ready for the next client is one more or less.
    wait(lambda: all(n <= before[pid] + 4 for pid, n in fds().items()), f"the descriptors to be as before: {before}, {fds()}")
    with silent_udp():
        def in_again():
            return w.qsh(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "echo in").out == "in\n"
        wait(in_again, "a login afterwards")


@test
def a_frame_sent_byte_by_byte_is_ended(w):
    """Who sends a little now and then does not outlast LoginGraceTime."""
    s = w.standard(TCP + "LoginGraceTime 3\n")
    c = socket.create_connection(("127.0.0.1", 8022))
    c.settimeout(0.1)
    c.sendall(b"QSHF/1\r\n\x04\xb0")
    end = time.monotonic() + 60 * SLOW
    while True:
        check(time.monotonic() < end, "it is still there")
        try:
            c.sendall(b"\0")
            if c.recv(100) == b"":
                break
        except TimeoutError:
            pass
        except OSError:
            break
    wait(lambda: not s.children("qshd-net"), "its process to end")


@test
def tcp_addresses_change_with_sighup(w):
    s = w.standard(TCP)
    write(s.conf, "TcpListenAddress 127.0.0.1:8044\n")
    s.hup()
    s.logged(r"no longer listening on TCP 127\.0\.0\.1 port 8022")
    with silent_udp():
        p = w.qsh(w.alice, "-o", "QuicPort=9", "-o", "TcpPort=8044", "bob@127.0.0.1", "echo in")
        equal(p.out, "in\n", p.err)


@test
def the_reason_arrives_while_the_client_sends(w):
    """The server ends a connection whose client writes as fast as it can: the reason is read, not a reset."""
    s = w.standard(TCP)
    w.bob.authorize(f'command="head -c 100000 >/dev/null; kill -STOP $$" {w.alice.pub()}')
    with silent_udp():
        p = w.spawn(w.alice, *tcp_args(w.alice), "bob@127.0.0.1", "true", stdin=open("/dev/zero", "rb"))
        wait(lambda: s.children("qshd-broker"), "the session")
        s.logged("Accepted publickey for bob")
        for pid in s.children("qshd-broker"):
            os.kill(pid, signal.SIGKILL)
        out, err = p.communicate(timeout=60 * SLOW)
    equal(p.returncode, 255)
    contains(err, "process has ended")   # who noticed first says it


@test
def kept_records_over_tcp(w):
    """KeyLogFile and QLogDirectory record a connection over TCP as one over UDP."""
    import test_trace
    server = test_trace.folder(w.dir + "/qlog", w.root)
    w.standard(TCP + f"QLogDirectory {server}\n")
    client = test_trace.folder(w.alice.home + "/qlog", w.alice)
    with silent_udp():
        # Of the first attempt, by UDP, there is a record too.
        p = w.qsh(w.alice, *tcp_args(w.alice), "-o", "QLogDirectory=~/qlog", "-o", "KeyLogFile=~/keys", "bob@127.0.0.1", "head -c 300000 /dev/zero")
    equal(len(p.raw), 300000, p.err)
    for dir in (server, client):
        names = {r["name"] for f in os.listdir(dir) for r in test_trace.events(f"{dir}/{f}")[1:]}
        for event in ("transport:packet_sent", "transport:packet_received"):
            check(event in names, f"{dir} has no {event}")
    secrets = test_trace.keys(w.alice.home + "/keys")
    check(test_trace.NEEDED <= {label for label, _ in secrets}, secrets.keys())


# ---- ProxyCommand -----------------------------------------------------------------------

@test
def proxy_command_to_a_tcp_port(w):
    s = w.standard(TCP)
    relay = script(w, "relay", RELAY)
    world_files(w)
    data = os.urandom(10 << 20)
    p = w.qsh(w.alice, "-v", "-o", f"ProxyCommand={relay} %h 8022", "bob@127.0.0.1", "cat; exit 5", input=data)
    equal(p.returncode, 5, p.err)
    equal(hashlib.sha256(p.raw).digest(), hashlib.sha256(data).digest(), "what came back")
    contains(p.err, "over ProxyCommand")
    s.logged(r"Accepted publickey for bob from 127\.0\.0\.1 port \d+")


@test
def proxy_command_tokens(w):
    w.alice = w.add_user("alice")
    world_files(w)
    p = w.qsh(w.alice, "-p", "77", "-o", "Hostname=real.%h", "-o", "ProxyCommand=echo h=%h p=%p r=%r n=%n 100%% >&2; exit 4", "bob@nick", "true")
    equal(p.returncode, 255)
    contains(p.err, "h=real.nick p=77 r=bob n=nick 100%")
    p = w.qsh(w.alice, "-o", "ProxyCommand=echo %d", "bob@nick", "true")
    equal(p.returncode, 255)
    contains(p.err, "%d is not a token")


@test
def proxy_command_that_fails(w):
    w.alice = w.add_user("alice")
    for command, words in (("exit 3", "ended before anything came from it (exit status 3)"),
                           ("/nonexistent/program", "exit status 127"),
                           ("echo hello there", 'it says "hello there"'),
                           ("true", "ended before anything came from it"),
                           ("printf 'SSH-2.0-OpenSSH_9.2\\r\\n'; exec sleep 600", "is an SSH server, not qshd")):
        p = w.qsh(w.alice, "-o", "ProxyCommand=sh -c \"" + command + "\"", "bob@h", "true")
        equal(p.returncode, 255)
        contains(p.err, words)
        contains(p.err, "qsh: connect to host h by ProxyCommand:")


@test
def proxy_command_that_leads_to_sshd(w):
    """A command that somebody has for ssh: one line says what is wrong, and what to do."""
    w.alice = w.add_user("alice")
    relay = script(w, "relay", RELAY)
    world_files(w)
    srv = TcpServer(lambda c: (c.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n"), c.recv(1 << 20), c.recv(1)), port=2222)
    w.alice.put(".ssh/config", f"Host h\n  ProxyCommand {relay} 127.0.0.1 2222\n")
    p = w.qsh(w.alice, "bob@h", "true")
    equal(p.returncode, 255)
    contains(p.err, 'what answers there is an SSH server, not qshd: the command has to lead to qshd, to its TcpListenAddress or "qshd -i"')
    equal(len(p.err.strip().split("\n")), 1, p.err)
    check("exit status" not in p.err, p.err)
    srv.s.close()


@test
def proxy_command_that_ends_early(w):
    w.standard(TCP)
    relay = script(w, "relay", RELAY)
    world_files(w)
    p = w.spawn(w.alice, "-o", f"ProxyCommand={relay} 127.0.0.1 8022", "bob@127.0.0.1", "echo up; sleep 600")
    equal(p.stdout.readline(), b"up\n")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if relay.encode() in open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0"):
            os.kill(int(pid), signal.SIGKILL)
    out, err = p.communicate(timeout=30 * SLOW)
    equal(p.returncode, 255)
    contains(err, "Connection to 127.0.0.1 lost: the ProxyCommand ended")


PASS = """#!/usr/bin/env python3
import os, socket, sys
if sys.argv[1] == "udp":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", 22)); fds = [s.fileno()]
elif sys.argv[1] == "file":
    fds = [os.open("/etc/passwd", os.O_RDONLY)]
elif sys.argv[1] == "unconnected":
    s = socket.socket(); fds = [s.fileno()]
else:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); fds = [s.fileno(), 2]
socket.send_fds(socket.socket(fileno=1), [b"x"], fds)
"""


@test
def proxy_command_that_passes_a_connection(w):
    s = w.standard(TCP)
    cmd = script(w, "pass", PASS)
    world_files(w)
    data = os.urandom(3 << 20)
    opts = ["-o", "ProxyUseFdpass=yes", "-o", f"ProxyCommand={cmd} %h 8022"]
    p = w.qsh(w.alice, "-v", *opts, "bob@127.0.0.1", "cat; exit 5", input=data)
    equal(p.returncode, 5, p.err)
    equal(hashlib.sha256(p.raw).digest(), hashlib.sha256(data).digest(), "what came back")
    contains(p.err, "over TCP")
    s.logged(r"Accepted publickey for bob from 127\.0\.0\.1 port \d+")


@test
def proxy_command_that_passes_something_else(w):
    w.standard(TCP)
    cmd = script(w, "pass", PASS)
    world_files(w)
    for command, words in ((f"{cmd} udp", "passed a datagram socket"), (f"{cmd} file", "passed what is not a socket"),
                           (f"{cmd} unconnected", "passed a socket that is not connected"),
                           ("echo hello", "sent bytes and no connection"),
                           ("true", "ended before it passed a connection"),
                           ("sh -c 'exit 3'", "ended before it passed a connection (exit status 3)")):
        p = w.qsh(w.alice, "-o", "ProxyUseFdpass=yes", "-o", "ProxyCommand=" + command, "bob@127.0.0.1", "true")
        equal(p.returncode, 255)
        contains(p.err, "qsh: connect to host 127.0.0.1 by ProxyCommand: the ProxyCommand " + words)
        equal(len(p.err.strip().split("\n")), 1, p.err)


@test
def proxy_command_none_is_none(w):
    w.standard()
    p = w.qsh(w.alice, "-o", "ProxyCommand=none", "bob@127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)


# ---- qshd -i ----------------------------------------------------------------------------------

@test
def qshd_on_standard_input_and_output(w):
    w.standard().stop()
    write(f"{w.dir}/i_config", "")
    data = os.urandom(10 << 20)
    cmd = f"{QSHD} -i -f {w.dir}/i_config -E {w.dir}/i.log"
    # as root, whom a set-user-ID helper stands for: the command of a client that root runs
    w.root.put(".ssh/known_hosts", f"h {w.host_key()}\n")
    w.know(w.root, "h")
    e = w.env(w.root)
    p = w.qsh(w.root, "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.root.home}/.ssh/known_hosts", "-o", f"ProxyCommand={cmd}",
              "bob@h", "id -un; echo $SSH_CONNECTION; cat; exit 9", input=data, env=e)
    equal(p.returncode, 9, p.err)
    lines = p.raw.split(b"\n", 2)
    equal(lines[0], b"bob")
    contains(lines[1], "UNKNOWN")
    equal(hashlib.sha256(lines[2]).digest(), hashlib.sha256(data).digest(), "what came back")
    contains(read(f"{w.dir}/i.log"), "Accepted publickey for bob from UNKNOWN")


@test
def qshd_on_standard_input_and_output_as_a_user(w):
    bob = w.add_user("bob")
    alice = w.add_user("alice")
    bob.authorize(alice.pub())
    world_files(w)
    os.chmod(f"{w.dir}", 0o777)
    # bob's own qshd, reached by a command that becomes bob; its host key is made on first start
    start = f"setpriv --reuid {bob.uid} --regid {bob.gid} --clear-groups env HOME={bob.home} USER=bob {QSHD} -i -f {bob.home}/c -E {bob.home}/i.log"
    bob.put("c", "")
    w.root.put(".ssh/x", "")
    p = w.qsh(w.root, "-i", alice.key, "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={w.dir}/kh",
              "-o", f"ProxyCommand={start}", "bob@h", "id -un; exit 4")
    equal(p.returncode, 4, p.err + read(bob.home + "/i.log"))
    equal(p.out, "bob\n")


@test
def qshd_i_with_something_else_on_its_input(w):
    w.standard().stop()
    write(f"{w.dir}/i_config", "LogLevel DEBUG1\n")
    for text, words in ((b"SSH-2.0-x\r\n", "is an SSH client"), (b"", "closed before anything came")):
        p = subprocess.run([QSHD, "-i", "-f", f"{w.dir}/i_config", "-E", f"{w.dir}/i.log"], input=text, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=w.env(w.root), timeout=60 * SLOW)
        contains(read(f"{w.dir}/i.log"), words, p.stderr)


@test
def qshd_i_on_a_terminal_says_what_it_is_for(w):
    w.standard().stop()
    t = w.terminal(w.root, "-i", program=QSHD)
    t.expect("ProxyCommand")
    check(t.wait() != 0)
