"""Runs a command and kills it with SIGKILL in its Nth task: kill_at.py N SECONDS COMMAND...

A task's start is a line `TASK [name]` on standard output. The blow falls SECONDS after it, or at the
next task's start if that comes sooner. Only the command itself is killed: what it had started (an
apt-get, say) lives on, as it would on a real host.

Ends with 0 after a kill in the task, with 4 after a kill at the start of the next one, and with 3 if
the command ended before; the last line says how.
"""
import os, select, signal, subprocess, sys, time


def lines(stream, deadline):
    """Complete lines as they come; ends with the stream or when `deadline()` has passed."""
    pending = b""
    while True:
        wait = None if deadline() is None else max(0, deadline() - time.monotonic())
        if not select.select([stream], [], [], wait)[0]:
            return
        part = os.read(stream.fileno(), 65536)
        if not part:
            return
        sys.stdout.buffer.write(part)
        sys.stdout.flush()
        *whole, pending = (pending + part).split(b"\n")
        yield from whole


def main(wanted, seconds, command):
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    started, strike = 0, None
    for line in lines(child.stdout, lambda: strike):
        started += line.startswith(b"TASK [")
        if started == wanted and strike is None:
            strike = time.monotonic() + seconds
            if not seconds:
                break
        if started > wanted:
            break
    if strike is not None:
        child.send_signal(signal.SIGKILL)
    child.stdout.close()
    code = child.wait()
    if code != -signal.SIGKILL:
        print(f"\nended by itself with {code}", flush=True)
        return 3
    print(f"\nkilled after {started} task starts", flush=True)
    return 0 if started == wanted else 4


sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
