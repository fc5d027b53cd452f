"""The guest's end of the rig's console: commands come in over a virtio-serial port, output goes back.

Frames in both directions: one letter, four bytes of length (big endian), payload.
To the guest:  R shell command   I standard input   E end of input   K kill the command
To the rig:    H hello           O standard output  X standard error Q exit code as text
One command runs at a time. No network and no sshd is needed, so a playbook may break both.
"""
import os, selectors, signal, struct, subprocess, time

PORT = "/dev/virtio-ports/rig"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


class Port:
    def __init__(self):
        self.fd = os.open(PORT, os.O_RDWR)

    def send(self, letter, payload=b""):
        data = letter + struct.pack(">I", len(payload)) + payload
        while data:
            data = data[os.write(self.fd, data):]

    def exactly(self, count):
        got = b""
        while len(got) < count:
            part = os.read(self.fd, count - len(got))
            if not part:  # nobody is connected at the other end yet
                time.sleep(0.05)
            got += part
        return got

    def receive(self):
        letter, length = struct.unpack(">cI", self.exactly(5))
        return letter, self.exactly(length)


def run(port, command):
    # A session of its own, so that K reaches everything the command started.
    child = subprocess.Popen(["/bin/bash", "-c", command], env=ENVIRONMENT, cwd="/root", start_new_session=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watch = selectors.DefaultSelector()
    watch.register(port.fd, selectors.EVENT_READ, b"port")
    watch.register(child.stdout, selectors.EVENT_READ, b"O")
    watch.register(child.stderr, selectors.EVENT_READ, b"X")
    gone_at = None
    while True:
        for key, _ in watch.select(0.2):
            if key.data == b"port":
                from_rig(port, child)
                continue
            part = os.read(key.fd, 65536)
            if part:
                port.send(key.data, part)
            else:
                watch.unregister(key.fileobj)
        if child.poll() is not None:
            gone_at = gone_at or time.monotonic()
            # A daemon that the command left behind may hold the pipes for ever: do not wait for it.
            if len(watch.get_map()) == 1 or time.monotonic() - gone_at > 1:
                break
    port.send(b"Q", str(child.returncode).encode())


def from_rig(port, child):
    letter, payload = port.receive()
    try:
        if letter == b"I":
            child.stdin.write(payload)
            child.stdin.flush()
        elif letter == b"E":
            child.stdin.close()
        elif letter == b"K":
            os.killpg(child.pid, signal.SIGKILL)
    except (BrokenPipeError, ProcessLookupError, ValueError):
        pass  # the command ended, or closed its input, before it was told


def main():
    port = Port()
    port.send(b"H")
    while True:
        letter, payload = port.receive()
        if letter == b"R":
            run(port, payload.decode())


main()
