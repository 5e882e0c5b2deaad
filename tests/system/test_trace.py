"""What connections are recorded in: KeyLogFile and QLogDirectory."""
import ctypes, json, os, re, signal, socket, stat
import quicdecrypt
from qshtest import *

LINE = re.compile(r"^([A-Z_0-9]+) ([0-9a-f]{64}) ((?:[0-9a-f]{64})|(?:[0-9a-f]{96}))$")
NEEDED = {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
          "SERVER_TRAFFIC_SECRET_0"}


def folder(path, owner):
    os.makedirs(path, 0o700)
    os.chown(path, owner.uid, owner.gid)
    return path


def keys(path):
    """{(label, client random): secret}"""
    out = {}
    for line in read(path).splitlines():
        m = LINE.match(line)
        check(m, "not a line of a key log: " + line)
        out[m[1], m[2]] = m[3]
    return out


def events(path):
    """The records of a qlog; each is whole."""
    with open(path, "rb") as f:
        data = f.read()
    check(data.startswith(b"\x1e"), path)
    return [json.loads(r) for r in data.split(b"\x1e")[1:]]


@test
def key_log_on_both_sides(w):
    server = folder(w.dir + "/keys", w.root) + "/server"
    s = w.standard(f"KeyLogFile {server}\n")
    for n in (1, 2):
        p = w.qsh(w.alice, "-o", "KeyLogFile=~/keys", "alice@127.0.0.1", "echo in")
        equal(p.out, "in\n", p.err)
        contains(p.err, "Warning: the keys of this connection are written to")
        client = w.alice.home + "/keys"
        both = keys(client)
        equal(len({random for _, random in both}), n, "one client random a connection")
        for _, random in both:
            equal({l for l, r in both if r == random} & NEEDED, NEEDED, "the secrets that packets need")
        wait(lambda: keys(server) == both, "the server has written the same secrets")
    s.logged("warning: the keys of the connection from .* are written to " + server)
    for path, owner in ((client, w.alice), (server, w.root)):
        st = os.stat(path)
        equal((stat.S_IMODE(st.st_mode), st.st_uid), (0o600, owner.uid), path)


@test
def no_keys_by_the_environment(w):
    w.standard()
    log = w.alice.home + "/sslkeys"
    p = w.qsh(w.alice, "alice@127.0.0.1", "echo in", env=w.env(w.alice, SSLKEYLOGFILE=log))
    equal(p.out, "in\n", p.err)
    equal(read(log) if os.path.exists(log) else "", "", "secrets of a connection whose user only set SSLKEYLOGFILE")


@test
def key_log_that_others_can_read(w):
    """A file that others may read, and a link, get no keys; the login goes on."""
    server = folder(w.dir + "/keys", w.root) + "/server"
    write(server, "", mode=0o644)
    s = w.standard(f"KeyLogFile {server}\n")
    target = w.alice.put("target", "")
    os.symlink(w.alice.home + "/target", w.alice.home + "/link")
    p = w.qsh(w.alice, "-o", "KeyLogFile=~/link", "alice@127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)
    contains(p.err, "is a symbolic link; no keys are written")
    s.logged("must be a regular file .* no keys are written")
    equal(read(server) + read(w.alice.home + "/target"), "")


@test
def qlog_on_both_sides(w):
    server = folder(w.dir + "/qlog", w.root)
    w.standard(f"QLogDirectory {server}\n")
    client = folder(w.alice.home + "/qlog", w.alice)
    p = w.qsh(w.alice, "-o", "QLogDirectory=~/qlog", "alice@127.0.0.1", "head -c 300000 /dev/zero | tr '\\0' x")
    equal(len(p.out), 300000, p.err)
    (name,) = os.listdir(client)
    check(re.fullmatch(r"[0-9a-f]{16,40}-client\.sqlog", name), name)
    path = server + "/" + name.replace("-client", "-server")

    def closed():
        return os.path.exists(path) and b"packet_sent" in open(path, "rb").read()
    wait(closed, "the server's record")
    for path in (client + "/" + name, path):
        records = events(path)
        head = records[0]
        equal(head.get("qlog_format"), "JSON-SEQ", path)
        check(head.get("qlog_version"), path)
        names = [r["name"] for r in records[1:]]
        for event in ("transport:packet_sent", "transport:packet_received", "transport:parameters_set"):
            check(event in names, f"{path} has no {event}")
        times = [r["time"] for r in records[1:]]
        equal(times, sorted(times), "time goes forward in " + path)
        equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
    bulk = sum(r["data"]["raw"]["length"] for r in events(client + "/" + name)[1:]
               if r["name"] == "transport:packet_received")
    check(bulk > 300000, f"{bulk} bytes of packets received are recorded")


@test
def qlog_folder_that_is_not_there(w):
    s = w.standard("QLogDirectory /var/nowhere\n")
    p = w.qsh(w.alice, "-o", "QLogDirectory=~/nowhere", "alice@127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)
    contains(p.err, "this connection is not recorded")
    s.logged("QLogDirectory /var/nowhere: .* this connection is not recorded")


@test
def qlog_folder_that_is_full(w):
    server = folder(w.dir + "/qlog", w.root)
    for i in range(256):
        write(f"{server}/{i:032x}-server.sqlog", "")
    s = w.standard(f"QLogDirectory {server}\n")
    p = w.qsh(w.alice, "alice@127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)
    s.logged("holds 256 records; this connection is not recorded")
    equal(len(os.listdir(server)), 256)


@test
def qlog_of_processes_that_are_killed(w):
    """Each record in the file is whole but perhaps the last, which then lacks its newline (RFC 7464)."""
    server = folder(w.dir + "/qlog", w.root)
    s = w.standard(f"QLogDirectory {server}\n")
    client = folder(w.alice.home + "/qlog", w.alice)
    p = w.spawn(w.alice, "-o", "QLogDirectory=~/qlog", "alice@127.0.0.1", "cat /dev/zero", stdout=open("/dev/null", "wb"))
    for d in (client, server):
        wait(lambda: any(os.path.getsize(f"{d}/{n}") > 300_000 for n in os.listdir(d)), "a record to grow in " + d)
    os.kill(s.children("qshd-net")[0], signal.SIGKILL)
    p.kill()
    p.wait()
    wait(lambda: not s.children("qshd-net"), "both to be gone")
    for d in (client, server):
        (name,) = os.listdir(d)
        with open(f"{d}/{name}", "rb") as f:
            records = f.read().split(b"\x1e")[1:]
        check(len(records) > 100 and all(r.endswith(b"\n") for r in records[:-1]), name)
        for r in records if records[-1].endswith(b"\n") else records[:-1]:
            json.loads(r)


def capture(ns, interface):
    """A socket that receives what the interface of that namespace receives and sends: IP packets."""
    libc = ctypes.CDLL(None, use_errno=True)
    CLONE_NEWNET, ETH_P_ALL = 0x40000000, 3
    with open("/proc/self/ns/net") as here, open("/run/netns/" + ns) as there:
        equal(libc.setns(there.fileno(), CLONE_NEWNET), 0)
        try:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            sock.bind((interface, 0))
        finally:
            equal(libc.setns(here.fileno(), CLONE_NEWNET), 0)
    sock.setblocking(False)
    return sock


@test
def a_capture_can_be_read_with_the_key_log(w):
    """And not without it: what was typed and what came back, from the packets and the file alone."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    w.link(delay=1)
    w.qshd("", ns="b")
    sock = capture("b", "q0")
    log = w.dir + "/verbose"
    p = w.spawn(w.alice, "-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", "-v", "-E", log,
                "-o", f"KeyLogFile={w.dir}/keys", "alice@10.99.0.2", "echo ready; tr a-z A-Z", ns="a")
    equal(p.stdout.readline(), b"ready\n")
    if "AES-128-GCM" not in read(log):
        raise Skip("another suite than AES-128-GCM was agreed on")
    p.stdin.write(b"nobody else can read this\n")
    p.stdin.close()
    equal(p.stdout.readline(), b"NOBODY ELSE CAN READ THIS\n")
    equal(p.wait(60 * SLOW), 0)
    packets = []
    while True:
        try:
            ip = sock.recv(1 << 17)
        except BlockingIOError:
            break
        if ip[0] == 0x45 and ip[9] == socket.IPPROTO_UDP:
            packets.append((int.from_bytes(ip[20:22], "big") == 22, ip[28:]))
    check(not any(b"else can read" in d.lower() for _, d in packets), "it is readable without keys")
    # The lengths of both sides' connection IDs are in the server's first packet.
    first = next(d for by_server, d in packets if by_server)
    client_len = first[5]
    server_len = first[6 + client_len]
    secrets = {label: bytes.fromhex(secret) for (label, _), secret in keys(w.dir + "/keys").items()}
    typed = quicdecrypt.Direction(secrets["CLIENT_TRAFFIC_SECRET_0"], server_len)
    shown = quicdecrypt.Direction(secrets["SERVER_TRAFFIC_SECRET_0"], client_len)
    for by_server, side, text in ((False, typed, b"nobody else can read this\n"), (True, shown, b"NOBODY ELSE CAN READ THIS\n")):
        check(any(text in (side.open(d) or b"") for s, d in packets if s == by_server), f"{text} in no packet")
