import io

from pyinfra.operations import files

for number in range(1, 101):
    files.put(src=io.StringIO(f"file {number}\n"), dest=f"@OUT@/file-{number}")
