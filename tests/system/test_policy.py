"""Rules by address are asked again at each validated path: a login that came from where it may goes on only where it may."""
import re, subprocess
from qshtest import *


class Login:
    """A login through an address translator, whose address changes."""

    def __init__(self, w, conf, line="", user="alice"):
        self.user = user
        w.alice = w.add_user("alice")
        for u in (w.alice, w.root):
            u.put(".ssh/authorized_keys", line + w.alice.pub() + "\n")
        w.know(w.alice, "10.99.0.2")
        self.l = w.link(delay=5)
        self.s = w.qshd(conf, ns="b")
        subprocess.run(["ip", "-n", "b", "route", "add", "10.99.0.0/16", "dev", "q0"], check=True)
        self.l.set("nat 10.99.1.1")
        self.p = w.spawn(w.alice, "-F", "none", "-i", w.alice.key, "-o", f"UserKnownHostsFile={w.alice.ssh('known_hosts')}",
                         user + "@10.99.0.2", "cat", ns="a")
        self.same()

    def same(self):
        self.p.stdin.write(b"hello\n")
        self.p.stdin.flush()
        equal(self.p.stdout.readline(), b"hello\n")

    def allowed(self, address):
        self.l.set("nat " + address)
        self.same()
        self.s.logged(rf"Moved user {self.user} from \S+ port \d+ to {address} port")

    def refused(self, address, why):
        """What comes with the first packets is taken: until the path is validated nobody knows that they come from there."""
        self.l.set("nat " + address)
        self.p.stdin.write(b"from elsewhere\n")
        self.p.stdin.flush()
        equal(self.p.wait(60 * SLOW), 255)
        contains(self.p.stderr.read(), "closed by remote host")
        self.s.logged(why)
        self.s.logged(rf"Disconnected from user {self.user} .*: by the server: not permitted from the new address")
        wait(lambda: not self.s.children("qshd-broker"), "what was logged in to end")
        check(not re.search(rf"Moved user {self.user} from \S+ port \d+ to {address} port", self.s.log()), "it moved:\n" + self.s.log())


@test
def allow_users_with_an_address(w):
    e = Login(w, "AllowUsers alice@10.99.1.*\n")
    e.allowed("10.99.1.2")
    e.allowed("10.99.1.77")
    e.refused("10.99.2.1", "User alice from 10.99.2.1 not allowed because not listed in AllowUsers")


@test
def deny_users_with_an_address(w):
    e = Login(w, "DenyUsers alice@10.99.2.0/24\n")
    e.allowed("10.99.1.2")
    e.refused("10.99.2.200", "User alice from 10.99.2.200 not allowed because listed in DenyUsers")


@test
def match_that_allows_other_users_there(w):
    e = Login(w, "Match Address 10.99.2.0/24,!10.99.2.5\n  AllowUsers bob\n")
    e.allowed("10.99.2.5")
    e.refused("10.99.2.6", "User alice from 10.99.2.6 not allowed because not listed in AllowUsers")


@test
def match_that_takes_the_method_away(w):
    """Who logged in with a key is not let in from where keys are not taken."""
    e = Login(w, "Match Address 10.99.2.0/24\n  PubkeyAuthentication no\n")
    e.allowed("10.99.1.2")
    e.refused("10.99.2.6", r"User alice moved to 10.99.2.6 port \d+, for which the configuration has other rules")


@test
def match_that_takes_the_key_file_away(w):
    e = Login(w, "Match Address 10.99.2.0/24\n  AuthorizedKeysFile none\n")
    e.allowed("10.99.1.2")
    e.refused("10.99.2.6", r"User alice moved to 10.99.2.6 port \d+, for which the configuration has other rules")


@test
def from_with_several_patterns(w):
    e = Login(w, "", 'from="10.99.0.0/16,!10.99.2.6,!10.99.3.0/24" ')
    e.allowed("10.99.1.2")
    e.allowed("10.99.2.5")
    e.refused("10.99.3.9", r"User alice moved to 10.99.3.9 port \d+, from where the key is not permitted")


@test
def root_where_root_may_not(w):
    e = Login(w, "PermitRootLogin no\nMatch Address 10.99.1.0/24\n  PermitRootLogin yes\n", user="root")
    e.allowed("10.99.1.2")
    e.refused("10.99.2.1", "ROOT LOGIN REFUSED FROM 10.99.2.1 port")
