#!/usr/bin/env python3
"""Asks the real ansible-core what expressions give, and writes it beside them.

    VENV/bin/python record.py [--collections DIR] plugins collections …

`NAME.in` holds an expression a line; `! phrase !` before it says that it fails, and which short
phrase of the message scripts know (it may be empty). Lines that begin with `#` are comments.
`NAME.json` gets a case a line: the expression, and its value or its error. The files of `world.json`
lie in the playbook's folder, which the cases call `/play`; variables are those of `vars.json`.
"""

import argparse
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return json.load(file)


def cases(name):
    with open(os.path.join(HERE, name + ".in"), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            phrase = None
            if line.startswith("!"):
                _, phrase, line = line.split("!", 2)
                phrase = phrase.strip()
            yield phrase, line.strip().replace("\\n", "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--collections")
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    if options.collections:
        os.environ["ANSIBLE_COLLECTIONS_PATH"] = options.collections
        sys.path.append(options.collections)
    os.environ["HOME"] = "/root"
    os.environ["EMPTY"] = ""
    os.environ.pop("UNSET", None)
    os.environ["TZ"] = "UTC"
    os.environ["ANSIBLE_DEPRECATION_WARNINGS"] = "0"

    from ansible.errors import AnsibleError
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultSecret
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import Templar, trust_as_template

    init_plugin_loader()

    def trusted(value):
        if isinstance(value, str):
            return trust_as_template(value) if "{{" in value else value
        if isinstance(value, list):
            return [trusted(item) for item in value]
        if isinstance(value, dict):
            return {key: trusted(item) for key, item in value.items()}
        return value

    for name in options.names:
        with tempfile.TemporaryDirectory() as play:
            for path, text in load("world.json").items():
                path = os.path.join(play, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            os.chdir(play)
            loader = DataLoader()
            loader.set_basedir(play)
            loader.set_vault_secrets([("default", VaultSecret(b"secret"))])
            variables = trusted(load("vars.json"))
            variables["playbook_dir"] = play
            variables["ansible_search_path"] = [play]
            lines = []
            for phrase, expression in cases(name):
                case = {"expr": expression}
                try:
                    value = Templar(loader, variables).template(trust_as_template(expression))
                    text = json.dumps(value, ensure_ascii=False).replace(play, "/play")
                    case["value"] = json.loads(text)
                except AnsibleError as error:
                    case["error"] = phrase or ""
                    case["undefined"] = "Undefined" in type(error).__name__
                    said = str(error)
                    if phrase is None or phrase not in said:
                        print(f"{expression}\n    {said}")
                else:
                    if phrase is not None:
                        print(f"{expression}\n    did not fail: {value}")
                lines.append(json.dumps(case, ensure_ascii=False))
            with open(os.path.join(HERE, name + ".json"), "w", encoding="utf-8") as file:
                file.write("[\n" + ",\n".join("  " + line for line in lines) + "\n]\n")


if __name__ == "__main__":
    main()
