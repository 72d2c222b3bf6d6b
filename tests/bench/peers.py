"""peers.py -- Puna and llama.cpp on the same files and threads, interleaved, beside what the machine can do at that moment.

One worker process an engine keeps its model open; the conductor lets them take turns: one prompt each, one generation each, again and
again, with a bandwidth and an int8 probe in every round. Medians and ratios are printed, everything goes to a JSON file.
llama.cpp counts with the better of its two settings (run-time repacking on, off), phase by phase.
Run by `./dev bench`, which brings the pieces: the models, `probe`, and a Python that has llama-cpp-python compiled for this machine.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time

ENGINES = ("puna", "llama.cpp", "llama.cpp-plain")


def token(i, vocabulary):
    return (i * 7919 + 11) % vocabulary


# ---- workers: open a model, then answer one JSON line a request -------------------------------------------------------------------------

class Puna:
    def __init__(self, model, threads, library, isa):
        self.lib = ctypes.CDLL(library)
        self.lib.puna_last_error.restype = ctypes.c_char_p
        options = (ctypes.c_uint8 * 256)()  # zero is every option's default
        size = 120  # struct_size of the fields in use here
        ctypes.c_uint32.from_buffer(options).value = size
        ctypes.c_int32.from_buffer(options, 4).value = threads
        self.isa = isa.encode() if isa else None
        ctypes.c_char_p.from_buffer(options, 8).value = self.isa
        self.context, self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.lib.puna_context_create(options, ctypes.byref(self.context)))
        self.check(self.lib.puna_model_open(self.context, model.encode(), None, ctypes.byref(self.model)))
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
        self.check(self.lib.puna_session_append(self.session, (ctypes.c_int32 * len(ids))(*ids), ctypes.c_size_t(len(ids))))


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
            piece = ids[i:i + 512]
            array = (ctypes.c_int32 * len(piece))(*piece)  # the batch borrows it
            status = self.lc.llama_decode(self.context, self.lc.llama_batch_get_one(array, len(piece)))
            if status:
                raise RuntimeError("llama_decode: %d" % status)


def peak_rss():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def work(a):
    start = time.perf_counter()
    engine = Puna(a.model, a.threads, a.library, a.isa) if a.worker == "puna" else LlamaCpp(a.model, a.threads, a.worker == "llama.cpp", a.context)
    load = time.perf_counter() - start
    engine.append([token(0, engine.vocabulary)])
    first = time.perf_counter() - start
    print(json.dumps({"load_s": load, "first_token_s": first}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        ids = [token(i, engine.vocabulary) for i in range(request["depth"] + request["n"])]
        engine.reset()
        if request["depth"]:
            engine.append(ids[:request["depth"]])
        rest = ids[request["depth"]:]
        start = time.perf_counter()
        if request["op"] == "pp":
            engine.append(rest)
        else:
            for i in rest:
                engine.append([i])
        print(json.dumps({"rate": len(rest) / (time.perf_counter() - start), "peak_rss": peak_rss()}), flush=True)


# ---- the conductor ----------------------------------------------------------------------------------------------------------------------

class Worker:
    def __init__(self, a, engine, model):
        command = [sys.executable, __file__, model, "--worker", engine, "--threads", str(a.threads), "--library", a.library, "--isa", a.isa,
                   "--context", str(max([a.prompt, a.generate] + a.lengths + [d + a.generate + a.prompt for d in a.depth + a.prompt_depth]) + 64)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


def bytes_per_token(model):
    """Bytes of weights that one generated token reads: all but the embedding's rows, and of the experts only those it uses."""
    from gguf import GGUFReader
    reader = GGUFReader(model)
    tensors = {t.name: int(t.n_bytes) for t in reader.tensors}
    count, used = (next((int(f.parts[-1][0]) for k, f in reader.fields.items() if k.endswith(key)), 1) for key in (".expert_count", ".expert_used_count"))
    if "output.weight" in tensors:
        del tensors["token_embd.weight"]
    return sum(n * used // count if "_exps" in name else n for name, n in tensors.items())


def median(values):
    return statistics.median(values) if values else float("nan")


def compare(a, model):
    workers = {e: Worker(a, e, model) for e in a.engines}
    phases = ([("pp%d" % a.prompt, "pp", a.prompt, 0)] if a.prompt else []) + ([("tg%d" % a.generate, "tg", a.generate, 0)] if a.generate else [])
    phases += [("tg%d@%d" % (a.generate, d), "tg", a.generate, d) for d in a.depth]
    phases += [("pp%d" % n, "pp", n, 0) for n in a.lengths]
    phases += [("pp%d@%d" % (a.prompt, d), "pp", a.prompt, d) for d in a.prompt_depth]
    rates = {(phase[0], e): [] for phase in phases for e in workers}
    probes, rss = [], {}
    for r in range(a.rounds):
        probes.append(json.loads(subprocess.check_output([a.probe, str(a.threads)], text=True)))
        for name, op, n, depth in phases:
            for e in (list(workers) if r % 2 == 0 else list(workers)[::-1]):
                time.sleep(0.05)  # the last one's threads go to sleep
                answer = workers[e].ask(op, n, depth)
                rates[name, e].append(answer["rate"])
                rss[e] = answer["peak_rss"]
    for worker in workers.values():
        worker.close()
    probe = {key: median([p[key] for p in probes]) for key in probes[0]}
    size = os.path.getsize(model)
    result = {"model": model, "file_bytes": size, "threads": a.threads, "rounds": a.rounds, "probe": probe, "bytes_per_token": bytes_per_token(model), "engines": {}}
    for e in workers:
        result["engines"][e] = {**workers[e].opened, "peak_rss_bytes": rss.get(e), **{p[0]: median(rates[p[0], e]) for p in phases}}
    report(result, [p[0] for p in phases])
    return result


def report(result, phases):
    name = os.path.basename(result["model"])
    probe = result["probe"]
    print("%s   %.0f MB   probe: read %.1f GB/s, int8 %.0f GMAC/s, f32 %.0f GMAC/s" %
          (name, result["file_bytes"] / 1e6, probe["read_gbs"], probe["int8_gmacs"], probe["f32_gmacs"]))
    for e, r in result["engines"].items():
        print("  %-16s %s   load %.2f s   peak %.0f MB" %
              (e, "  ".join("%s %8.1f" % (p, r[p]) for p in phases), r["load_s"], (r["peak_rss_bytes"] or 0) / 1e6))
    for e, r in result["engines"].items():
        for name in [p for p in phases if p.startswith("tg")][:1]:
            print("  %-16s %s reads %.1f GB/s of weights, %.0f %% of the probe" %
                  (e, name, r[name] * result["bytes_per_token"] / 1e9, 100 * r[name] * result["bytes_per_token"] / 1e9 / probe["read_gbs"]))
    ours, theirs = result["engines"].get("puna"), [r for e, r in result["engines"].items() if e != "puna"]
    if ours and theirs:
        ratios = {p: ours[p] / max(r[p] for r in theirs) for p in phases}
        result["ratio"] = ratios
        print("  ratio            %s" % "  ".join("%s %7.2fx" % (p, x) for p, x in ratios.items()))
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("models", nargs="+")
    p.add_argument("--library", default="build/release/lib/libpuna.so")
    p.add_argument("--probe", default="build/release/bin/probe")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--isa", default="", help="Puna's level (default: the best)")
    p.add_argument("--engines", default=",".join(ENGINES))
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--generate", type=int, default=64)
    p.add_argument("--depth", default="", help="generate behind so many tokens as well: 4096,...")
    p.add_argument("--lengths", default="", help="prompts of so many tokens as well: 128,2048,...")
    p.add_argument("--prompt-depth", default="", help="the prompt behind so many tokens as well")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--out", default="", help="JSON file for the results")
    p.add_argument("--worker", default="", help=argparse.SUPPRESS)
    p.add_argument("--context", type=int, default=4096, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.worker:
        a.model = a.models[0]
        return work(a)
    a.engines = a.engines.split(",")
    for name in ("depth", "lengths", "prompt_depth"):
        setattr(a, name, [int(d) for d in getattr(a, name).split(",") if d])
    results = []
    for model in a.models:
        results.append(compare(a, model))
        if a.out:  # after each, so that a stopped run keeps what it has
            with open(a.out, "w") as out:
                json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
