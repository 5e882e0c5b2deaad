"""User keys: files, passphrases, agents, and what is refused."""
import os, re, socket, subprocess, threading
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


def confirmed(w, env, *args):
    return w.qsh(w.alice, *args, "127.0.0.1", "echo in", env=env)


def recording_agent(w, requests):
    """An agent without keys that takes what is added, and notes every request."""
    path = w.dir + "/recorder"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen()

    def serve():
        while True:
            c = listener.accept()[0].makefile("rwb")
            while head := c.read(4):
                requests.append(c.read(int.from_bytes(head, "big")))
                answer = b"\x0c\0\0\0\0" if requests[-1][0] == 11 else b"\x06"
                c.write(len(answer).to_bytes(4, "big") + answer)
                c.flush()
    threading.Thread(target=serve, daemon=True).start()
    return path


@test
def keys_are_added_to_the_agent_with_their_limits(w):
    w.standard()
    def fresh(**more):
        for f in ("/agentdir/sock",):
            if os.path.exists(w.dir + f):
                os.unlink(w.dir + f)
        a = w.env(w.alice, **more)
        os.environ.update({k: v for k, v in more.items()})
        sock = agent(w, w.alice)
        for k in more:
            del os.environ[k]
        return w.env(w.alice, SSH_AUTH_SOCK=sock)
    listed = lambda env: subprocess.run(["ssh-add", "-l"], env=env, preexec_fn=w.become(w.alice), capture_output=True, text=True).stdout
    # for some seconds only
    requests = []
    recorder = recording_agent(w, requests)
    equal(confirmed(w, w.env(w.alice, SSH_AUTH_SOCK=recorder), "-o", "AddKeysToAgent=90s").out, "in\n")
    added = [r for r in requests if r[0] == 25]                    # SSH_AGENTC_ADD_ID_CONSTRAINED
    equal([r[-5:] for r in added], [b"\x01" + (90).to_bytes(4, "big")], "added once, with its time")
    env = fresh()
    equal(confirmed(w, env, "-o", "AddKeysToAgent=1s").out, "in\n")
    wait(lambda: "ED25519" not in listed(env), "the key's time to be over")
    # only with a confirmation, which the agent's own program gives or refuses
    for answer, out in (("true", "in\n"), ("false", "")):
        env = fresh(SSH_ASKPASS=f"/bin/{answer}", DISPLAY=":0", SSH_ASKPASS_REQUIRE="force")
        equal(confirmed(w, env, "-o", "AddKeysToAgent=confirm").out, "in\n")
        os.rename(w.alice.key, w.alice.key + ".away")
        equal(confirmed(w, env).out, out, f"the agent's question is answered by {answer}")
        os.rename(w.alice.key + ".away", w.alice.key)
    # asked for
    env = fresh()
    env.update(SSH_ASKPASS="/bin/false", SSH_ASKPASS_REQUIRE="force")
    equal(confirmed(w, env, "-o", "AddKeysToAgent=ask").out, "in\n")
    check("ED25519" not in listed(env), "refused")
    env.update(SSH_ASKPASS="/bin/true")
    equal(confirmed(w, env, "-o", "AddKeysToAgent=ask").out, "in\n")
    contains(listed(env), "ED25519")
    # never
    env = fresh()
    confirmed(w, env)
    check("ED25519" not in listed(env), "no")


@test
def askpass_where_there_is_no_terminal(w):
    w.standard()
    os.unlink(w.alice.key)
    w.make_key(w.alice.key, w.alice, passphrase="from askpass")
    w.alice.authorize(w.alice.pub())
    write(w.dir + "/askpass", "#!/bin/sh\necho from askpass\n", mode=0o755)
    ask = {"SSH_ASKPASS": w.dir + "/askpass"}
    def no_tty(**env):
        p = subprocess.run(["setsid", "-w", QSH, "127.0.0.1", "echo in"], env=w.env(w.alice, **ask, **env), preexec_fn=w.become(w.alice),
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * SLOW)
        return p.stdout
    equal(no_tty(DISPLAY=":0"), "in\n")
    equal(no_tty(), "", "no display, no question")
    equal(no_tty(DISPLAY=":0", SSH_ASKPASS_REQUIRE="never"), "")


@test
def every_problem_of_a_key_file_is_one_line(w):
    """What is wrong and where; then ssh's own words for the denial."""
    w.standard()
    a = w.alice
    os.unlink(a.key)
    w.make_key(a.home + "/rsa", a, kind="rsa", extra=("-b", "2048"))
    w.make_key(a.home + "/ecdsa", a, kind="ecdsa")
    w.make_key(a.home + "/sealed", a, passphrase="x")
    w.make_key(a.home + "/open", a)
    os.chmod(a.home + "/open", 0o644)
    write(a.home + "/unreadable", read(a.home + "/open"), mode=0o000)
    write(a.home + "/empty", "", a, 0o600)
    write(a.home + "/cut", read(a.home + "/open")[:200], a, 0o600)
    for name in ("rsa", "ecdsa", "open", "unreadable", "empty", "cut"):
        p = w.qsh(a, "-i", f"{a.home}/{name}", "-o", "BatchMode=yes", "127.0.0.1", "true")
        equal(p.returncode, 255, name)
        lines = p.err.splitlines()
        equal(lines[-1], "alice@127.0.0.1: Permission denied (publickey).", name)
        equal(sum(f"{a.home}/{name}" in l for l in lines[:-1]), 1, f"{name}: one line that names it: {p.err}")
    p = w.qsh(a, "-i", f"{a.home}/nosuch", "127.0.0.1", "true")
    equal(sum("nosuch" in l for l in p.err.splitlines()), 1, p.err)


@test
def the_agent_is_gone(w):
    w.standard()
    p = w.qsh(w.alice, "127.0.0.1", "echo in", env=w.env(w.alice, SSH_AUTH_SOCK="/nonexistent/agent"))
    equal((p.out, p.err), ("in\n", ""))


@test
def options_of_key_lines_that_are_not_there_yet_refuse_the_line(w):
    s = w.standard("LogLevel VERBOSE\n")
    pub = w.alice.pub()
    for opt in ('verify-required', 'principals="x"', 'command="unclosed', 'from=', 'expiry-time="soon"', 'NoSuch'):
        w.alice.authorize(f"{opt} {pub}")
        p = w.qsh(w.alice, "127.0.0.1", "echo in")
        equal((p.returncode, p.out), (255, ""), opt)
        equal(p.err, "alice@127.0.0.1: Permission denied (publickey).\n")
    for opt in ("no-agent-forwarding", "no-port-forwarding", "no-X11-forwarding", "no-touch-required", "restrict,pty",
                'permitopen="x:1"', 'permitlisten="1"', 'tunnel="0"'):
        w.alice.authorize(f"{opt} {pub}")
        equal(w.qsh(w.alice, "127.0.0.1", "echo in").out, "in\n", opt)
