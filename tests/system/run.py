#!/usr/bin/env python3
"""Runs the system tests, each in namespaces of its own, a few at a time.

  run.py [-j N] [-k PATTERN] [-v] --prefix INSTALLED --build BUILDDIR

The last line is "N passed, N failed, N skipped"; exit status 1 if any failed.
"""
import argparse, glob, importlib, os, re, shutil, signal, subprocess, sys, tempfile, time, traceback
from concurrent.futures import ThreadPoolExecutor

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.dont_write_bytecode = True


def private_world(dir):
    """Inside the namespaces: private /etc, /run, /var/log and /var/mail; homes lie in /run/home,
    since /home and /root may hold the programs under test."""
    def sh(*argv):
        subprocess.run(argv, check=True)
    sh("mount", "--make-rprivate", "/")
    os.mkdir(dir + "/etc")
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", dir + "/etc")  # a copy on a disk takes a second
    shutil.copytree("/etc", dir + "/etc", symlinks=True, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    for src, dst in [(os.path.join(r, f), os.path.join(dir + r, f)) for r, d, fs in os.walk("/etc") for f in fs + d]:
        if not os.path.islink(src) and os.path.exists(dst):
            st = os.stat(src)
            os.chown(dst, st.st_uid, st.st_gid)
    sh("mount", "--bind", dir + "/etc", "/etc")
    for d, mode in (("/run", "755"), ("/var/log", "755"), ("/var/mail", "755")):
        os.makedirs(d, exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=" + mode, "tmpfs", d)
    conf = os.environ["QSH_PREFIX"] + "/etc/qsh"
    os.makedirs(conf, exist_ok=True)
    sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", conf)
    for f in ("/run/utmp", "/var/log/wtmp", "/var/log/lastlog", "/var/log/btmp"):
        open(f, "w").close()
    os.makedirs("/run/sshd", exist_ok=True)
    for p in ("/etc/nologin", "/run/nologin", "/etc/qsh"):
        subprocess.run(["rm", "-rf", p])
    os.makedirs("/run/home/root/.ssh", 0o700)
    with open("/etc/passwd") as f:
        passwd = re.sub(r"(?m)^(root:.*):/root:", r"\1:/run/home/root:", f.read())
    with open("/etc/passwd", "w") as f:
        f.write(passwd)
    if "\nqshd:" not in passwd:
        for f, line in (("passwd", "qshd:x:1999:1999::/nonexistent:/usr/sbin/nologin"), ("group", "qshd:x:1999:"),
                        ("shadow", "qshd:!:19000::::::")):
            with open("/etc/" + f, "a") as g:
                g.write(line + "\n")
    for f in glob.glob("/etc/ssh/ssh_host_*"):
        os.unlink(f)
    for kind in ("ed25519",):
        sh("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "host", "-f", f"/etc/ssh/ssh_host_{kind}_key")
    sh("ip", "link", "set", "lo", "up")


def run_inside(module, name, dir):
    import qshtest
    # What a background job or nohup ignores would be ignored by the programs under test too.
    for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(s, signal.SIG_DFL)
    private_world(dir)
    m = importlib.import_module(module)
    fn = getattr(m, name)
    world = qshtest.World(dir)
    try:
        fn(world)
    except qshtest.Skip as e:
        print(f"SKIP {e}")
        return 77
    except BaseException:
        traceback.print_exc()
        for s in world.servers:
            print(f"--- log of qshd ({s.log_path}):\n{s.log()[-6000:]}{s.err()[-3000:]}")
        return 1
    for s in world.servers:
        text = s.log() + s.err()
        if re.search(r"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:", text):
            print("a sanitizer spoke:\n" + text[-6000:])
            return 1
    return 0


def run_one(args, module, name):
    start = time.monotonic()
    env = dict(os.environ, QSH_PREFIX=args.prefix, QSH_BUILD=args.build, PYTHONDONTWRITEBYTECODE="1")
    dir = tempfile.mkdtemp(prefix="qsh-test-")
    os.chmod(dir, 0o755)
    argv = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
            sys.executable, os.path.join(here, "run.py"), "--inside", module, name, dir]
    try:
        p = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=args.timeout)
        rc, out = p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        rc, out = 1, (e.stdout or b"").decode(errors="replace") + f"\ntimed out after {args.timeout} s"
    finally:
        # Out here, where no mount of the test's can be in the way: what it mounted is not touched.
        shutil.rmtree(dir, ignore_errors=True)
    return rc, out, time.monotonic() - start


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "--inside":
        sys.exit(run_inside(*sys.argv[2:]))
    ap = argparse.ArgumentParser()
    ap.add_argument("-j", type=int, default=max(2, (os.cpu_count() or 2)))
    ap.add_argument("-k", default="")
    ap.add_argument("-v", action="store_true")
    ap.add_argument("--timeout", type=float, default=180)
    ap.add_argument("--prefix", required=True)
    ap.add_argument("--build", required=True)
    args = ap.parse_args()
    args.prefix, args.build = os.path.abspath(args.prefix), os.path.abspath(args.build)
    if os.geteuid() != 0:
        sys.exit("run.py: the system tests make namespaces and need root")
    import qshtest
    for f in sorted(glob.glob(os.path.join(here, "test_*.py"))):
        importlib.import_module(os.path.basename(f)[:-3])
    tests = [(t.module, t.__name__) for t in qshtest.TESTS if re.search(args.k, f"{t.module}.{t.__name__}")]
    count = {0: 0, 1: 0, 77: 0}
    with ThreadPoolExecutor(args.j) as pool:
        jobs = [(m, n, pool.submit(run_one, args, m, n)) for m, n in tests]
        for m, n, job in jobs:
            rc, out, took = job.result()
            rc = rc if rc in count else 1
            count[rc] += 1
            word = {0: "ok  ", 1: "FAIL", 77: "skip"}[rc]
            why = out.strip().removeprefix("SKIP ") if rc == 77 else ""
            if rc != 0 or args.v:
                print(f"{word} {m}.{n} ({took:.1f} s) {why}", flush=True)
            if rc == 1 or (args.v and rc == 0 and out.strip()):
                print(out, flush=True)
    print(f"{count[0]} passed, {count[1]} failed, {count[77]} skipped")
    sys.exit(1 if count[1] else 0)


if __name__ == "__main__":
    main()
