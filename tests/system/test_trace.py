"""What connections are recorded in: KeyLogFile and QLogDirectory."""
import json, os, re, stat
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
