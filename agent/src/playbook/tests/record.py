#!/usr/bin/env python3
"""Asks ansible-core again for every recorded case and writes the answers back.

Run it in an environment with `pip install ansible-core==2.19.14`, from agent/src/. To add a case,
add a line with its input alone (`{"text": "..."}`) to a file and run this.
"""

import datetime
import json
import pathlib
import tempfile

import yaml
from ansible.inventory.group import Group
from ansible.inventory.helpers import sort_groups
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv
from ansible.parsing.vault import EncryptedString, VaultLib, VaultSecret
from ansible.utils.display import Display


def encode(value):
    """JSON has one kind of key and of number; these cases need more."""
    if isinstance(value, EncryptedString):
        return {"vault": value._ciphertext}
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime.date):
        return str(value)
    if isinstance(value, dict):
        return {"map": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, set):
        return {"seq": sorted(map(encode, value))}
    if isinstance(value, (list, tuple)):
        return {"seq": [encode(v) for v in value]}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return {"float": repr(float(value))}
    return int(value) if isinstance(value, int) else str(value)


def decode(value):
    if isinstance(value, dict):
        [(kind, content)] = value.items()
        if kind == "float":
            return float(content)
        if kind == "seq":
            return [decode(v) for v in content]
        return {decode(k): decode(v) for k, v in content}
    return value


def load(case):
    try:
        value = DataLoader().load(case["text"], file_name="/x", json_only=False)
        return {"text": case["text"], "value": encode(value)}
    except Exception as error:
        return {"text": case["text"], "error": str(error).split("\n")[0]}


def dump(case):
    case["text"] = yaml.dump(
        decode(case["value"]), Dumper=yaml.CSafeDumper, allow_unicode=True, **case["options"]
    )
    return case


def key_value(case):
    answer = {"text": case["text"], "free_form": case["free_form"]}
    try:
        options = dict(parse_kv(case["text"], check_raw=case["free_form"]))
        raw = options.pop("_raw_params", None)
        return {**answer, "raw": raw, "options": [[k, v] for k, v in options.items()]}
    except Exception as error:
        return {**answer, "error": str(error)[:60]}


def vault(case):
    secret = VaultSecret(case["password"].encode())
    lib = VaultLib([(case["id"], secret)])
    text = lib.encrypt(
        case["plain"].encode(), secret=secret, vault_id=case["id"], salt=case["salt"]
    )
    return {**case, "vault": text.decode()}


def ordered_walk(self, rel, include_self=False, preserve_ordering=False):
    """Ansible walks over sets of groups, so that its order changes from run to run."""
    if not preserve_ordering:
        return plain_walk(self, rel, include_self)
    found = [self] if include_self else []
    level = list(getattr(self, rel))
    while level:
        following = []
        for group in level:
            if group not in found:
                found.append(group)
                following += getattr(group, rel)
        level = following
    return found


plain_walk = Group._walk_relationship
Group._walk_relationship = ordered_walk


def own_vars(entity):
    hidden = ("inventory_file", "inventory_dir")
    return {k: encode(v) for k, v in entity.vars.items() if k not in hidden}


def names(hosts):
    return [host.name for host in hosts]


def inventory(case):
    source = case["name"]
    if case["text"] is not None:
        path = pathlib.Path(tempfile.mkdtemp(), source)
        path.write_text(case["text"])
        source = str(path)
    manager = InventoryManager(DataLoader(), sources=[source])
    data = manager._inventory
    localhost = data.localhost

    def select(pattern, limit=None):
        # What was asked before must not change an answer.
        data.localhost = localhost
        manager.clear_caches()
        manager.subset(limit)
        try:
            return names(manager.get_hosts(pattern))
        except Exception as error:
            return f"error: {error}"[:80]

    return {
        "name": case["name"],
        "text": case["text"],
        "groups": {
            name: {
                "hosts": names(group.get_hosts()),
                "vars": own_vars(group),
                "depth": group.depth,
                "priority": group.priority,
            }
            for name, group in data.groups.items()
        },
        "hosts": {
            name: {"vars": own_vars(host), "groups": names(sort_groups(host.get_groups()))}
            for name, host in data.hosts.items()
        },
        "hosts_order": list(data.hosts),
        "patterns": {pattern: select(pattern) for pattern in case["patterns"]},
        "limited": [[p, limit, select(p, limit)] for p, limit, _ in case["limited"]],
    }


Display().warning = lambda *_, **__: None
for path, answer in [
    ("playbook/yaml/tests/load.jsonl", load),
    ("playbook/yaml/tests/dump.jsonl", dump),
    ("playbook/tests/kv.jsonl", key_value),
    ("playbook/tests/vault.jsonl", vault),
    ("inventory/tests/cases.jsonl", inventory),
]:
    file = pathlib.Path(path)
    cases = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(answer(case)) + "\n" for case in cases))
