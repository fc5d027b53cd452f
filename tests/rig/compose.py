#!/usr/bin/env python3
"""A small stand-in for the Docker Compose v2 plugin, which Debian 12 does not package.

It knows `docker compose [-f FILE] up -d`, `ps` and `down` for compose files of plain mappings, lists
and scalars, with a docker-compose.override.yml where no file is named, and refuses everything else
instead of guessing. Containers are real: they are made by
the docker command line, carry Compose's labels, and are left alone while their configuration holds.
"""
import hashlib, json, os, re, subprocess, sys

METADATA = {"SchemaVersion": "0.1.0", "Vendor": "lks rig", "Version": "v2.3.3", "ShortDescription": "Docker Compose"}
SERVICE_KEYS = {"image", "container_name", "restart", "ports", "volumes", "environment", "command"}


def refuse(why):
    sys.exit("compose: " + why)


def scalar(text):
    if text[:1] in "\"'" and len(text) > 1 and text[-1] == text[0]:
        return text[1:-1]
    if text[:1] in "[{&*!|>%@`":
        refuse(f"not understood: {text}")
    return text


def parse(lines, indent):
    """One block of the subset of YAML that compose files of this rig use."""
    block = None
    while lines and lines[0][0] == indent:
        if block is not None and isinstance(block, list) != lines[0][1].startswith("- "):
            break  # a list may stand at the indentation of its key: the mapping goes on after it
        text = lines.pop(0)[1]
        if text.startswith("- "):
            block = [] if block is None else block
            block.append(scalar(text[2:].strip()))
            continue
        key, colon, rest = text.partition(":")
        if not colon or (rest and not rest.startswith(" ")):
            refuse(f"not understood: {text}")
        block = {} if block is None else block
        if rest.strip():
            block[scalar(key)] = scalar(rest.strip())
        elif lines and (lines[0][0] > indent or (lines[0][0] == indent and lines[0][1].startswith("- "))):
            block[scalar(key)] = parse(lines, lines[0][0])
        else:
            block[scalar(key)] = None
    if lines and lines[0][0] > indent:
        refuse(f"bad indentation: {lines[0][1]}")
    return block


def read(path):
    with open(path, encoding="utf-8") as file:
        lines = [re.sub(r"(^|\s)#.*", "", line.rstrip("\n")).rstrip() for line in file]
    document = parse([(len(line) - len(line.lstrip()), line.strip()) for line in lines if line.strip()], 0)
    if not isinstance(document, dict) or set(document) - {"version", "services"}:
        refuse(f"{path}: only `version` and `services` are understood")
    for name, service in document["services"].items():
        if set(service) - SERVICE_KEYS:
            refuse(f"service {name}: not understood: {', '.join(sorted(set(service) - SERVICE_KEYS))}")
    return document["services"]


def merged(base, over):
    """Compose's rules ("Merge Compose files"): later scalars win, lists are joined, and of an environment
    each variable counts once."""
    for name, service in over.items():
        into = base.setdefault(name, {})
        for key, value in service.items():
            if key == "environment":
                into[key] = [f"{k}={v}" for k, v in {**variables(into.get(key)), **variables(value)}.items()]
            elif isinstance(value, list):
                into[key] = (into.get(key) or []) + [item for item in value if item not in (into.get(key) or [])]
            else:
                into[key] = value
    return base


def variables(given):
    return given if isinstance(given, dict) else dict(item.partition("=")[::2] for item in given or [])


def docker(*words, check=True, quiet=True):
    done = subprocess.run(["docker", *words], text=True, stdout=subprocess.PIPE if quiet else None,
                          stderr=subprocess.PIPE if quiet else None)
    if check and done.returncode:
        refuse(f"docker {words[0]}: {(done.stderr or '').strip() or done.returncode}")
    return done


def say(kind, name, what):
    print(f" {kind} {name}  {what}", file=sys.stderr, flush=True)


def state_of(container):
    seen = docker("container", "inspect", container, check=False)
    return json.loads(seen.stdout)[0] if seen.returncode == 0 else None


def create(project, name, container, service, digest):
    words = ["create", "--name", container, "--network", project + "_default", "--network-alias", name,
             "--label", "com.docker.compose.project=" + project, "--label", "com.docker.compose.service=" + name,
             "--label", "com.docker.compose.config-hash=" + digest, "--restart", service.get("restart") or "no"]
    for option, key in (("--publish", "ports"), ("--volume", "volumes"), ("--env", "environment")):
        values = service.get(key) or []
        values = [f"{k}={v}" for k, v in values.items()] if isinstance(values, dict) else values
        words += [word for value in values for word in (option, value)]
    docker(*words, service["image"], *(service.get("command") or "").split())
    say("Container", container, "Created")


def up_one(project, name, service):
    container = service.get("container_name") or f"{project}-{name}-1"
    digest = hashlib.sha256(json.dumps(service, sort_keys=True).encode()).hexdigest()
    state = state_of(container)
    if state and (state["Config"]["Labels"] or {}).get("com.docker.compose.config-hash") != digest:
        say("Container", container, "Recreate")
        docker("rm", "--force", container)
        state = None
    if not state:
        if docker("image", "inspect", service["image"], check=False).returncode:
            say(name, "Pulling", service["image"])
            docker("pull", "--quiet", service["image"])
            say(name, "Pulled", service["image"])
        create(project, name, container, service, digest)
    elif state["State"]["Running"]:
        return say("Container", container, "Running")
    docker("start", container)
    say("Container", container, "Started")


def up(project, services):
    network = project + "_default"
    if docker("network", "inspect", network, check=False).returncode:
        docker("network", "create", "--label", "com.docker.compose.project=" + project, network)
        say("Network", network, "Created")
    for name, service in services.items():
        up_one(project, name, service)


def down(project, services):
    for name, service in services.items():
        docker("rm", "--force", service.get("container_name") or f"{project}-{name}-1", check=False)
    docker("network", "rm", project + "_default", check=False)


def main(words):
    if words == ["docker-cli-plugin-metadata"]:
        return print(json.dumps(METADATA))
    words = words[1:] if words[:1] == ["compose"] else words
    file, over = "docker-compose.yml", "docker-compose.override.yml"
    if words[:1] == ["-f"]:
        file, over, words = words[1], "", words[2:]
    if words in (["version"], ["--version"]):
        return print("Docker Compose version " + METADATA["Version"])
    services = merged(read(file), read(over) if os.path.exists(over) else {})
    project = os.path.basename(os.path.dirname(os.path.abspath(file))).lower()
    if words[:1] == ["up"] and set(words[1:]) in ({"-d"}, {"--detach"}):
        return up(project, services)
    if words == ["ps"]:
        return docker("ps", "--filter", "label=com.docker.compose.project=" + project, quiet=False)
    if words == ["down"]:
        return down(project, services)
    refuse(f"not understood: {' '.join(words)}")


main(sys.argv[1:])
