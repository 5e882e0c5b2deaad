"""A peer that breaks the protocol: its connection is closed with a code and a reason that the log shows with
its address; nothing else on the host notices."""
import re, subprocess
from qshtest import *

PROTOCOL, UNKNOWN, LIMIT, AUTH = 1, 2, 3, 4
APP = 1                                           # TP_CLOSED_APP


def varint(v):
    for bits, size, tag in ((6, 1, 0), (14, 2, 0x40), (30, 4, 0x80), (62, 8, 0xc0)):
        if v < 1 << bits:
            b = bytearray(v.to_bytes(size, "big"))
            b[0] |= tag
            return bytes(b)


def string(s):
    s = s if isinstance(s, bytes) else s.encode()
    return varint(len(s)) + s


def msg(type, body=b""):
    return varint(type) + varint(len(body)) + body


OPEN, PTY, ENV, START, WINDOW = 0x40, 0x42, 0x43, 0x44, 0x45
SESSION = msg(OPEN, string("session"))


def start(cmd, kind=1):
    return msg(START, varint(kind) + string(cmd))


class Raw:
    def __init__(self, w, host="127.0.0.1", port=22):
        self.w = w
        self.p = subprocess.Popen([BUILD + "/tests/system/rawclient", host, str(port)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, env=w.env(w.root))
        self.lines = []
        self.until("handshake")

    def until(self, pattern):
        """Reads lines until one matches; the match."""
        while True:
            line = self.p.stdout.readline()
            if not line:
                raise AssertionError(f"no {pattern!r}; it said: {self.lines}")
            self.lines.append(line.rstrip("\n"))
            m = re.match(pattern, line)
            if m:
                return m

    def do(self, *words):
        self.p.stdin.write(" ".join(w.hex() if isinstance(w, bytes) else str(w) for w in words) + "\n")

    def open(self, kind="bidi"):
        self.do(kind)
        return int(self.until(r"(?:stream (\d+)|none)").group(1))

    def send(self, stream, data):
        self.do("send", stream, data)

    def login(self, user):
        equal(self.open(), 0, "control stream")
        self.do("auth", user.key, user.name)
        self.until(r"data 0 20")                   # AUTH_OK

    def closed(self, code, text="", by=APP):
        m = self.until(r"closed (\d+) (\d+) ?(.*)")
        equal((int(m[1]), int(m[2])), (by, code), f"close: {m[0]}")
        contains(m[3].lower(), text.lower(), "reason")
        self.p.wait(20 * SLOW)
        return m[3]


def after(w, s, *, reason=None):
    """The log has the reason with the address, the processes end, and others are served."""
    if reason:
        s.logged(r"127\.0\.0\.1 port \d+.*" + reason)
    wait(lambda: not s.children("qshd-net") and not s.children("qshd-monitor"), "the connection's processes to end")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n", "others are served")


@test
def a_correct_raw_session(w):
    """What the others break works when it is not broken."""
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, SESSION + start("echo raw"))
    r.until(r"data \d+ 02" + varint(c).hex() + "01" + b"raw\n".hex() + "|data \\d+ " + b"raw\n".hex())
    r.do("close", 0)
    after(w, s)


@test
def unknown_critical_message(w):
    s = w.standard()
    r = Raw(w)
    r.open()
    r.send(0, msg(0x3ffe, b"x"))
    r.closed(UNKNOWN, "16382")
    after(w, s, reason="unknown")


@test
def unknown_optional_message_is_skipped(w):
    w.standard()
    r = Raw(w)
    r.open()
    r.send(0, msg(0x3fff, b"x" * 100))
    r.do("auth", w.alice.key, "alice")
    r.until(r"data 0 20")


@test
def out_of_phase_message(w):
    s = w.standard()
    r = Raw(w)
    r.open()
    r.send(0, start("true"))
    reason = r.closed(PROTOCOL)
    after(w, s, reason=re.escape(reason[:20]))


@test
def start_before_open(w):
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, start("true"))
    r.closed(PROTOCOL)
    after(w, s)


@test
def two_starts(w):
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, SESSION + start("sleep 100") + start("sleep 100"))
    r.closed(PROTOCOL)
    after(w, s)


@test
def truncated_bodies(w):
    s = w.standard()
    for body in (b"", b"\x05al", varint(3) + b"abc", string("alice") + string("qsh-connection")):
        r = Raw(w)
        r.open()
        r.send(0, msg(0x10, body))
        r.closed(PROTOCOL)
    after(w, s)


@test
def bytes_left_over_in_a_body(w):
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, msg(OPEN, string("session") + b"x"))
    r.closed(PROTOCOL)
    after(w, s)


@test
def an_oversized_message_before_login(w):
    s = w.standard()
    r = Raw(w)
    r.open()
    r.send(0, varint(0x10) + varint(1 << 20))
    r.closed(LIMIT)
    after(w, s)


@test
def an_oversized_message_after_login(w):
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, SESSION + varint(ENV) + varint(1 << 40))
    r.closed(LIMIT)
    after(w, s)


@test
def a_message_cut_off_by_fin(w):
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, SESSION + b"\x44\x10")
    r.do("fin", c)
    r.closed(PROTOCOL)
    after(w, s)


@test
def control_stream_ended(w):
    s = w.standard()
    r = Raw(w)
    r.open()
    r.do("fin", 0)
    r.closed(PROTOCOL)
    after(w, s)


@test
def streams_before_login_are_held_not_refused(w):
    s = w.standard()
    r = Raw(w)
    equal(r.open(), 0)
    c = r.open()
    r.send(c, SESSION + start("read x; echo got-$x"))
    u = r.open("uni")
    r.send(u, varint(2) + varint(c) + varint(0) + b"early\n")
    r.do("auth", w.alice.key, "alice")
    r.until(r"data \d+ (02..01)?" + b"got-early\n".hex())


@test
def without_login_nothing_starts(w):
    s = w.standard()
    r = Raw(w)
    equal(r.open(), 0)
    c = r.open()
    r.send(c, SESSION + start(f"touch {w.alice.home}/started"))
    w.make_key(w.dir + "/other", w.root)
    r.do("auth", w.dir + "/other", "alice")
    r.until(r"data 0 22")                          # AUTH_FAILURE
    r.do("auth", w.dir + "/other", "alice")
    r.until(r"data 0 22")
    check(not s.children("qshd-broker"), "no broker before login")
    check(not os.path.exists(w.alice.home + "/started"))


@test
def credit_before_login_is_small(w):
    """A client that is not known gets rid of no more than 64 KiB, and a few streams."""
    s = w.standard()
    r = Raw(w)
    equal(r.open(), 0)
    n = 1
    while True:
        r.do("bidi")
        if r.until(r"(stream \d+|none)")[1] == "none":
            break
        n += 1
        check(n <= 64, "streams without end before login")
    rx = lambda: sum(int(x) for x in re.findall(r"VmRSS:\s+(\d+)", read(f"/proc/{s.children('qshd-net')[0]}/status")))
    before = rx()
    r.send(4, b"x" * 100_000)
    for i in range(200):                           # until its own buffer is full, since no credit comes
        r.send(4, b"x" * 100_000)
        r.do("nothing")
        if r.until(r"short 0 of|no such stream")[0].startswith("short"):
            break
    else:
        check(False, "there is no end to what is taken")
    check(rx() - before < 4000, f"memory grew by {rx() - before} KiB before login")


@test
def a_replayed_signature_is_worthless(w):
    """The exporter binds the signature to one connection: the same bytes on another one fail."""
    s = w.standard()
    r, other = Raw(w), Raw(w)
    for c in (r, other):
        equal(c.open(), 0)
    r.do("sign", w.alice.key, "alice")
    request = r.until(r"signed ([0-9a-f]+)")[1]
    other.do("send", 0, request)
    other.until(r"data 0 22")                      # AUTH_FAILURE on the connection that it was not made for
    check("Accepted" not in s.log(), s.log())
    r.do("send", 0, request)
    r.until(r"data 0 20")                          # AUTH_OK on its own


@test
def too_many_failures(w):
    s = w.standard("MaxAuthTries 2\n")
    w.make_key(w.dir + "/other", w.root)
    r = Raw(w)
    equal(r.open(), 0)
    for i in range(2):
        r.do("auth", w.dir + "/other", "alice")
    r.closed(AUTH, "too many")
    after(w, s)


@test
def an_unknown_user_is_answered_as_a_known_one(w):
    w.standard()
    said = []
    for user in ("alice", "nobody-of-this-name", "root"):
        r = Raw(w)
        r.open()
        r.do("auth", w.bob.key, user)              # a key that none of them has
        r.until(r"data 0 ")
        said.append([line for line in r.lines if line.startswith(("data", "stream"))])
        r.do("close", 0)
    equal(said[1], said[0], "unknown and known")
    equal(said[2], said[0], "root and known")


@test
def the_user_may_not_change(w):
    s = w.standard()
    w.make_key(w.dir + "/other", w.root)
    r = Raw(w)
    equal(r.open(), 0)
    r.do("auth", w.dir + "/other", "bob")
    r.until(r"data 0 22")
    r.do("auth", w.alice.key, "alice")
    r.until(r"(closed|data 0 22)")
    check("Accepted" not in s.log())


@test
def zero_bytes_in_a_command(w):
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, SESSION + start(b"echo a\0b"))
    r.until(r"(closed|data %d 62)" % c)
    r.p.kill()
    after(w, s)


@test
def unknown_channel_type(w):
    w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, msg(OPEN, string("x-nothing")))
    r.until(r"data %d 4?0?62|data %d 4062" % (c, c))
    d = r.open()
    r.send(d, SESSION + start("echo fine"))
    r.until(r"data \d+ (02..01)?" + b"fine\n".hex())


@test
def too_many_sessions(w):
    w.standard("MaxSessions 2\n")
    r = Raw(w)
    r.login(w.alice)
    for i in range(3):
        c = r.open()
        r.send(c, SESSION + start("sleep 1000"))
    r.until(r"data %d (62|4062)" % c)


@test
def a_flood_of_messages(w):
    s = w.standard()
    r = Raw(w)
    r.login(w.alice)
    c = r.open()
    r.send(c, SESSION + msg(ENV, string("A") + string("b")) * 5000)
    r.send(c, start("echo alive"))
    r.until(r"(closed|data \d+ .*" + b"alive\n".hex() + ")")
    r.p.kill()
    after(w, s)
