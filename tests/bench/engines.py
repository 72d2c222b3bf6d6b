"""engines.py -- Puna and llama.cpp as worker processes: each keeps one model open and answers one JSON line a request.

`Worker(engine, model, ...)` is the conductor's end; the same file run with `--worker` is the other. Names: "puna",
"puna-packed" (weights mapped from a packed file, made by the first open), "puna-f32", "puna-bf16" (float products by
libpuna_providers), "llama.cpp" (weights repacked when they are loaded), "llama.cpp-plain" (mapped as they are).
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time

import limits

ALLOW = {"puna-f32": 1, "puna-bf16": 2}  # PUNA_PROVIDERS_...
OURS, PEERS = ("puna", "puna-packed", *ALLOW), ("llama.cpp", "llama.cpp-plain")


def token(i, vocabulary):
    return (i * 7919 + 11) % vocabulary


# ---- the worker
# ----------------------------------------------------------------------------------------------------------------------


class Puna:
    def __init__(self, model, threads, library, isa, packed, allow=0):
        self.lib = ctypes.CDLL(library)
        self.lib.puna_last_error.restype = ctypes.c_char_p
        options = (ctypes.c_uint8 * 256)()  # zero is every option's default
        size = 120  # struct_size of the fields in use here
        ctypes.c_uint32.from_buffer(options).value = size
        ctypes.c_int32.from_buffer(options, 4).value = threads
        self.isa = isa.encode() if isa else None
        ctypes.c_char_p.from_buffer(options, 8).value = self.isa
        if allow:
            self.providers = ctypes.CDLL(os.path.join(os.path.dirname(library), "libpuna_providers.so"))
            if self.providers.puna_providers_find(None, ctypes.byref(options, 104)):
                raise RuntimeError("libpuna_providers has no provider")
            ctypes.c_int32.from_buffer(options, 112).value = allow
        self.context, self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.lib.puna_context_create(options, ctypes.byref(self.context)))
        self.packed = packed.encode()
        options = (ctypes.c_uint8 * 256)()
        ctypes.c_uint32.from_buffer(options).value = 40
        ctypes.c_char_p.from_buffer(options, 24).value = self.packed or None
        self.check(self.lib.puna_model_open(self.context, model.encode(), options, ctypes.byref(self.model)))
        self.reset()
        info = (ctypes.c_uint8 * 40)()
        ctypes.c_uint32.from_buffer(info).value = 40
        self.check(self.lib.puna_session_get_info(self.session, info))
        self.vocabulary = ctypes.c_int32.from_buffer(info, 4).value

    def check(self, status):
        if status:
            raise RuntimeError(self.lib.puna_last_error().decode())

    def reset(self):
        self.lib.puna_session_free(self.session)
        self.check(self.lib.puna_session_create(self.model, None, ctypes.byref(self.session)))

    def append(self, ids):
        self.check(
            self.lib.puna_session_append(
                self.session, (ctypes.c_int32 * len(ids))(*ids), ctypes.c_size_t(len(ids)), None, None
            )
        )


class LlamaCpp:
    def __init__(self, model, threads, repack, context):
        import llama_cpp as lc

        self.lc = lc
        self.silence = lc.llama_log_callback(lambda *_: None)
        lc.llama_log_set(self.silence, None)
        options = lc.llama_model_default_params()
        options.use_extra_bufts = repack
        self.model = lc.llama_model_load_from_file(model.encode(), options)
        options = lc.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = context, 512, 512
        options.n_threads = options.n_threads_batch = threads
        self.context = lc.llama_init_from_model(self.model, options)
        if not self.context:
            raise RuntimeError("llama.cpp could not open " + model)
        self.vocabulary = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self.model))

    def reset(self):
        self.lc.llama_memory_clear(self.lc.llama_get_memory(self.context), False)

    def append(self, ids):
        for i in range(0, len(ids), 512):
            piece = ids[i : i + 512]
            array = (ctypes.c_int32 * len(piece))(*piece)  # the batch borrows it
            status = self.lc.llama_decode(self.context, self.lc.llama_batch_get_one(array, len(piece)))
            if status:
                raise RuntimeError("llama_decode: %d" % status)


def peak_rss():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def work(a):
    start = time.perf_counter()
    if a.worker in OURS:
        engine = Puna(
            a.model,
            a.threads,
            a.library,
            a.isa,
            a.model + ".packed" if a.worker == "puna-packed" else "",
            ALLOW.get(a.worker, 0),
        )
    else:
        engine = LlamaCpp(a.model, a.threads, a.worker == "llama.cpp", a.context)
    load = time.perf_counter() - start
    engine.append([token(0, engine.vocabulary)])
    first = time.perf_counter() - start
    print(json.dumps({"load_s": load, "first_token_s": first}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        ids = [token(i, engine.vocabulary) for i in range(request["depth"] + request["n"])]
        engine.reset()
        if request["depth"]:
            engine.append(ids[: request["depth"]])
        rest = ids[request["depth"] :]
        start = time.perf_counter()
        if request["op"] == "pp":
            engine.append(rest)
        else:
            for i in rest:
                engine.append([i])
        print(json.dumps({"rate": len(rest) / (time.perf_counter() - start), "peak_rss": peak_rss()}), flush=True)


# ---- the conductor's end
# ----------------------------------------------------------------------------------------------------------------------


class Worker:
    """A process with an engine in it; `cgroup`: a control group (a folder) that it and its page cache belong to."""

    def __init__(
        self, engine, model, threads=2, library="build/release/lib/libpuna.so", isa="", context=4096, cgroup=""
    ):
        command = [
            sys.executable,
            __file__,
            model,
            "--worker",
            engine,
            "--threads",
            str(threads),
            "--library",
            library,
            "--isa",
            isa,
            "--context",
            str(context),
        ]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=(lambda: limits.enter(cgroup)) if cgroup else None,
        )
        self.opened = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended: see above")
        return json.loads(line)

    def ask(self, op, n, depth=0):
        self.process.stdin.write(json.dumps({"op": op, "n": n, "depth": depth}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    for name in ("--worker", "--library", "--isa"):
        p.add_argument(name, default="")
    for name in ("--threads", "--context"):
        p.add_argument(name, type=int, required=True)
    work(p.parse_args())


if __name__ == "__main__":
    main()
