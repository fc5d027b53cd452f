"""An HTTP server that lets in who has a ticket for it (RFC 4559): `negotiate.py PORT`, its key in
`KRB5_KTNAME`. It answers with the name of who asked."""

import base64
import http.server
import sys

import gssapi


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        who = self.who()
        if who is None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Negotiate")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = f"{self.command} by {who}: {sent.decode()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def who(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Negotiate":
            return None
        context = gssapi.SecurityContext(usage="accept")
        context.step(base64.b64decode(token))
        return str(context.initiator_name)


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
