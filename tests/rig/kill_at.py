"""Runs a command and kills it with SIGKILL in its Nth task: kill_at.py N SECONDS COMMAND...

A task's start is the line `TASK [name]` on standard output. SECONDS are waited after that line, so
that the blow falls in the middle of the task. Only the command itself is killed: what it had started
(an apt-get, say) lives on, as it would on a real host. Ends with 0 after a kill and 3 if the command
ended before; the last line says which.
"""
import signal, subprocess, sys, time

wanted, seconds, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
started = 0
for line in child.stdout:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
    started += line.startswith(b"TASK [")
    if started == wanted:
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        break
code = child.wait()
print("killed" if code == -signal.SIGKILL else f"ended by itself with {code}", flush=True)
sys.exit(0 if code == -signal.SIGKILL else 3)
