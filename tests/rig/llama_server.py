"""llama.cpp's own HTTP server with one model: llama_server.py PORT MODEL [PARALLEL]"""
import signal
import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[2]
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[1])
parameters.n_parallel = int(sys.argv[3]) if len(sys.argv) > 3 else 1
parameters.n_ctx = 2048 * parameters.n_parallel
parameters.cpuparams.n_threads = 1
parameters.warmup = False
server = xllamacpp.Server(parameters)
print("listening", server.listening_address, flush=True)
signal.pause()
