"""sshd_config obeyed, keyword by keyword; what we do not know refuses the start."""
import os, re, subprocess
from qshtest import *


def start(w, conf="", main=""):
    """qshd as a second door beside an sshd_config: it obeys /etc/ssh/sshd_config."""
    w.alice = w.add_user("alice", groups=("devs",))
    w.bob = w.add_user("bob")
    for u in (w.alice, w.bob):
        u.authorize(w.alice.pub())
    w.know(w.alice, "127.0.0.1", "::1", "[127.0.0.1]:2022", "[127.0.0.2]:22", "127.0.0.2")
    write("/etc/ssh/sshd_config", conf)
    return w.qshd(default_config=True)


def refused(w, text):
    """qshd does not start with this sshd_config; what it says."""
    write("/etc/ssh/sshd_config", text)
    p = subprocess.run([QSHD, "-D", "-e"], capture_output=True, text=True, env=w.env(w.root), timeout=30 * SLOW)
    check(p.returncode != 0, "qshd started with: " + text)
    return p.stderr


def ok(w, who, why=""):
    p = w.qsh(w.alice, f"{who}@127.0.0.1", "echo in")
    equal(p.out, "in\n", f"{who} {why}: {p.err}")


def denied(w, who, why=""):
    p = w.qsh(w.alice, f"{who}@127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""), f"{who} {why}")
    contains(p.err, "Permission denied", why)


@test
def the_stock_configuration(w):
    conf = read("/etc/ssh/sshd_config")
    if "UsePAM" not in conf:
        raise Skip("/etc/ssh/sshd_config is not Debian's")
    s = start(w, conf)
    ok(w, "alice")
    s.logged("X11Forwarding")


@test
def allow_and_deny_users(w):
    s = start(w, "AllowUsers alice\n")
    ok(w, "alice")
    denied(w, "bob", "not in AllowUsers")
    s.logged("User bob from 127.0.0.1 not allowed because not listed in AllowUsers")
    write("/etc/ssh/sshd_config", "DenyUsers al*\n")
    s.hup()
    wait(lambda: w.qsh(w.alice, "bob@127.0.0.1", "echo in").out == "in\n", "bob is let in after SIGHUP")
    denied(w, "alice", "DenyUsers")
    write("/etc/ssh/sshd_config", "AllowUsers alice@10.0.0.0/8 bob@127.0.0.0/8\n")
    s.hup()
    wait(lambda: w.qsh(w.alice, "alice@127.0.0.1", "echo in").returncode == 255, "SIGHUP")
    ok(w, "bob", "user@host pattern")


@test
def allow_and_deny_groups(w):
    start(w, "AllowGroups devs\n")
    ok(w, "alice")
    denied(w, "bob")


@test
def deny_groups(w):
    start(w, "DenyGroups devs\n")
    denied(w, "alice")
    ok(w, "bob")


@test
def permit_root_login(w):
    s = start(w, "PermitRootLogin no\n")
    w.root.put(".ssh/authorized_keys", w.alice.pub() + "\n")
    denied(w, "root")
    for value, allowed in (("prohibit-password", True), ("forced-commands-only", False), ("yes", True)):
        write("/etc/ssh/sshd_config", f"PermitRootLogin {value}\n")
        s.hup()
        want = "in\n" if allowed else ""
        wait(lambda: w.qsh(w.alice, "root@127.0.0.1", "echo in").out == want, f"PermitRootLogin {value}")
    write("/etc/ssh/sshd_config", "PermitRootLogin forced-commands-only\n")
    s.hup()
    w.root.put(".ssh/authorized_keys", 'command="echo forced" ' + w.alice.pub() + "\n")
    wait(lambda: w.qsh(w.alice, "root@127.0.0.1", "echo in").out == "forced\n", "a forced command for root")


@test
def pubkey_authentication_no(w):
    start(w, "PubkeyAuthentication no\n")
    denied(w, "alice")


@test
def authentication_methods_that_cannot_be_fulfilled(w):
    s = start(w, "AuthenticationMethods publickey,password\n")
    denied(w, "alice", "publickey and password")
    write("/etc/ssh/sshd_config", "AuthenticationMethods publickey,password publickey\n")
    s.hup()
    wait(lambda: w.qsh(w.alice, "127.0.0.1", "echo in").out == "in\n", "publickey alone is enough")


@test
def match_blocks(w):
    start(w, "PermitTTY yes\nMatch User bob\n  ForceCommand echo only-this\nMatch Group devs\n  SetEnv G=devs\n"
             "Match Address 10.0.0.0/8\n  DenyUsers *\nMatch LocalPort 2022\n  Banner /etc/motd\n"
             "Match LocalAddress 127.0.0.2\n  ForceCommand echo second-address\n")
    equal(w.qsh(w.alice, "bob@127.0.0.1", "true").out, "only-this\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo $G").out, "devs\n")
    equal(w.qsh(w.alice, "127.0.0.2", "echo x").out, "second-address\n")


@test
def match_user_with_include(w):
    write("/etc/ssh/sshd_config.d/50-bob.conf", "ForceCommand echo from-include\n")
    start(w, "Match User bob\n  Include /etc/ssh/sshd_config.d/*.conf\nMatch all\n  PermitRootLogin no\n")
    equal(w.qsh(w.alice, "bob@127.0.0.1", "true").out, "from-include\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo mine").out, "mine\n")


@test
def authorized_keys_file_with_tokens(w):
    s = start(w, "AuthorizedKeysFile /etc/ssh/keys/%u .ssh/second\n")
    denied(w, "alice", "keys come only from AuthorizedKeysFile")
    write("/etc/ssh/keys/alice", w.alice.pub() + "\n")
    ok(w, "alice")
    w.bob.put(".ssh/second", w.alice.pub() + "\n")
    ok(w, "bob")
    w.bob.put(".qsh/authorized_keys", w.alice.pub() + "\n")
    os.unlink(w.bob.ssh("second"))
    denied(w, "bob", "no path of our own beside it")


@test
def strict_modes(w):
    s = start(w, "")
    os.chmod(w.alice.home, 0o777)
    denied(w, "alice", "home is writable by others")
    s.logged("(?i)bad ownership or modes for directory " + re.escape(w.alice.home))
    os.chmod(w.alice.home, 0o755)
    ok(w, "alice")
    os.chmod(w.alice.ssh("authorized_keys"), 0o666)
    denied(w, "alice")
    write("/etc/ssh/sshd_config", "StrictModes no\n")
    s.hup()
    wait(lambda: w.qsh(w.alice, "127.0.0.1", "echo in").out == "in\n", "StrictModes no")


@test
def a_symlink_to_anothers_keys_is_read_as_the_user(w):
    s = start(w, "StrictModes no\n")
    write("/etc/ssh/secret_keys", w.alice.pub() + "\n", mode=0o600)
    os.unlink(w.bob.ssh("authorized_keys"))
    os.symlink("/etc/ssh/secret_keys", w.bob.ssh("authorized_keys"))
    denied(w, "bob", "bob may not read that file")


@test
def ports_and_addresses(w):
    s = start(w, "Port 22\nPort 2022\nListenAddress 127.0.0.1\nListenAddress [::1]:22\n")
    ok(w, "alice")
    equal(w.qsh(w.alice, "-p", "2022", "127.0.0.1", "echo $SSH_CONNECTION | cut -d' ' -f4").out, "2022\n")
    equal(w.qsh(w.alice, "::1", "echo in").out, "in\n")
    p = w.qsh(w.alice, "127.0.0.2", "true")
    equal(p.returncode, 255)
    contains(p.err, "Connection refused")


@test
def address_family(w):
    start(w, "AddressFamily inet\n")
    ok(w, "alice")
    equal(w.qsh(w.alice, "::1", "true").returncode, 255)


@test
def banner(w):
    write("/etc/issue.net", "Authorised people only \x1b[31m\n")
    start(w, "Banner /etc/issue.net\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    contains(p.err, "Authorised people only")
    check("\x1b" not in p.err, "no terminal escapes of a server's choosing")
    equal(w.qsh(w.alice, "-q", "127.0.0.1", "echo in").err, "")


@test
def max_sessions_zero(w):
    start(w, "MaxSessions 0\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""))


@test
def login_grace_time(w):
    s = start(w, "LoginGraceTime 1\n")
    os.unlink(w.alice.ssh("known_hosts"))
    t = w.terminal(w.alice, "127.0.0.1", "true")
    t.expect(r"\[fingerprint\]")
    s.logged("(?i)timeout before authentication.*127.0.0.1")
    wait(lambda: not s.children("qshd-net"), "the connection's processes to end")
    t.send("yes\n")
    equal(t.wait(), 255)


@test
def pid_file(w):
    start(w, "PidFile /run/other.pid\n")
    check(not os.path.exists("/run/other.pid"), "the PidFile of sshd_config is sshd's")
    w.servers[0].stop()
    w.qshd("PidFile /run/other.pid\n")
    equal(int(read("/run/other.pid")), w.servers[1].p.pid)
    w.servers[1].stop()
    check(not os.path.exists("/run/other.pid"), "removed at the end")


@test
def log_level(w):
    s = start(w, "")
    ok(w, "alice")
    s.logged("Accepted publickey for alice")
    write("/etc/ssh/sshd_config", "LogLevel QUIET\n")
    s.hup()

    def said():
        """What one login adds to the log, until its last process has ended."""
        before = len(s.log())
        ok(w, "alice")
        wait(lambda: not s.children("qshd-monitor"), "the connection to end")
        return s.log()[before:]
    wait(lambda: "Accepted" not in said(), "quiet")
    equal(said(), "", "nothing is logged")


@test
def what_restricts_and_is_not_known_refuses_the_start(w):
    for line in ("NoSuchKeyword yes", "ChrootDirectory /srv", "AuthorizedKeysCommand /bin/x", "RevokedKeys /etc/ssh/revoked",
                 "PermitRootLogin maybe", "Port 99999", "Match Nothing x", "LoginGraceTime abc", "AllowUsers"):
        err = refused(w, f"# first\n{line}\n")
        contains(err, "/etc/ssh/sshd_config", line)
        check(re.search(r"(:2\b|line 2\b)", err), f"{line}: {err}")
        equal(err.strip().count("\n"), 0, f"{line}: one line: {err}")
    err = refused(w, "Match User nobody\n  NoSuchKeyword yes\n")
    check(re.search(r"(:2\b|line 2\b)", err), "inside a Match that does not apply: " + err)


@test
def forwarding_keywords_count_as_no(w):
    start(w, "AllowTcpForwarding yes\nX11Forwarding yes\nAllowAgentForwarding yes\nPermitTunnel yes\nGatewayPorts no\n")
    ok(w, "alice")


@test
def what_only_concerns_tcp_ssh_is_passed_over(w):
    s = start(w, "Ciphers aes128-ctr\nMACs hmac-sha2-256\nKexAlgorithms curve25519-sha256\nUseDNS no\nCompression no\nVersionAddendum none\n")
    ok(w, "alice")
    s.logged("(?i)ciphers")


@test
def password_is_reported_as_not_offered(w):
    s = start(w, "PasswordAuthentication yes\nKbdInteractiveAuthentication yes\n")
    s.logged("(?i)password.*not (offered|supported)")
    ok(w, "alice")


@test
def the_qshd_config_wins(w):
    w.alice = w.add_user("alice")
    w.alice.authorize(w.alice.pub())
    w.know(w.alice, "127.0.0.1")
    path = PREFIX + "/etc/qsh/qshd_config"
    write("/etc/ssh/sshd_config", "DenyUsers *\n")
    write(path, "AllowUsers alice\nUsePAM no\n")
    w.qshd(default_config=True)
    ok(w, "alice")


@test
def expired_and_locked_accounts(w):
    s = start(w, "UsePAM no\n")
    ok(w, "alice")
    def shadow(name, fields):
        lines = [l for l in read("/etc/shadow").splitlines() if not l.startswith(name + ":")]
        write("/etc/shadow", "\n".join(lines + [f"{name}:{fields}"]) + "\n", mode=0o640)
    shadow("alice", "!:19000:0:99999:7:::")
    denied(w, "alice", "locked")
    s.logged("(?i)alice.*locked")
    shadow("alice", "*:19000:0:99999:7::10000:")
    denied(w, "alice", "account expired")
    shadow("alice", "*:19000:0:99999:7:::")
    ok(w, "alice")


@test
def expired_accounts_through_pam(w):
    s = start(w, "UsePAM yes\n")
    ok(w, "alice")
    lines = [l for l in read("/etc/shadow").splitlines() if not l.startswith("alice:")]
    write("/etc/shadow", "\n".join(lines + ["alice:*:19000:0:99999:7::10000:"]) + "\n", mode=0o640)
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""))
    s.logged("(?i)expired")


@test
def an_account_without_a_shell(w):
    s = start(w, "")
    w.dan = w.add_user("dan", shell="/nonexistent/shell")
    w.dan.authorize(w.alice.pub())
    denied(w, "dan")
    s.logged("User dan not allowed because shell /nonexistent/shell does not exist")


@test
def pam_session_environment(w):
    write("/etc/environment", "FROM_PAM=yes\n")
    start(w, "UsePAM yes\n")
    equal(w.qsh(w.alice, "127.0.0.1", "echo $FROM_PAM").out, "yes\n")


@test
def a_session_that_pam_refuses(w):
    """Limits on logins and the like are session modules: what they refuse is refused."""
    write("/etc/pam.d/sshd", "account required pam_permit.so\nsession required pam_deny.so\n")
    s = start(w, "UsePAM yes\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""))
    s.logged("session of user alice not opened")
    write("/etc/pam.d/sshd", "account required pam_permit.so\nsession required pam_permit.so\n")
    ok(w, "alice")


@test
def a_pam_module_that_hangs(w):
    """It holds a place under MaxStartups no longer than LoginGraceTime and a little."""
    write("/etc/pam.d/sshd", "account required pam_exec.so /bin/sleep 1000\nsession required pam_permit.so\n")
    s = start(w, "UsePAM yes\nLoginGraceTime 1\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""))
    wait(lambda: not s.children("qshd-monitor"), "the monitor to end", timeout=30)
    write("/etc/pam.d/sshd", "account required pam_permit.so\nsession required pam_permit.so\n")
    ok(w, "alice")


@test
def pam_rules_for_the_terminal_of_sshd(w):
    write("/etc/security/time.conf", "*;ssh;alice;!Al0000-2400\n")
    write("/etc/pam.d/sshd", "account required pam_time.so\nsession required pam_permit.so\n")
    start(w, "UsePAM yes\n")
    p = w.qsh(w.alice, "127.0.0.1", "echo in")
    equal((p.returncode, p.out), (255, ""), "by a rule for the terminal name that sshd gives")
    ok(w, "bob")


@test
def expose_auth_info(w):
    start(w, "ExposeAuthInfo yes\n")
    contains(w.qsh(w.alice, "127.0.0.1", "cat $SSH_USER_AUTH").out, "publickey " + " ".join(w.alice.pub().split()[:2]))


@test
def command_line_of_qshd(w):
    write("/etc/ssh/sshd_config", "Port 22\nMatch User bob\n  PermitTTY no\n")
    run = lambda *a: subprocess.run([QSHD, *a], capture_output=True, text=True, env=w.env(w.root), timeout=30 * SLOW)
    equal(run("-t").returncode, 0)
    p = run("-T", "-o", "MaxAuthTries=4")
    contains(p.stdout, "maxauthtries 4")
    contains(p.stdout, "permittty yes")
    contains(run("-T", "-C", "user=bob,host=x,addr=127.0.0.1").stdout, "permittty no")
    contains(run("-V").stderr + run("-V").stdout, "qsh")
    p = run("-Z")
    check(p.returncode != 0 and p.stderr, "an unknown option")
    p = run("-t", "-f", "/nonexistent")
    check(p.returncode != 0)
    contains(p.stderr, "/nonexistent")


@test
def the_account_must_exist(w):
    passwd = "".join(l + "\n" for l in read("/etc/passwd").splitlines() if not l.startswith("qshd:"))
    write("/etc/passwd", passwd)
    err = refused(w, "Port 22\n")
    contains(err, "useradd")
    contains(err, "qshd")


@test
def a_port_in_use(w):
    w.standard()
    err = refused(w, "Port 22\n")
    contains(err, "port 22")
    contains(err.lower(), "in use")
