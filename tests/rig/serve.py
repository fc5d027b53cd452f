"""The internet as the rig's host sees it: serve.py APT_POOL COMPOSE_PLUGIN CERTIFICATE KEY REGISTRY

    10.77.0.1:80      an apt repository (a flat directory)
    10.77.0.30:443    github.com and its asset host: the release is a redirect to an asset, as there
    10.77.0.1:5000    a registry mirror that knows ollama/ollama, of which every version is the same
"""
import functools, hashlib, json, os, re, ssl, sys, threading
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

RELEASE = "/docker/compose/releases/download/v2.3.3/docker-compose-linux-x86_64"
ASSET_HOST = "release-assets.githubusercontent.com"
ASSET = "/assets/docker-compose-linux-x86_64"


def log(handler, form, *words):
    print(handler.server.server_address, handler.command, form % words, file=sys.stderr, flush=True)


class Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_message = log


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_message = log

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()


class Releases(Answers):
    def do_GET(self):
        host = self.headers.get("Host", "").split(":")[0]
        if host == "github.com" and self.path == RELEASE:
            return self.answer(302, Location=f"https://{ASSET_HOST}{ASSET}")
        if host != ASSET_HOST or self.path != ASSET:
            return self.answer(404, b"not found\n")
        with open(self.server.plugin, "rb") as file:
            self.part(file.read())

    def part(self, body):
        about = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "Accept_Ranges": "bytes",
                 "Content_Type": "application/octet-stream"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self.answer(200, body, **about)
        first, last = int(wanted[1]), min(int(wanted[2] or len(body) - 1), len(body) - 1)
        if first > last:
            return self.answer(416, Content_Range=f"bytes */{len(body)}")
        self.answer(206, body[first:last + 1], Content_Range=f"bytes {first}-{last}/{len(body)}", **about)


class Registry(Answers):
    def do_GET(self):
        if self.path.rstrip("/") == "/v2":
            return self.answer(200, b"{}", Content_Type="application/json")
        found = re.fullmatch(r"/v2/ollama/ollama/(manifests|blobs)/(latest|[0-9.]+|sha256:[0-9a-f]{64})", self.path.split("?")[0])
        name = found and ("latest" if found[2][0].isdigit() else found[2].removeprefix("sha256:"))
        path = found and os.path.join(self.server.registry, name)
        if not path or not os.path.exists(path):
            return self.answer(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode())
        with open(path, "rb") as file:
            body = file.read()
        manifest = found[1] == "manifests"
        kind = json.loads(body)["mediaType"] if manifest else "application/octet-stream"
        self.answer(200, body, Content_Type=kind, Docker_Content_Digest="sha256:" + hashlib.sha256(body).hexdigest())


def main(pool, plugin, certificate, key, registry):
    apt = ThreadingHTTPServer(("10.77.0.1", 80), functools.partial(Quiet, directory=pool))
    releases = ThreadingHTTPServer(("10.77.0.30", 443), Releases)
    releases.plugin = plugin
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    # The handshake belongs to the connection's own thread, or one silent client stops the server.
    releases.socket = tls.wrap_socket(releases.socket, server_side=True, do_handshake_on_connect=False)
    images = ThreadingHTTPServer(("10.77.0.1", 5000), Registry)
    images.registry = registry
    for server in (apt, releases):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    images.serve_forever()


main(*sys.argv[1:])
