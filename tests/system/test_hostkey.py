"""The host's key: known, unknown, changed, revoked."""
import os, re, subprocess
from qshtest import *

SHOW = ["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"]


def fingerprint():
    return subprocess.run(SHOW, capture_output=True, text=True).stdout.split()[1]


def fresh(w, **kw):
    s = w.standard(**kw)
    os.unlink(w.alice.ssh("known_hosts"))
    return s


@test
def trust_on_first_use(w):
    fresh(w)
    t = w.terminal(w.alice, "-o", "HashKnownHosts=no", "127.0.0.1", "echo logged-in")
    t.expect(r"The authenticity of host '127\.0\.0\.1.*' can't be established\.")
    t.expect(re.escape(fingerprint()))
    t.expect(r"\(yes/no/\[fingerprint\]\)\?")
    t.send("maybe\n")
    t.expect(r"Please type 'yes', 'no' or the fingerprint")
    t.send("yes\n")
    t.expect(r"Permanently added '127\.0\.0\.1' \(ED25519\) to the list of known hosts")
    t.expect("logged-in")
    equal(t.wait(), 0)
    line = read(w.alice.ssh("known_hosts")).split()
    equal(line[:3], ["127.0.0.1"] + w.host_key().split())
    p = w.qsh(w.alice, "127.0.0.1", "echo again")
    equal((p.out, p.err), ("again\n", ""))
    p = subprocess.run(["ssh-keygen", "-F", "127.0.0.1", "-f", w.alice.ssh("known_hosts")], capture_output=True)
    equal(p.returncode, 0, "ssh-keygen finds it")


@test
def a_pasted_fingerprint(w):
    fresh(w)
    t = w.terminal(w.alice, "127.0.0.1", "echo logged-in")
    t.expect(r"\[fingerprint\]")
    t.send(fingerprint()[:-1] + "x\n")
    t.expect(r"\[?fingerprint\]?")
    t.send(fingerprint() + "\n")
    t.expect("logged-in")
    equal(t.wait(), 0)


@test
def no_means_no(w):
    s = fresh(w)
    t = w.terminal(w.alice, "127.0.0.1", "echo logged-in")
    t.expect(r"\[fingerprint\]")
    t.send("no\n")
    t.expect("Host key verification failed.")
    equal(t.wait(), 255)
    check("logged-in" not in t.text and "Accepted" not in s.log(), "no login")
    equal(read(w.alice.ssh("known_hosts")), "", "nothing was added")


@test
def strict_host_key_checking(w):
    s = fresh(w)
    p = w.qsh(w.alice, "127.0.0.1", "true")
    equal(p.returncode, 255, "nobody to ask")
    contains(p.err, "Host key verification failed.")
    p = w.qsh(w.alice, "-o", "StrictHostKeyChecking=yes", "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "No ED25519 host key is known for 127.0.0.1 and you have requested strict checking.")
    p = w.qsh(w.alice, "-o", "BatchMode=yes", "127.0.0.1", "true")
    equal(p.returncode, 255)
    check("Accepted" not in s.log(), "nobody was let in")
    p = w.qsh(w.alice, "-o", "StrictHostKeyChecking=accept-new", "-o", "HashKnownHosts=yes", "127.0.0.1", "echo in")
    equal(p.out, "in\n")
    contains(p.err, "Permanently added '127.0.0.1' (ED25519)")
    check(read(w.alice.ssh("known_hosts")).startswith("|1|"), "hashed")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n", "the hashed line is found")


@test
def a_changed_key_stops(w):
    s = w.standard()
    w.make_key(w.dir + "/other", w.root)
    other = " ".join(read(w.dir + "/other.pub").split()[:2])
    w.alice.put(".ssh/known_hosts", f"# a comment\n127.0.0.1 {other}\n")
    for opt in ("ask", "yes", "accept-new"):
        p = w.qsh(w.alice, "-o", f"StrictHostKeyChecking={opt}", "127.0.0.1", "true")
        equal(p.returncode, 255, opt)
        contains(p.err, "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!")
        contains(p.err, w.alice.ssh("known_hosts") + ":2")
        contains(p.err, "ssh-keygen -f")
        contains(p.err, "-R")
        contains(p.err, fingerprint())
        contains(p.err, "Host key verification failed.")
    check("Accepted" not in s.log(), "nobody was let in")
    cmd = re.search(r"ssh-keygen -f .* -R .*", p.err).group(0)
    subprocess.run(cmd, shell=True, check=True, capture_output=True)
    equal(w.qsh(w.alice, "-o", "StrictHostKeyChecking=accept-new", "127.0.0.1", "echo in").out, "in\n",
          "the command that the message names mends it")


@test
def a_revoked_key(w):
    w.standard()
    w.alice.put(".ssh/known_hosts", f"127.0.0.1 {w.host_key()}\n@revoked * {w.host_key()}\n")
    p = w.qsh(w.alice, "-o", "StrictHostKeyChecking=no", "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err.lower(), "revoked")


@test
def only_another_type_is_known(w):
    w.standard()
    w.make_key(w.dir + "/rsa", w.root, kind="rsa", extra=("-b", "2048"))
    w.alice.put(".ssh/known_hosts", "127.0.0.1 " + " ".join(read(w.dir + "/rsa.pub").split()[:2]) + "\n")
    p = w.qsh(w.alice, "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "RSA")
    check("IDENTIFICATION HAS CHANGED" not in p.err, "another type is not a changed key")


@test
def ports_aliases_wildcards_and_global_files(w):
    w.standard("Port 2222\n")
    w.alice.put(".ssh/known_hosts", f"[127.0.0.1]:2222 {w.host_key()}\n")
    equal(w.qsh(w.alice, "-p", "2222", "127.0.0.1", "echo in").out, "in\n")
    w.alice.put(".ssh/known_hosts", f"name {w.host_key()}\n")
    equal(w.qsh(w.alice, "-p", "2222", "-o", "HostKeyAlias=name", "127.0.0.1", "echo in").out, "in\n")
    w.alice.put(".ssh/known_hosts", "")
    write("/etc/ssh/ssh_known_hosts", f"[127.0.0.*]:2222 {w.host_key()}\n")
    equal(w.qsh(w.alice, "-p", "2222", "127.0.0.1", "echo in").out, "in\n")
    write("/etc/ssh/ssh_known_hosts", f"!127.0.0.1,127.0.0.* {w.host_key()}\n")
    equal(w.qsh(w.alice, "-p", "2222", "127.0.0.1", "true").returncode, 255, "a negated name")


@test
def a_garbled_known_hosts_line(w):
    w.standard()
    w.alice.put(".ssh/known_hosts", f"127.0.0.1 ssh-ed25519 !!!\nnonsense\n127.0.0.1 {w.host_key()}\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)


@test
def the_picture(w):
    fresh(w)
    p = w.qsh(w.alice, "-o", "VisualHostKey=yes", "-o", "StrictHostKeyChecking=accept-new", "127.0.0.1", "true")
    art = subprocess.run(["ssh-keygen", "-lvf", "/etc/ssh/ssh_host_ed25519_key.pub"], capture_output=True, text=True).stdout
    contains(p.err, "\n".join(art.splitlines()[1:]), "the picture of ssh-keygen")


@test
def a_host_key_is_made_where_there_is_none(w):
    for f in ("", ".pub"):
        os.unlink("/etc/ssh/ssh_host_ed25519_key" + f)
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    port = 9022
    s = w.qshd(f"Port {port}\n", user=w.alice)
    key = w.alice.home + "/.qsh/host_ed25519_key"
    check(os.path.exists(key), "made on first start")
    equal(os.stat(key).st_mode & 0o777, 0o600)
    w.alice.put(".ssh/known_hosts", f"[127.0.0.1]:{port} {w.host_key(key)}\n")
    equal(w.qsh(w.alice, "-p", str(port), "127.0.0.1", "echo in").out, "in\n")
    before = read(key)
    s.stop()
    w.qshd(f"Port {port}\n", user=w.alice)
    equal(read(key), before, "and kept")


@test
def several_known_hosts_files(w):
    """All files are read; the first one of UserKnownHostsFile is added to."""
    s = fresh(w)
    w.alice.put(".ssh/known_hosts2", f"127.0.0.1 {w.host_key()}\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n")
    os.unlink(w.alice.ssh("known_hosts2"))
    w.alice.put("a", "")
    w.alice.put("b", "")
    p = w.qsh(w.alice, "-o", f"UserKnownHostsFile={w.alice.home}/a {w.alice.home}/b", "-o", "StrictHostKeyChecking=accept-new", "127.0.0.1", "echo in")
    equal(p.out, "in\n", p.err)
    contains(read(w.alice.home + "/a"), w.host_key())
    equal(read(w.alice.home + "/b"), "")
    w.alice.put("g", f"127.0.0.1 {w.host_key()}\n")
    p = w.qsh(w.alice, "-o", "UserKnownHostsFile=none", "-o", f"GlobalKnownHostsFile={w.alice.home}/g", "127.0.0.1", "echo in")
    equal((p.out, p.err), ("in\n", ""))


@test
def a_file_that_cannot_be_added_to(w):
    s = fresh(w)
    p = w.qsh(w.alice, "-o", "UserKnownHostsFile=/proc/nosuch/kh", "-o", "StrictHostKeyChecking=accept-new", "127.0.0.1", "echo in")
    equal(p.out, "in\n", "as ssh: it goes on, and says so")
    equal(sum("/proc/nosuch/kh" in l for l in p.err.splitlines()), 1, p.err)


@test
def a_line_without_its_newline_is_not_joined(w):
    s = fresh(w)
    w.alice.put(".ssh/known_hosts", f"other {w.host_key()}")
    equal(w.qsh(w.alice, "-o", "StrictHostKeyChecking=accept-new", "127.0.0.1", "echo in").out, "in\n")
    lines = read(w.alice.ssh("known_hosts")).splitlines()
    equal(len(lines), 2)
    equal(lines[0], f"other {w.host_key()}")


@test
def checking_off(w):
    s = fresh(w)
    for value in ("no", "off"):
        w.alice.put(".ssh/known_hosts", "")
        p = w.qsh(w.alice, "-o", f"StrictHostKeyChecking={value}", "127.0.0.1", "echo in")
        equal(p.out, "in\n")
        contains(p.err, "Permanently added")
    w.make_key(w.dir + "/other", w.root)
    w.alice.put(".ssh/known_hosts", "127.0.0.1 " + " ".join(read(w.dir + "/other.pub").split()[:2]) + "\n")
    before = read(w.alice.ssh("known_hosts"))
    p = w.qsh(w.alice, "-o", "StrictHostKeyChecking=no", "127.0.0.1", "echo in")
    contains(p.err, "REMOTE HOST IDENTIFICATION HAS CHANGED")
    equal(read(w.alice.ssh("known_hosts")), before, "nothing is replaced")


@test
def the_question_shows_the_picture_and_other_names(w):
    s = fresh(w)
    w.alice.put(".ssh/known_hosts", f"[127.0.0.1]:2022,elsewhere {w.host_key()}\n")
    t = w.terminal(w.alice, "-o", "VisualHostKey=yes", "127.0.0.1", "true")
    t.expect(r"ED25519 key fingerprint is " + re.escape(fingerprint()))
    t.expect(r"\+--\[ED25519 256\]--\+")
    t.expect(r"known by the following other names/addresses:\s+\S*known_hosts:1: \[127\.0\.0\.1\]:2022,elsewhere")
    t.send("no\n")
    equal(t.wait(), 255)
