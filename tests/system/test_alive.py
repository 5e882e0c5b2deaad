"""Silence: somebody who has nothing to say is still there."""
import time
from qshtest import *


def quiet(w, conf, *args, seconds):
    """A login, and a person who types nothing for so long; then he types, and is answered. Then the link fails."""
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "10.99.0.2")
    l = w.link(delay=5)
    s = w.qshd(conf, ns="b")
    t = w.terminal(w.alice, "-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}", *args,
                   "alice@10.99.0.2", ns="a")
    t.expect(r"\$ ")
    time.sleep(seconds * SLOW)                       # the silence itself
    t.send("echo alive-$((40+2))\n")
    t.expect("alive-42")
    l.set("down")
    return s, t


@test
def a_short_connection_timeout_of_the_client(w):
    s, t = quiet(w, "", "-o", f"ConnectionTimeout={round(10 * SLOW)}", seconds=13)
    equal(t.wait(60), 255)
    contains(t.text, "Timeout, server 10.99.0.2 not responding.")
    check(t.restored(), "the terminal is as before")


@test
def a_short_connection_timeout_of_the_server(w):
    s, t = quiet(w, f"ConnectionTimeout {round(10 * SLOW)}\n", seconds=13)
    s.logged(r"alice 10\.99\.0\.1 port \d+: .*silent", 60)
    wait(lambda: not any(s.children(r) for r in ("qshd-net", "qshd-monitor", "qshd-broker", "bash")), "the session to end")
    t.p.kill()
