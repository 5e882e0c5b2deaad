"""One end of a flow, as a program of its own.

  flow.py count              reads standard input; prints "SECONDS BYTES", the sum so far, every 100 ms
  flow.py sink PORT DIR      TCP server: every connection begins with a line NAME; counts the rest into DIR/NAME
  flow.py tcp HOST PORT NAME CONTROL SECONDS    TCP client that sends as fast as this congestion control permits
  flow.py echo PORT          UDP echo
  flow.py ping HOST PORT SECONDS    prints a round trip time in ms 20 times a second, "lost" for one that takes over 2 s
Times are CLOCK_MONOTONIC: both ends are on one machine.
"""
import os, select, socket, sys, threading, time

STEP = 0.1


def count(read, out):
    total, next = 0, time.monotonic()
    try:
        while True:
            b = read(1 << 18)
            total += len(b)
            now = time.monotonic()
            if now >= next or not b:
                print(f"{now:.3f} {total}", file=out, flush=True)
                next = now + STEP
            if not b:
                return
    except OSError:
        return


def sink(port, dir):
    s = socket.create_server(("", port), backlog=32)

    def serve(c):
        name = b""
        while not name.endswith(b"\n"):
            name += c.recv(1)
        with open(f"{dir}/{name.decode().strip()}", "w") as out:
            count(c.recv, out)
        c.close()
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()


def tcp(host, port, name, control, seconds):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
    s.connect((host, port))
    s.sendall(name.encode() + b"\n")
    zeros, end = bytes(1 << 18), time.monotonic() + seconds
    s.settimeout(1)
    while time.monotonic() < end:
        try:
            s.send(zeros)
        except TimeoutError:
            pass
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")   # do not wait for what is queued
    s.close()


def echo(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", port))
    while True:
        b, a = s.recvfrom(2048)
        s.sendto(b, a)


def ping(host, port, seconds):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((host, port))
    sent, n, start = {}, 0, time.monotonic()
    while (now := time.monotonic()) < start + seconds:
        if now >= start + n / 20:
            sent[n] = now
            s.send(str(n).encode())
            n += 1
        if select.select([s], [], [], max(0, start + n / 20 - now))[0]:
            i = int(s.recv(2048))
            if i in sent:
                print((time.monotonic() - sent.pop(i)) * 1000)
    for at in sent.values():
        if time.monotonic() - at > 2:
            print("lost")


def main(kind, *a):
    if kind == "count":
        count(lambda n: os.read(0, n), sys.stdout)
    elif kind == "sink":
        sink(int(a[0]), a[1])
    elif kind == "tcp":
        tcp(a[0], int(a[1]), a[2], a[3], float(a[4]))
    elif kind == "echo":
        echo(int(a[0]))
    else:
        ping(a[0], int(a[1]), float(a[2]))


main(*sys.argv[1:])
