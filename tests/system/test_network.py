"""What happens on the network: round trips, moves, floods, strangers."""
import os, re, signal, socket, subprocess, sys, threading, time
from qshtest import *


def round_trips(trace, delay_us):
    """For each packet of a trace: how many times, at least, something has crossed the link from side a before it could
    be sent. Packets that are repeated, or late because a machine is slow, add nothing."""
    out = []
    for t, side, *_ in trace:
        seen = [n for (u, other, *_), n in zip(trace, out) if other != side and u + delay_us <= t]
        out.append(max(seen, default=0) + (side == "a"))
    return out


@test
def login_takes_two_round_trips(w):
    """Counted from packets: the server's first output leaves in its second flight after the client's first packet,
    that is: a: Initial; b: handshake; a: Finished, AUTH, OPEN, START; b: output."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=300)
    w.qshd("UsePAM no\n", ns="b")
    p = w.spawn(w.alice, "-i", w.alice.key, "-F", "none", "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", "alice@10.99.0.2",
                "head -c 3000 /dev/zero", ns="a", env=w.env(w.alice))
    out, err = p.communicate(timeout=60 * SLOW)
    equal((p.returncode, len(out)), (0, 3000), err.decode())
    tr = [t for t in l.trace() if t[3] == 17]
    trips = round_trips(tr, 300_000)
    # The handshake flight is one full packet; 3000 bytes of output need at least two in the next.
    big = [(n, t) for n, t in zip(trips, tr) if t[1] == "b" and t[2] > 1000 and n > 1]
    check(len(big) >= 2, f"no output in {list(zip(trips, tr))}")
    equal([n for n, t in big[:2]], [2, 2], f"flights of the client before the output, in {list(zip(trips, tr))}")


@test
def a_nat_rebinding_loses_nothing(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    s = w.qshd("", ns="b")
    subprocess.run(["ip", "-n", "b", "route", "add", "10.99.1.0/24", "dev", "q0"], check=True)
    l.set("nat 10.99.1.1")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    data = os.urandom(3_000_000)
    p = w.spawn(w.alice, *opts, "alice@10.99.0.2", "while read -r n; do head -c $n /dev/zero | tr '\\0' x; echo; done", ns="a")
    p.stdin.write(b"10\n"); p.stdin.flush()
    equal(p.stdout.readline(), b"x" * 10 + b"\n")
    for i in range(3):
        l.set(f"nat 10.99.1.{2 + i}")
        p.stdin.write(b"200000\n"); p.stdin.flush()
        equal(len(p.stdout.readline()), 200001, "after the move")
        s.logged(rf"Moved user alice from 10\.99\.1\.{1 + i} port \d+ to 10\.99\.1\.{2 + i} port \d+")
    p.stdin.close()
    equal(p.wait(30 * SLOW), 0)


@test
def from_is_checked_again_after_a_move(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(f'from="10.99.1.1" {w.alice.pub()}')
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    s = w.qshd("", ns="b")
    subprocess.run(["ip", "-n", "b", "route", "add", "10.99.1.0/24", "dev", "q0"], check=True)
    l.set("nat 10.99.1.1")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    p = w.spawn(w.alice, *opts, "alice@10.99.0.2", "cat", ns="a")
    p.stdin.write(b"one\n"); p.stdin.flush()
    equal(p.stdout.readline(), b"one\n")
    l.set("nat 10.99.1.9")
    p.stdin.write(b"two\n"); p.stdin.flush()
    equal(p.wait(30 * SLOW), 255)
    s.logged(r"10\.99\.1\.9")
    contains(p.stderr.read(), "closed by remote host")


@test
def match_address_is_checked_again_after_a_move(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    s = w.qshd("Match Address 10.99.1.9\n  DenyUsers alice\n", ns="b")
    subprocess.run(["ip", "-n", "b", "route", "add", "10.99.1.0/24", "dev", "q0"], check=True)
    l.set("nat 10.99.1.1")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    p = w.spawn(w.alice, *opts, "alice@10.99.0.2", "cat", ns="a")
    p.stdin.write(b"one\n"); p.stdin.flush()
    equal(p.stdout.readline(), b"one\n")
    l.set("nat 10.99.1.9")
    p.stdin.write(b"two\n"); p.stdin.flush()
    equal(p.wait(30 * SLOW), 255)


@test
def a_lossy_reordering_link(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5, loss=0.03, reorder=0.1, dup=0.02)
    w.qshd("", ns="b")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    data = os.urandom(2_000_000)
    p = w.qsh(w.alice, *opts, "alice@10.99.0.2", "cat", input=data, ns="a", timeout=120)
    check(p.raw == data, f"{len(p.raw)} bytes came back, exit {p.returncode}: {p.err}")


@test
def silence_is_survived(w):
    """The link is down for a while; keys typed meanwhile arrive."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    w.qshd("", ns="b")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    t = w.terminal(w.alice, *opts, "alice@10.99.0.2", ns="a")
    t.expect(r"\$ ")
    l.set("down")
    t.send("echo waited-$((40+2))\n")
    before = len(l.trace())
    wait(lambda: len([x for x in l.trace()[before:] if x[1] == "a"]) >= 4, "the client to try again a few times")
    check("waited-42" not in t.text, "nothing came through")
    l.set("up")
    t.expect("waited-42", timeout=30)
    t.send("exit\n")
    equal(t.wait(), 0)


@test
def another_alpn_is_refused_cleanly(w):
    need_program("gtlsclient", "ngtcp2-client")
    w.standard()
    p = subprocess.run(["gtlsclient", "127.0.0.1", "22", "https://127.0.0.1/"], capture_output=True, text=True, timeout=20 * SLOW)
    text = p.stdout + p.stderr
    check(re.search(r"(?i)(no_application_protocol|0x178|application protocol|376|120)", text), text[-3000:])


@test
def a_server_with_another_alpn(w):
    need_program("gtlsserver", "ngtcp2-server")
    w.standard()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", w.dir + "/k", "-out", w.dir + "/c", "-subj", "/CN=x"],
                   check=True, capture_output=True)
    srv = subprocess.Popen(["gtlsserver", "127.0.0.1", "4433", w.dir + "/k", w.dir + "/c"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait(lambda: "1151" in read("/proc/net/udp").upper(), "gtlsserver")      # 4433
    p = w.qsh(w.alice, "-p", "4433", "127.0.0.1", "true")
    equal(p.returncode, 255)
    equal(p.err.strip().count("\n"), 0, p.err)
    contains(p.err, "127.0.0.1")
    srv.kill()


@test
def nobody_listens(w):
    w.alice = w.add_user("alice")
    p = w.qsh(w.alice, "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "connect to host 127.0.0.1 port 22: Connection refused")
    p = w.qsh(w.alice, "no-such-host.invalid", "true")
    equal(p.returncode, 255)
    contains(p.err, "Could not resolve hostname no-such-host.invalid")


@test
def a_silent_host(w):
    w.alice = w.add_user("alice")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 22))
    start = time.monotonic()
    p = w.qsh(w.alice, "-o", "ConnectTimeout=1", "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "timed out")
    check(time.monotonic() - start < 5 * SLOW, "ConnectTimeout is kept")


@test
def garbage_on_the_port(w):
    s = w.standard()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(3000):
        b = os.urandom(1 + (i * 7) % 1400)
        if i % 3 == 0:
            b = b"\xc0\x00\x00\x00\x01" + b
        if i % 5 == 0:
            b = (b"\xc3\x00\x00\x00\x01\x08" + os.urandom(8) + b"\x08" + os.urandom(8) + b"\x00\x44\xb0").ljust(1200, b"x")
        sock.sendto(b, ("127.0.0.1", 22))
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    check(len(s.children("qshd-listener")) == 1)


@test
def an_unknown_version_is_answered(w):
    w.standard()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.sendto((b"\xc0\xfa\xfa\xfa\xfa\x08" + b"d" * 8 + b"\x08" + b"s" * 8).ljust(1200, b"\0"), ("127.0.0.1", 22))
    b = sock.recv(2000)
    equal(b[1:5], b"\0\0\0\0", "a Version Negotiation packet")
    equal(b[5:23], b"\x08" + b"s" * 8 + b"\x08" + b"d" * 8, "with the connection IDs swapped")
    check(b"\0\0\0\1" in b[23:], "that offers version 1")
    sock.settimeout(0.5)
    sock.sendto(b"\xc0\xfa\xfa\xfa\xfa\x08" + b"d" * 8 + b"\x08" + b"s" * 8, ("127.0.0.1", 22))
    try:
        sock.recv(2000)
        check(False, "a small datagram must not be answered")
    except TimeoutError:
        pass


@test
def ten_thousand_spoofed_first_packets_a_second(w):
    """Initial packets from many addresses; no more processes than the limit, and a real client still gets in."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=1)
    s = w.qshd("", ns="b")
    flood = f"{BUILD}/tests/net/flood"
    p = subprocess.Popen(["ip", "netns", "exec", "b", flood, "10.99.0.2", "22", "10000", "60"], stdout=subprocess.PIPE, text=True)
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", "-o", "ConnectTimeout=20"]
    most = ok = 0
    start = time.monotonic()
    while ok < 2 or time.monotonic() - start < 10:
        check(p.poll() is None, "the flood is over before two logins")
        most = max(most, len(s.children("qshd-net")))
        r = w.qsh(w.alice, *opts, "alice@10.99.0.2", "echo in", ns="a")
        equal(r.out, "in\n", r.err)
        ok += 1
        most = max(most, len(s.children("qshd-net")))
    p.terminate()
    sent = int(p.stdout.read().split()[0])
    check(sent > 30000, f"only {sent} packets were sent")
    check(most <= 12, f"{most} processes")
    check(not re.search(r"198\.18\.", s.log()), "spoofed addresses are not logged")


@test
def further_connections_from_one_address_and_port_are_steered(w):
    """Two connections with the same 4-tuple: the second one is served too."""
    w.standard()
    # Both clients' packets leave one source port: NAT of the test's own, by a relay that mixes them.
    relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    relay.bind(("127.0.0.1", 0))
    relay.connect(("127.0.0.1", 22))
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 7022))
    clients, owner, stop = {}, {}, threading.Event()

    def run():
        import select
        while not stop.is_set():
            for s in select.select([relay, front], [], [], 0.1)[0]:
                if s is front:
                    b, a = front.recvfrom(65536)
                    if b[0] & 0x80:
                        n = b[5]
                        scid = b[7 + n:7 + n + b[6 + n]]
                        clients[scid] = a
                    relay.send(b)
                else:
                    b = relay.recv(65536)
                    if b[0] & 0x80:
                        dcid = b[6:6 + b[5]]
                        a = clients.get(dcid)
                    else:
                        a = next((v for k, v in clients.items() if b[1:1 + len(k)] == k), None)
                        if a is None:
                            for v in set(clients.values()):
                                front.sendto(b, v)
                    if a:
                        front.sendto(b, a)
    t = threading.Thread(target=run, daemon=True)
    t.start()
    w.know(w.alice, "[127.0.0.1]:7022")
    a = w.spawn(w.alice, "-p", "7022", "127.0.0.1", "read x; echo a-$x")
    wait(lambda: w.servers[0].children("bash"), "the first session")
    b = w.qsh(w.alice, "-p", "7022", "127.0.0.1", "echo second", timeout=30)
    equal(b.out, "second\n", b.err)
    out, err = a.communicate(b"first\n", 30 * SLOW)
    equal(out, b"a-first\n", err)
    stop.set()
    t.join()


@test
def a_full_server_says_so(w):
    s = w.standard("MaxStartups 1:100:1\nLoginGraceTime 60\n")
    os.rename(w.alice.ssh("known_hosts"), w.alice.ssh("kh"))
    t = w.terminal(w.alice, "127.0.0.1", "true")
    t.expect(r"\[fingerprint\]")
    p = w.qsh(w.alice, "-o", f"UserKnownHostsFile={w.alice.ssh('kh')}", "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "127.0.0.1")
    check(re.search(r"(?i)full|refused|busy|too many", p.err), p.err)
    t.send("no\n")
    t.wait()


@test
def a_path_that_takes_less_than_before(w):
    """The path's size shrinks under a connection, and nobody says so (no ICMP): data still goes on."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    w.qshd("", ns="b")
    opts = ["-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}"]
    p = w.spawn(w.alice, *opts, "alice@10.99.0.2", "while read -r n; do head -c $n /dev/zero | tr '\\0' x; echo; done", ns="a")
    def ask(n):
        p.stdin.write(b"%d\n" % n)
        p.stdin.flush()
        equal(len(p.stdout.readline()), n + 1)
    ask(300_000)
    for i in range(3):                               # until the path's size is known
        ask(300_000)
    check(max(t[2] for t in l.trace() if t[1] == "b") > 1400, "the path's size was found")
    l.set("mtu 1300")
    ask(300_000)
    p.stdin.close()
    equal(p.wait(30 * SLOW), 0)
