from pyinfra.operations import server

# pyinfra hands every command to a shell: this one is not started twice.
for _ in range(100):
    server.shell(commands=["echo x >> @OUT@/lines"])
