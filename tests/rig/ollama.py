"""Ollama's API in front of llama.cpp, with a tiny model: the rig's `ollama/ollama:latest`.

Inference is real (the model's weights are random, so its words are not). Models lie where Ollama
keeps them, below ~/.ollama/models, which the playbook puts on the NFS share: `tiny` as a file, and what
manifests name, as they are pulled. One is loaded when it is first asked.
"""
import datetime, glob, hashlib, json, os, shutil, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import xllamacpp

PORT = int(os.environ.get("OLLAMA_PORT", "11434"))
MODELS = os.path.expanduser("~/.ollama/models")
NAME = "tiny"
ONE_AT_A_TIME = threading.Lock()


# Loaded models, by name and whether they embed.
SERVERS = {}
LOADING = threading.Lock()


def bring():
    os.makedirs(MODELS, exist_ok=True)
    path = os.path.join(MODELS, NAME + ".gguf")
    if not os.path.exists(path):
        # Written beside and renamed: another worker on the same share never sees half a model.
        shutil.copyfile("/srv/tiny.gguf", path + ".part")
        os.rename(path + ".part", path)


def files():
    """Where the weights of each model lie."""
    found = {}
    for file in sorted(os.listdir(MODELS)):
        if file.endswith(".gguf"):
            found[file.removesuffix(".gguf") + ":latest"] = os.path.join(MODELS, file)
    for path in sorted(glob.glob(os.path.join(MODELS, "manifests/registry.ollama.ai/library/*/*"))):
        with open(path, "rb") as file:
            layers = json.load(file)["layers"]
        for layer in layers:
            if layer["mediaType"] == "application/vnd.ollama.image.model":
                blob = os.path.join(MODELS, "blobs", layer["digest"].replace(":", "-"))
                found[":".join(path.split("/")[-2:])] = blob
    return found


def full(name):
    return name if ":" in name else name + ":latest"


def server(name, embeds=False):
    """Loads a model if need be."""
    with LOADING:
        if (name, embeds) not in SERVERS:
            parameters = xllamacpp.CommonParams()
            parameters.model.path = files()[name]
            parameters.n_ctx = 512
            parameters.cpuparams.n_threads = 1
            parameters.warmup = False
            if embeds:
                parameters.embedding = True
                parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
            parameters.hostnames = ["127.0.0.1"]
            parameters.port = PORT + 1 + len(SERVERS)
            SERVERS[name, embeds] = xllamacpp.Server(parameters)
        return SERVERS[name, embeds]


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def tags():
    models = []
    for name, path in files().items():
        with open(path, "rb") as content:
            digest = hashlib.sha256(content.read()).hexdigest()
        models.append({"name": name, "model": name, "size": os.path.getsize(path), "digest": digest,
                       "modified_at": now(), "details": {"format": "gguf", "family": "llama"}})
    return {"models": models}


def embed(request):
    given = request["input"] if isinstance(request["input"], list) else [request["input"]]
    with ONE_AT_A_TIME:
        told = server(full(request["model"]), embeds=True).handle_embeddings({"input": given})
    return [row["embedding"] for row in told["data"]]


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/":
            return self.answer(200, b"Ollama is running")
        if self.path == "/api/tags":
            return self.answer(200, tags())
        if self.path == "/api/ps":
            return self.answer(200, {"models": [{"name": name, "model": name} for name, _ in list(SERVERS)]})
        if self.path == "/api/version":
            return self.answer(200, {"version": "0.0.0-rig"})
        self.answer(404, {"error": "not found"})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self.path not in ("/api/chat", "/api/generate", "/api/embed"):
            return self.answer(404, {"error": "not found"})
        if full(request.get("model", "")) not in files():
            return self.answer(404, {"error": f"model '{request.get('model')}' not found, try pulling it first"})
        if self.path == "/api/embed":
            return self.answer(200, {"model": request["model"], "embeddings": embed(request)})
        chat = self.path == "/api/chat"
        if not chat and not request.get("prompt"):
            # An empty request loads the model.
            server(full(request["model"]))
            return self.answer(200, {**self.line(chat, request, "", True), "done_reason": "load"})
        pieces = self.infer(chat, request)
        if request.get("stream", True):
            return self.stream(chat, request, pieces)
        self.answer(200, self.line(chat, request, "".join(pieces), True))

    def infer(self, chat, request):
        limit = request.get("options", {}).get("num_predict", 16)
        pieces = []

        def take(part):
            choice = part["choices"][0]
            pieces.append((choice.get("delta", {}).get("content") if chat else choice.get("text")) or "")
            return False

        loaded = server(full(request["model"]))
        with ONE_AT_A_TIME:
            if chat:
                loaded.handle_chat_completions({"messages": request["messages"], "max_tokens": limit, "stream": True}, take)
            else:
                loaded.handle_completions({"prompt": request["prompt"], "max_tokens": limit, "stream": True}, take)
        return pieces

    def line(self, chat, request, text, done):
        said = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
        return {"model": request["model"], "created_at": now(), **said, "done": done}

    def stream(self, chat, request, pieces):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text, done in [(piece, False) for piece in pieces] + [("", True)]:
            body = json.dumps(self.line(chat, request, text, done)).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        self.wfile.write(b"0\r\n\r\n")


# PID 1 of a container has no default handlers: without this, `docker stop` takes ten seconds.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
bring()
server(NAME + ":latest")
print(f"listening on {PORT}", file=sys.stderr, flush=True)
ThreadingHTTPServer(("0.0.0.0", PORT), Api).serve_forever()
