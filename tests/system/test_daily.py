"""What an administrator's day brings: other tools, full pipes, slow terminals, sudden ends."""
import os, re, signal, subprocess, time

from qshtest import *


def find_process(name):
    """The pid of a live process with this name, or None."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if re.match(r"\d+ \(" + name + r"\) [^ZX]", read(f"/proc/{pid}/stat")):
            return int(pid)
    return None


def written(pid):
    """How many bytes the process has written once it writes no more."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 1 * SLOW:
        n = int(re.search(r"wchar: (\d+)", read(f"/proc/{pid}/io")).group(1))
        if n != last:
            last, since = n, time.monotonic()
        time.sleep(0.02)
    return last


@test
def a_signal_that_kills_the_client_ends_the_session_too(w):
    s = w.standard()
    for n, sig in enumerate((signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGHUP, signal.SIGTERM)):
        p = w.spawn(w.alice, "127.0.0.1", "echo up; exec sleep 1000")
        equal(p.stdout.readline(), b"up\n", "the command runs")
        p.send_signal(sig)
        rc = p.wait(20 * SLOW)
        equal(rc, 255 if sig in (signal.SIGHUP, signal.SIGTERM) else -sig, f"status after {sig.name}")
        wait(lambda: s.log().count(": by the client: ") > n, f"the client's word of its end after {sig.name}")


@test
def little_is_under_way_to_a_slow_terminal(w):
    w.standard()
    t = w.terminal(w.alice, "-t", "127.0.0.1", "yes")
    pid = wait(lambda: find_process("yes"), "yes to run")
    n = written(pid)
    check(n < 1500_000, "what waits for a terminal that nobody reads is too much")
    t.send("\x03")
    equal(t.wait(), 255, "the interrupt arrives")


@test
def a_key_file_that_is_not_there_does_not_count(w):
    w.standard()
    p = w.qsh(w.alice, "-i", "/nonexistent/key", "127.0.0.1", "echo in")
    equal(p.out, "in\n", "the default key is tried")
    contains(p.err, "Identity file /nonexistent/key not accessible")


@test
def a_hidden_question_ends_its_line(w):
    w.standard()
    os.unlink(w.alice.key)
    w.make_key(w.alice.key, w.alice, passphrase="open sesame")
    w.alice.authorize(w.alice.pub())
    for key in ("\x03", "\x04", "\x1c"):
        t = w.terminal(w.alice, "127.0.0.1", "true")
        t.expect("Enter passphrase for key [^ ]+ ")
        t.send(key)
        check(t.wait() != 0)
        check(t.text[t.pos:].startswith("\r\n"), f"what follows begins on a new line: {t.text[t.pos:]!r}")
        check(t.restored(), "the terminal is restored")


@test
def nothing_is_shown_behind_the_last_words(w):
    w.standard()
    for _ in range(4): # which of two events comes first is chance
        t = w.terminal(w.alice, "-t", "127.0.0.1", "yes")
        written(wait(lambda: find_process("yes"), "yes to run"))
        t.send("\r~.")
        equal(t.wait(), 255)
        check(t.text.endswith("Connection to 127.0.0.1 closed.\r\n"), f"the end of what is shown: {t.text[-200:]!r}")
        check(t.restored(), "the terminal is restored")
        wait(lambda: not find_process("yes"), "yes to end")


@test
def an_address_may_be_written_in_another_way(w):
    w.standard()
    equal(w.qsh(w.alice, "127.1", "echo in").out, "in\n", "127.1 is 127.0.0.1")
    equal(w.qsh(w.alice, "0:0:0:0:0:0:0:1", "echo in").out, "in\n", "0:0:0:0:0:0:0:1 is ::1")
    contains(w.qsh(w.alice, "-G", "127.1").out, "\nhostname 127.0.0.1\n")


@test
def an_unknown_host_without_a_terminal(w):
    w.standard()
    p = subprocess.run(["setsid", "-w", QSH, "127.0.0.2", "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       env=w.env(w.alice), preexec_fn=w.become(w.alice))
    equal(p.returncode, 255)
    contains(p.stderr, "No ED25519 host key is known for 127.0.0.2, and there is nobody to ask")


@test
def flags_of_tools_that_switch_things_off(w):
    w.standard()
    off = ["-x", "-a", "-k", "-S", "none", "-J", "none", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none",
           "-oRequestTTY=no", "-oForwardAgent=no", "-oForwardX11=no", "-oControlMaster=no", "-oControlPath=none",
           "-oProxyCommand=none", "-oTunnel=no"]
    equal(w.qsh(w.alice, *off, "127.0.0.1", "echo in").out, "in\n")


@test
def an_empty_command_is_a_shell(w):
    w.standard()
    equal(w.qsh(w.alice, "127.0.0.1", "", input="echo from a shell\n").out, "from a shell\n")
    t = w.terminal(w.alice, "127.0.0.1", "")
    t.expect(r"\$ ")
    t.send("exit 4\n")
    equal(t.wait(), 4)
