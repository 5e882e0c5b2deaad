"""Terminals and sessions in detail: bytes, escape keys, ends, and what outlives what."""
import os, re, signal, subprocess, termios, time
from qshtest import *

ALL = bytes(range(256))


def raw(t, want, timeout=30):
    """Reads bytes from the terminal's master until want (bytes) has come; all that came."""
    import select
    got, end = b"", time.monotonic() + timeout * SLOW
    while want not in got:
        check(time.monotonic() < end, f"no {want!r} in {got!r}")
        if select.select([t.master], [], [], 0.1)[0]:
            got += os.read(t.master, 65536)
    return got


@test
def all_bytes_through_a_raw_terminal(w):
    w.standard()
    t = w.terminal(w.alice, "-tt", "-e", "none", "127.0.0.1", "stty raw -echo; echo read''y; head -c 512 | tee got; echo do''ne; stty sane")
    raw(t, b"ready\n")
    t.send(ALL + ALL)
    got = raw(t, b"done\n")
    equal(got[:512], ALL + ALL, "echoed by the other end")
    equal(open(w.alice.home + "/got", "rb").read(), ALL + ALL, "as they arrived")
    equal(t.wait(), 0)
    check(t.restored(), "restored")


@test
def all_bytes_without_a_terminal(w):
    w.standard()
    p = w.qsh(w.alice, "127.0.0.1", "cat; cat >&2 got 2>/dev/null; true", input=ALL * 3)
    equal(p.raw, ALL * 3)
    p = w.qsh(w.alice, "-tt", "-e", "none", "127.0.0.1", "stty raw -echo; sleep 0.3; cat < /etc/hostname; printf '\\377\\0\\200'", input=b"")
    check(p.raw.endswith(b"\xff\x00\x80"), p.raw)


@test
def utf8_is_edited_by_the_character(w):
    """IUTF8 travels: the erase key takes a whole character."""
    w.standard()
    write(w.dir + "/go", f"#!/bin/sh\nstty iutf8\nexec {QSH} \"$@\"\n", mode=0o755)
    t = w.terminal(w.alice, "-tt", "127.0.0.1", "stty -a | grep -o '.iutf8'; read x; printf %s \"$x\" | od -An -c", program=w.dir + "/go")
    t.expect(r" iutf8")
    t.send("aö\x7fb\n")
    t.expect(r"a\s+b")
    t.wait()


@test
def escape_keys_that_change_and_list(w):
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("\n~v")
    t.expect(r"\[LogLevel VERBOSE\]")
    t.send("~v")
    t.expect(r"\[LogLevel DEBUG1?\]")
    t.send("~V")
    t.expect(r"\[LogLevel VERBOSE\]")
    t.send("\n~#")
    t.expect(r"The following connections are open:\s+#0 session")
    t.send("\n~s")
    for what in ("round trip", "loss", "path", "bytes", "age", "engine"):
        check(re.search(what, t.text, re.I) or t.expect("(?i)" + what), what)
    t.send("\n~B")
    t.send("\necho after-$((40+2))\n")
    t.expect("after-42")
    t.send("\n~~\n")
    t.expect("~")
    t.send("\necho no~.escape ~.\n")
    t.expect(r"no~\.escape ~\.\r\n")
    t.send("exit\n")
    equal(t.wait(), 127 if "command not found" in t.text else 0)


@test
def a_break_reaches_the_other_end(w):
    """~B; what a pty makes of it is the kernel's business."""
    s = w.standard("LogLevel DEBUG3\n")
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("\n~B")
    s.logged(r"break on .*pts/")
    t.send("exit\n")
    t.wait()


@test
def escape_into_the_background(w):
    w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    t.send("echo $((40+2))\n")
    t.expect("42")
    t.send("\n~&")
    t.expect("backgrounded")
    equal(t.wait(), 0)
    check(t.restored(), "restored")
    wait(lambda: not w.servers[0].children("qshd-net"), "the shell to log out at the end of its input")


@test
def the_terminal_is_restored_when_the_server_dies(w):
    s = w.standard()
    t = w.terminal(w.alice, "127.0.0.1")
    t.expect(r"\$ ")
    check(not t.restored(), "raw while it runs")
    os.kill(s.children("qshd-net")[0], signal.SIGSEGV)
    s.stop()
    # Nobody tells the client; the answer to its next packet, or silence, does.
    t.send("x")
    t.p.send_signal(signal.SIGTERM)
    check(t.wait() != 0)
    check(t.restored(), "restored")


@test
def signals_while_a_question_is_open(w):
    w.standard()
    os.unlink(w.alice.ssh("known_hosts"))
    os.unlink(w.alice.key)
    w.make_key(w.alice.key, w.alice, passphrase="x")
    w.alice.authorize(w.alice.pub())
    for args, prompt in ((["127.0.0.1"], r"\[fingerprint\]"), (["-o", "StrictHostKeyChecking=accept-new", "127.0.0.1"], "passphrase")):
        t = w.terminal(w.alice, *args)
        t.expect(prompt)
        t.send(b"\x03")
        check(t.wait() != 0, "interrupted")
        check(t.restored(), "restored after ^C at " + prompt)
    equal(read(w.alice.ssh("known_hosts")).count("\n"), 1)


@test
def user_auth_file(w):
    """SSH_USER_AUTH: a file of the user's, gone after the session; none unless ExposeAuthInfo says so."""
    w.standard("ExposeAuthInfo yes\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo $SSH_USER_AUTH; stat -c '%U %a' $SSH_USER_AUTH; cat $SSH_USER_AUTH")
    path, who, line = p.out.splitlines()
    equal(who, "alice 600")
    equal(line, "publickey " + " ".join(w.alice.pub().split()[:2]))
    wait(lambda: not os.path.exists(path), "the file to be removed")
    w.servers[0].stop()
    w.qshd("")
    equal(w.qsh(w.alice, "127.0.0.1", "echo x$SSH_USER_AUTH").out, "x\n")


@test
def the_users_environment_file(w):
    s = w.standard("PermitUserEnvironment yes\n")
    w.alice.put(".ssh/environment", "# a comment\nFROM_FILE=yes\n\nBAD LINE\n")
    w.alice.authorize(f'environment="FROM_KEY=too" {w.alice.pub()}')
    equal(w.qsh(w.alice, "127.0.0.1", "echo $FROM_FILE $FROM_KEY").out, "yes too\n")
    s.stop()
    w.qshd("")
    equal(w.qsh(w.alice, "127.0.0.1", "echo x$FROM_FILE$FROM_KEY").out, "x\n")


@test
def the_users_rc_file(w):
    w.standard()
    w.alice.put(".ssh/rc", "echo rc ran >&2\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.out, p.err), ("in\n", "rc ran\n"))
    w.alice.authorize(f"no-user-rc {w.alice.pub()}")
    equal(w.qsh(w.alice, "127.0.0.1", "echo in").err, "")


@test
def held_output_is_waited_for_on_each_stream(w):
    """A background child keeps standard error open: the exit status comes only then."""
    w.standard()
    go = w.alice.home + "/go"
    p = w.spawn(w.alice, "127.0.0.1", f"(while [ ! -e {go} ]; do sleep 0.05; done; echo late >&2) >/dev/null & exit 5")
    time.sleep(1)
    check(p.poll() is None, "it waits for standard error")
    write(go, "")
    out, err = p.communicate(timeout=30 * SLOW)
    equal((p.returncode, err), (5, b"late\n"))


@test
def closed_standard_streams(w):
    w.standard()
    for redirect, want in ((">&-", ""), ("2>&-", "in\n"), ("<&-", "in\n"), ("<&- >&- 2>&-", "")):
        p = subprocess.run(["sh", "-c", f"{QSH} 127.0.0.1 'echo in; echo err >&2; exit 4' {redirect}"], env=w.env(w.alice),
                           preexec_fn=w.become(w.alice), capture_output=True, text=True, timeout=30 * SLOW, stdin=subprocess.DEVNULL)
        equal((p.returncode, p.stdout), (4, want), redirect)


@test
def output_to_a_full_device(w):
    w.standard()
    p = subprocess.run(["sh", "-c", f"{QSH} 127.0.0.1 'head -c 100000 /dev/zero' >/dev/full"], env=w.env(w.alice),
                       preexec_fn=w.become(w.alice), capture_output=True, text=True, timeout=30 * SLOW, stdin=subprocess.DEVNULL)
    check(p.returncode is not None, "it ends")


@test
def exit_status_on_a_terminal(w):
    w.standard()
    for n in (0, 1, 77):
        t = w.terminal(w.alice, "-t", "127.0.0.1", f"exit {n}")
        equal(t.wait(), n)
        contains(t.text, "Connection to 127.0.0.1 closed.")
    t = w.terminal(w.alice, "-t", "127.0.0.1", "kill -9 $$")
    equal(t.wait(), 255)


@test
def a_large_output_on_a_terminal_is_complete(w):
    w.standard()
    t = w.terminal(w.alice, "-t", "127.0.0.1", "seq 1 30000")
    equal(t.wait(60), 0)
    lines = t.text.replace("\r", "").split("\n")
    equal(lines[:30000], [str(i) for i in range(1, 30001)])
