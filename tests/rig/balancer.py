"""A load balancer and its API, small: what moto lacks (`unhealthy`, `draining`, throttling, lifecycle hooks).

    balancer.py API_PORT TRAFFIC_PORT SETTINGS

SETTINGS is a JSON file, read again for every call:

    targets   instance id -> port on 127.0.0.1
    path      the health check's path
    delay     deregistration delay in seconds: what is in flight then is cut
    throttle  how many calls are first refused as throttled
    unused    the target group has no listener
    hook      instance id -> lifecycle state of its Auto Scaling group, such as Pending:Wait

It serves the group `arn:group` (called `group`). Requests to TRAFFIC_PORT go to a healthy target in turn;
a target that is deregistered gets no new ones, and is `draining` while it answers. Each call is one line
on standard output.
"""
import asyncio
import json
import sys
import time
from urllib.parse import parse_qs

API, TRAFFIC, SETTINGS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
CHECK_EVERY = 0.2
targets = {}  # id -> {"state", "reason", "description", "in_flight", "since"}
turn = 0
refused = 0


def settings():
    with open(SETTINGS) as file:
        return json.load(file)


async def check(name):
    """One health check, as HTTP/1.1 on the target's port."""
    port = settings()["targets"][name]
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2)
    except OSError:
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    except asyncio.TimeoutError:
        return "unhealthy", "Target.Timeout", "Request timed out"
    try:
        writer.write(f"GET {settings().get('path', '/health')} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 2)
        code = int(line.split()[1])
    except (OSError, IndexError, ValueError):
        return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    except asyncio.TimeoutError:
        return "unhealthy", "Target.Timeout", "Request timed out"
    finally:
        writer.close()
    if code == 200:
        return "healthy", "", ""
    return "unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"


async def look():
    while True:
        for name, target in list(targets.items()):
            if target["state"] == "draining":
                over = time.monotonic() - target["since"] > settings().get("delay", 300)
                if not target["in_flight"] or over:
                    for task in list(target["in_flight"]):
                        task.cancel()
                    del targets[name]
            else:
                state, reason, description = await check(name)
                if target["state"] != "draining":
                    target.update(state=state, reason=reason, description=description)
        await asyncio.sleep(CHECK_EVERY)


def health(name):
    target = targets.get(name)
    if target is None:
        return "unused", "Target.NotRegistered", "Target is not registered to the target group"
    if settings().get("unused"):
        return "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
    return target["state"], target["reason"], target["description"]


def tag(name, text):
    return f"<{name}>{text}</{name}>"


def call(action, asked):
    """What an action answers, as XML."""
    name = asked.get("Targets.member.1.Id", [""])[0]
    if action == "DescribeTargetGroups":
        balancers = "" if settings().get("unused") else tag("member", "arn:balancer")
        return tag("TargetGroups", tag("member", "".join([
            tag("TargetGroupArn", "arn:group"), tag("TargetGroupName", "group"), tag("TargetType", "instance"),
            tag("Port", settings()["targets"].get("i-1", 80)), tag("HealthCheckProtocol", "HTTP"),
            tag("HealthCheckPath", settings().get("path", "/health")), tag("HealthCheckPort", "traffic-port"),
            tag("Matcher", tag("HttpCode", 200)), tag("LoadBalancerArns", balancers),
        ])))
    if action == "DescribeTargetGroupAttributes":
        return tag("Attributes", tag("member", tag("Key", "deregistration_delay.timeout_seconds")
                                     + tag("Value", settings().get("delay", 300))))
    if action == "DescribeTargetHealth":
        state, reason, description = health(name)
        inner = tag("State", state) + (tag("Reason", reason) + tag("Description", description) if reason else "")
        return tag("TargetHealthDescriptions", tag("member", tag("Target", tag("Id", name)) + tag("TargetHealth", inner)))
    if action == "RegisterTargets":
        targets[name] = {"state": "initial", "reason": "Elb.RegistrationInProgress", "description": "",
                         "in_flight": set(), "since": 0}
        return ""
    if action == "DeregisterTargets":
        if name in targets and targets[name]["state"] != "draining":
            targets[name].update(state="draining", reason="Target.DeregistrationInProgress",
                                 description="Target deregistration is in progress", since=time.monotonic())
        return ""
    if action == "DescribeAutoScalingInstances":
        name = asked["InstanceIds.member.1"][0]
        state = settings().get("hook", {}).get(name)
        row = tag("member", tag("AutoScalingGroupName", "fleet") + tag("LifecycleState", state)) if state else ""
        return tag("AutoScalingInstances", row)
    if action in ("RecordLifecycleActionHeartbeat", "CompleteLifecycleAction"):
        return ""
    return None


async def api(reader, writer):
    global refused
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                           if line.startswith(b"content-length")), 0)
            asked = parse_qs((await reader.readexactly(length)).decode())
            action = asked.get("Action", ["?"])[0]
            signed = b"aws4-hmac-sha256" in head.lower()
            status, body = 200, call(action, asked) if signed else None
            if refused < settings().get("throttle", 0):
                refused += 1
                status, body = 400, tag("Error", tag("Code", "Throttling") + tag("Message", "Rate exceeded"))
            elif body is None:
                status, body = 400, tag("Error", tag("Code", "InvalidAction") + tag("Message", action))
            else:
                body = tag(f"{action}Result", body)
            more = asked.get("LifecycleActionResult", [""])[0]
            print(action, more, status, flush=True)
            body = tag(f"{action}Response", body).encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def traffic(reader, writer):
    """One request, one connection to a target: closed by the target when it has answered."""
    global turn
    ready = [name for name, target in targets.items() if target["state"] == "healthy"]
    if not ready:
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        return
    turn += 1
    name = ready[turn % len(ready)]
    target, task = targets[name], asyncio.current_task()
    target["in_flight"].add(task)
    try:
        theirs, ours = await asyncio.open_connection("127.0.0.1", settings()["targets"][name])
        up = asyncio.ensure_future(pump(reader, ours))
        await pump(theirs, writer)
        up.cancel()
        ours.close()
    except ConnectionError:
        pass
    finally:
        target["in_flight"].discard(task)
        writer.close()


async def main():
    await asyncio.start_server(api, "127.0.0.1", API)
    await asyncio.start_server(traffic, "127.0.0.1", TRAFFIC)
    await look()


asyncio.run(main())
