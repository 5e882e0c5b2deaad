"""User keys: files, passphrases, agents, and what is refused."""
import os, re, subprocess
from qshtest import *


def agent(w, user):
    need_program("ssh-agent", "openssh-client")
    sock = w.dir + "/agent"
    os.makedirs(w.dir + "/agentdir", exist_ok=True)
    os.chown(w.dir + "/agentdir", user.uid, user.gid)
    sock = w.dir + "/agentdir/sock"
    p = subprocess.Popen(["ssh-agent", "-D", "-a", sock], preexec_fn=w.become(user), stdout=subprocess.DEVNULL)
    wait(lambda: os.path.exists(sock), "ssh-agent")
    return sock


@test
def a_key_that_is_not_authorized(w):
    s = w.standard("LogLevel VERBOSE\n")
    w.bob.authorize("# nobody")
    p = w.qsh(w.alice, "bob@127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "bob@127.0.0.1: Permission denied (publickey).")
    equal(p.err.strip().count("\n"), 0, "one line: " + p.err)
    s.logged(r"Failed publickey for bob from 127\.0\.0\.1 port \d+.*SHA256:")


@test
def an_unknown_user_sees_the_same(w):
    s = w.standard()
    p = w.qsh(w.alice, "nobodyhere@127.0.0.1", "true")
    equal((p.returncode, p.err.strip()), (255, "nobodyhere@127.0.0.1: Permission denied (publickey)."))
    s.logged(r"(?i)invalid user nobodyhere from 127\.0\.0\.1")


@test
def no_key_at_all(w):
    w.standard()
    os.unlink(w.alice.key)
    p = w.qsh(w.alice, "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "Permission denied (publickey).")


@test
def identity_file_option(w):
    w.standard()
    w.make_key(w.alice.home + "/other", w.alice)
    w.bob.authorize(read(w.alice.home + "/other.pub"))
    equal(w.qsh(w.alice, "bob@127.0.0.1", "true").returncode, 255)
    equal(w.qsh(w.alice, "-i", w.alice.home + "/other", "bob@127.0.0.1", "echo in").out, "in\n")
    p = w.qsh(w.alice, "-i", "/nonexistent/key", "bob@127.0.0.1", "true")
    contains(p.err, "/nonexistent/key")
    equal(p.returncode, 255)


@test
def an_unprotected_key_file_is_not_used(w):
    w.standard()
    os.chmod(w.alice.key, 0o644)
    p = w.qsh(w.alice, "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, w.alice.key)
    contains(p.err.lower(), "too open")


@test
def a_passphrase_is_asked_for(w):
    w.standard()
    os.unlink(w.alice.key)
    w.make_key(w.alice.key, w.alice, passphrase="open sesame")
    w.alice.authorize(w.alice.pub())
    t = w.terminal(w.alice, "127.0.0.1", "echo logged-in")
    t.expect(r"Enter passphrase for key '?" + re.escape(w.alice.key))
    t.send("wrong\n")
    t.expect(r"Enter passphrase")
    t.send("open sesame\n")
    t.expect("logged-in")
    equal(t.wait(), 0)
    check("open sesame" not in t.text, "the passphrase is not echoed")
    check(t.restored(), "restored")
    t = w.terminal(w.alice, "127.0.0.1", "true")
    for i in range(3):
        t.expect(r"Enter passphrase")
        t.send("wrong\n")
    t.expect("Permission denied")
    equal(t.wait(), 255)
    p = w.qsh(w.alice, "-o", "BatchMode=yes", "127.0.0.1", "true")
    equal(p.returncode, 255)


@test
def askpass(w):
    w.standard()
    os.unlink(w.alice.key)
    w.make_key(w.alice.key, w.alice, passphrase="from askpass")
    w.alice.authorize(w.alice.pub())
    write(w.dir + "/askpass", "#!/bin/sh\necho \"$1\" >&2\necho from askpass\n", mode=0o755)
    p = w.qsh(w.alice, "127.0.0.1", "echo in", env=w.env(w.alice, SSH_ASKPASS=w.dir + "/askpass", SSH_ASKPASS_REQUIRE="force"))
    equal(p.out, "in\n", p.err)
    contains(p.err, "passphrase for key")


@test
def keys_of_an_agent(w):
    w.standard()
    sock = agent(w, w.alice)
    env = w.env(w.alice, SSH_AUTH_SOCK=sock)
    subprocess.run(["ssh-add", "-q", w.alice.key], env=env, preexec_fn=w.become(w.alice), check=True)
    os.unlink(w.alice.key)
    equal(w.qsh(w.alice, "127.0.0.1", "echo in", env=env).out, "in\n")
    equal(w.qsh(w.alice, "-o", "IdentityAgent=none", "127.0.0.1", "true", env=env).returncode, 255)
    equal(w.qsh(w.alice, "-o", f"IdentityAgent={sock}", "127.0.0.1", "echo in").out, "in\n")
    w.make_key(w.alice.home + "/other", w.alice)
    p = w.qsh(w.alice, "-o", "IdentitiesOnly=yes", "-i", w.alice.home + "/other", "127.0.0.1", "true", env=env)
    equal(p.returncode, 255, "IdentitiesOnly")


@test
def many_agent_keys_and_max_auth_tries(w):
    s = w.standard("MaxAuthTries 3\n")
    sock = agent(w, w.alice)
    env = w.env(w.alice, SSH_AUTH_SOCK=sock)
    for i in range(5):
        w.make_key(f"{w.alice.home}/k{i}", w.alice)
        subprocess.run(["ssh-add", "-q", f"{w.alice.home}/k{i}"], env=env, preexec_fn=w.become(w.alice), check=True)
    os.unlink(w.alice.key)
    w.alice.authorize(read(f"{w.alice.home}/k1.pub"))
    equal(w.qsh(w.alice, "127.0.0.1", "echo in", env=env).out, "in\n", "second key within the tries")
    w.alice.authorize(read(f"{w.alice.home}/k4.pub"))
    p = w.qsh(w.alice, "127.0.0.1", "echo in", env=env)
    equal(p.returncode, 255)
    contains(p.err, "Too many authentication failures")


@test
def add_keys_to_agent(w):
    w.standard()
    sock = agent(w, w.alice)
    env = w.env(w.alice, SSH_AUTH_SOCK=sock)
    equal(w.qsh(w.alice, "-o", "AddKeysToAgent=yes", "127.0.0.1", "echo in", env=env).out, "in\n")
    p = subprocess.run(["ssh-add", "-l"], env=env, preexec_fn=w.become(w.alice), capture_output=True, text=True)
    contains(p.stdout, "ED25519")


@test
def a_destination_restricted_key_is_explained(w):
    w.standard()
    sock = agent(w, w.alice)
    env = w.env(w.alice, SSH_AUTH_SOCK=sock)
    p = subprocess.run(["ssh-add", "-q", "-h", "127.0.0.1", w.alice.key], env=env, preexec_fn=w.become(w.alice), capture_output=True)
    if p.returncode != 0:
        raise Skip("this ssh-add has no destination restrictions: " + p.stderr.decode().strip())
    os.unlink(w.alice.key)
    p = w.qsh(w.alice, "127.0.0.1", "true", env=env)
    equal(p.returncode, 255)
    contains(p.err, "agent refused")
    contains(p.err.lower(), "restrict")


@test
def unsupported_key_types_are_named(w):
    w.standard()
    os.unlink(w.alice.key)
    w.make_key(w.alice.ssh("id_rsa"), w.alice, kind="rsa", extra=("-b", "2048"))
    p = w.qsh(w.alice, "-i", w.alice.ssh("id_rsa"), "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "RSA")
    contains(p.err, "id_rsa")


@test
def a_garbled_key_file(w):
    w.standard()
    w.alice.put("bad", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    p = w.qsh(w.alice, "-i", w.alice.home + "/bad", "-o", "IdentitiesOnly=yes", "127.0.0.1", "true")
    equal(p.returncode, 255)
    contains(p.err, "/bad")


@test
def key_line_options(w):
    s = w.standard()
    a = w.alice
    pub = a.pub()
    a.authorize(f'from="10.0.0.0/8" {pub}')
    equal(w.qsh(a, "127.0.0.1", "true").returncode, 255, "from= that does not match")
    a.authorize(f'from="127.0.0.0/8" {pub}')
    equal(w.qsh(a, "127.0.0.1", "true").returncode, 0, "from= that does")
    a.authorize(f'expiry-time="20200101" {pub}')
    equal(w.qsh(a, "127.0.0.1", "true").returncode, 255, "expired")
    a.authorize(f'no-such-option {pub}')
    equal(w.qsh(a, "127.0.0.1", "true").returncode, 255, "unknown option refuses the line")
    s.logged(r"authorized_keys:1.*unknown option")
    a.authorize(f'restrict {pub}')
    contains(w.qsh(a, "-tt", "127.0.0.1", "true").err, "PTY allocation")
    a.authorize(f'environment="X=1" {pub}')
    p = w.qsh(a, "127.0.0.1", "echo x$X")
    check("x1" not in p.out, "environment= without PermitUserEnvironment")
    a.authorize(f'cert-authority {pub}')
    equal(w.qsh(a, "127.0.0.1", "true").returncode, 255, "a CA's key is no user's key")
    a.authorize("garbage line", "ssh-ed25519 !!!!", pub)
    equal(w.qsh(a, "127.0.0.1", "true").returncode, 0, "bad lines do not hide good ones")
