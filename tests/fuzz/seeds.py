#!/usr/bin/env python3
"""Lays out what a fuzzer begins with: `seeds.py TARGET FOLDER`.

Most of it is what other tests hold already (playbooks, expressions, arguments, vaults); the rest is in
`seeds/TARGET/`, as files.
"""

import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")


def texts(*patterns):
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            with open(path, "rb") as file:
                yield file.read()


def expressions():
    for name in ("jinja", "more", "finer", "plugins", "collections"):
        with open(os.path.join(ROOT, "agent/src/template/testdata", name + ".json")) as file:
            for case in json.load(file):
                yield case["expr"].encode()


def lines(path, *keys):
    with open(os.path.join(ROOT, path)) as file:
        for line in file:
            case = json.loads(line)
            for key in keys:
                if isinstance(case.get(key), str):
                    yield case[key].encode()


def seeds(target):
    yield from texts(f"tests/fuzz/seeds/{target}/*")
    if target in ("yaml", "playbook"):
        yield from texts("tests/language/*/*.yml", "playbooks/*.yml")
    if target in ("template", "evaluate"):
        yield from expressions()
    if target == "kv":
        yield from lines("agent/src/playbook/tests/kv.jsonl", "text")
    if target == "vault":
        vaults = lines("agent/src/playbook/tests/vault.jsonl", "vault")
        yield from (vault.removeprefix(b"$ANSIBLE_VAULT;") for vault in vaults)


def main():
    target, folder = sys.argv[1:]
    for number, seed in enumerate(seeds(target)):
        if len(seed) <= 8192:
            with open(os.path.join(folder, f"seed-{number:04}"), "wb") as file:
                file.write(seed)


main()
