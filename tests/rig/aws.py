"""A stand-in for what an EC2 instance finds around it: its metadata service, and AWS's endpoints.

    aws.py [ADDRESS:]PORT SETTINGS [UPSTREAM [CERTIFICATE KEY]]

SETTINGS is a JSON file, read again for every request:

    metadata      path below /latest/ (or a version's date) -> text; served to whoever has a session's
                  token, as IMDSv2 does; a folder of such paths is listed
    keys          access key id -> secret access key
    tokens        access key id -> session token, where the key has one
    callers       access key id -> ARN, for sts:GetCallerIdentity
    roles         ARN of a role -> {"by": access key id that may assume it, "gives": access key id}
    sign_on       token of a single sign-on -> access key id, for sso:GetRoleCredentials
    denied        regions where nobody may do anything
    busy          how many signed requests are first refused as throttled
    clock         seconds by which this clock is ahead of the machine's
    silent        refuse the session's token itself with this status

Every signature is computed again by botocore, AWS's own implementation, and compared. What has a good
one is answered here (STS) or handed to UPSTREAM (moto). Each request is one line on standard output, and
each good signature another.
"""

import http.client
import json
import re
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ADDRESS, PORT = ("127.0.0.1:" + sys.argv[1]).rsplit(":", 2)[-2:]
SETTINGS = sys.argv[2]
UPSTREAM = urlsplit(sys.argv[3]) if len(sys.argv) > 3 else None
SESSION = "SESSION-TOKEN"
refused = 0


def settings():
    with open(SETTINGS) as file:
        return json.load(file)


def folder(paths, path):
    """What lies in a folder of the metadata: a name a line, folders with a slash; nothing if it is none."""
    begin = path.rstrip("/") + "/"
    names = {p[len(begin):].partition("/")[:2] for p in paths if p.startswith(begin)} - {("", "")}
    return "\n".join(sorted("".join(n) for n in names)) if names else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="text/plain", **headers):
        print(self.command, self.path.split("?")[0], status, flush=True)
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fault(self, status, code, message):
        if "x-amz-target" in self.headers:
            return self.answer(status, json.dumps({"__type": code, "message": message}))
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        self.answer(status, text, "text/xml")

    def any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        version = re.match(r"/(latest|20\d\d-\d\d-\d\d)/", self.path)
        if version:
            return self.metadata(version.end())
        return self.signed(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = any

    def metadata(self, begin):
        known = settings()
        path = unquote(self.path[begin:])
        if path == "api/token":
            life = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            if "silent" in known:
                return self.answer(known["silent"], "")
            if self.command != "PUT" or not life or not 1 <= int(life) <= 21600:
                return self.answer(400, "")
            return self.answer(200, SESSION, X_aws_ec2_metadata_token_ttl_seconds=life)
        if self.headers.get("X-aws-ec2-metadata-token") != SESSION:
            return self.answer(401, "")
        text = known["metadata"].get(path, folder(known["metadata"], path))
        return self.answer(404, "") if text is None else self.answer(200, text)

    def signed(self, body):
        global refused
        known = settings()
        if self.path.startswith("/federation/credentials?"):
            return self.signed_on(known)
        wrong = self.what_is_wrong(known, body)
        if wrong:
            return self.fault(403, *wrong)
        if refused < known.get("busy", 0):
            refused += 1
            return self.fault(400, "ThrottlingException", "Rate exceeded")
        if self.region in known.get("denied", []):
            return self.fault(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
        asked = parse_qs(body.decode()) if self.service == "sts" else {}
        if asked.get("Action") == ["GetCallerIdentity"]:
            return self.caller(known)
        if asked.get("Action") == ["AssumeRole"] and "roles" in known:
            return self.assumed(known, asked["RoleArn"][0], asked["RoleSessionName"][0])
        if UPSTREAM is None:
            return self.fault(404, "UnknownOperation", "nobody is behind this")
        return self.hand_on(body)

    def what_is_wrong(self, known, body):
        """The code and words of a refusal, or nothing."""
        if "X-Amz-Signature=" in self.path:
            return self.what_is_wrong_with_the_url(known)
        said = self.headers.get("Authorization", "")
        try:
            algorithm, rest = said.split(" ", 1)
            parts = dict(p.strip().split("=", 1) for p in rest.split(","))
            key, date, self.region, self.service, end = parts["Credential"].split("/")
            names = parts["SignedHeaders"].split(";")
            signature = parts["Signature"]
        except (ValueError, KeyError):
            return "MissingAuthenticationToken", "Request is missing Authentication Token"
        secret = known["keys"].get(key)
        if secret is None:
            return "InvalidClientTokenId", "The security token included in the request is invalid."
        if self.headers.get("X-Amz-Security-Token") != known.get("tokens", {}).get(key):
            return "InvalidClientTokenId", "The session token is another one."
        at = self.headers.get("X-Amz-Date", "")
        age = time.time() + known.get("clock", 0) - time.mktime(time.strptime(at, "%Y%m%dT%H%M%SZ")) + time.timezone
        if abs(age) > 900:
            return "RequestExpired", "Signature expired"
        url = f"http://{self.headers['Host']}{self.path}"
        request = AWSRequest(method=self.command, url=url, data=body)
        for name in names:
            request.headers[name] = ",".join(self.headers.get_all(name, []))
        request.context["timestamp"] = at
        kind = S3SigV4Auth if self.service == "s3" else SigV4Auth
        auth = kind(Credentials(key, secret), self.service, self.region)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if auth.signature(text, request) != signature or not {"host", "x-amz-date"} <= set(names):
            return "SignatureDoesNotMatch", "The request signature we calculated does not match"
        self.key = key
        print("signed by", key, "for", self.service, "in", self.region, flush=True)
        return None

    def what_is_wrong_with_the_url(self, known):
        path, _, query = self.path.partition("?")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        signature = asked.pop("X-Amz-Signature")
        key, _, self.region, self.service, _ = asked["X-Amz-Credential"].split("/")
        secret = known["keys"].get(key)
        if secret is None or asked.get("X-Amz-Security-Token") != known.get("tokens", {}).get(key):
            return "InvalidAccessKeyId", "The key does not exist in our records."
        request = AWSRequest(method=self.command, url=f"http://{self.headers['Host']}{path}?{urlencode(asked)}")
        request.headers["host"] = self.headers["Host"]
        request.context["timestamp"] = asked["X-Amz-Date"]
        auth = S3SigV4QueryAuth(Credentials(key, secret), self.service, self.region)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if auth.signature(text, request) != signature or asked["X-Amz-SignedHeaders"] != "host":
            return "SignatureDoesNotMatch", "The request signature we calculated does not match"
        return None

    def assumed(self, known, arn, session):
        role = known["roles"].get(arn)
        if role is None or role["by"] != self.key:
            return self.fault(403, "AccessDenied", f"{self.key} may not assume {arn} as {session}")
        key = role["gives"]
        self.answer(
            200,
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
            f"<AssumedRoleUser><Arn>{arn}/{session}</Arn><AssumedRoleId>AROAEXAMPLE:{session}</AssumedRoleId>"
            f"</AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId>"
            f"<SecretAccessKey>{known['keys'][key]}</SecretAccessKey><SessionToken>{known['tokens'][key]}</SessionToken>"
            "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
            "text/xml",
        )

    def signed_on(self, known):
        key = known.get("sign_on", {}).get(self.headers.get("x-amz-sso_bearer_token"))
        if key is None:
            return self.fault(401, "UnauthorizedException", "Session token not found or invalid")
        given = {"accessKeyId": key, "secretAccessKey": known["keys"][key], "sessionToken": known["tokens"][key],
                 "expiration": 4070908800000}
        self.answer(200, json.dumps({"roleCredentials": given}), "application/json")

    def caller(self, known):
        arn = known["callers"][self.key]
        self.answer(
            200,
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AROAEXAMPLE:x</UserId>"
            f"<Account>{arn.split(':')[4]}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
            "text/xml",
        )

    def hand_on(self, body):
        upstream = http.client.HTTPConnection(UPSTREAM.hostname, UPSTREAM.port, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        upstream.request(self.command, self.path, body=body or None, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        print(self.command, self.path.split("?")[0], answer.status, flush=True)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


server = ThreadingHTTPServer((ADDRESS, int(PORT)), Handler)
if len(sys.argv) > 4:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*sys.argv[4:6])
    # The handshake belongs to the connection's own thread.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
