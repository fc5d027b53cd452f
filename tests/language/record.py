#!/usr/bin/env python3
"""Records what the real ansible-playbook prints for each case, into the case's `expected`.

    python3 record.py --ansible VENV/bin/ansible-playbook [CASE...]

A case is a folder with a `play.yml` and whatever it needs. Its file `args` holds the flags of one run
a line (an empty line, or no file: no flags); a line `# ...` is a comment. The runs of a case share
one fresh copy of the folder. `expected` holds, for each run, `$ FLAGS`, what was printed, and
`[exit status N]`.

Only the copy's path is replaced here (by `{dir}`, and the folder around it by `{top}`); times and
what this project does not promise are left out when the outputs are compared, in
`../tests/language.rs`.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def environment(home):
    """The same for every machine: no colour, an empty configuration, no guessed interpreter."""
    with open(os.path.join(HERE, "settings")) as file:
        lines = [line.strip() for line in file if not line.startswith("#")]
    return {
        **dict(line.split("=", 1) for line in lines),
        "PATH": os.environ["PATH"],
        "HOME": home,
        "ANSIBLE_CONFIG": os.path.join(home, "ansible.cfg"),
        # A path, so that no result tells which interpreter was found.
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }


def runs(folder):
    """The flags of each run."""
    try:
        with open(os.path.join(folder, "args")) as file:
            lines = [line.strip() for line in file]
    except FileNotFoundError:
        return [""]
    return [line for line in lines if not line.startswith("#")]


def record(ansible, case):
    """One case: what its runs printed, one after the other."""
    source = os.path.join(HERE, case)
    with tempfile.TemporaryDirectory(prefix="case-") as top:
        folder, home = os.path.join(top, "case"), os.path.join(top, "home")
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("expected"))
        os.mkdir(home)
        open(os.path.join(home, "ansible.cfg"), "w").close()
        text = ""
        for flags in runs(source):
            done = subprocess.run(
                [ansible, "play.yml", *shlex.split(flags)],
                cwd=folder,
                env=environment(home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            head = " ".join(["$", "play.yml", flags]).rstrip()
            text += f"{head}\n{done.stdout}[exit status {done.returncode}]\n"
            if done.stderr and SHOW_STDERR:
                print(f"--- {case} {flags}\n{done.stderr}", file=sys.stderr)
    with open(os.path.join(source, "expected"), "w") as file:
        file.write(text.replace(folder, "{dir}").replace(top, "{top}"))


def main():
    global SHOW_STDERR
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ansible", required=True, help="the ansible-playbook to run")
    parser.add_argument("--stderr", action="store_true", help="show what went to stderr")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    SHOW_STDERR = args.stderr
    have = lambda name: os.path.exists(os.path.join(HERE, name, "play.yml"))
    cases = args.cases or sorted(filter(have, os.listdir(HERE)))
    for case in cases:
        print(case, flush=True)
        record(args.ansible, case.rstrip("/"))


if __name__ == "__main__":
    main()
