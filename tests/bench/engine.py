"""The engine's table (docs/engine.md), each row as a ratio with its goal beside it: 8 requests against 1, and against
llama.cpp's own 8 sequences; gaps between two tokens while a long prompt comes in; a chat's second turn; requests behind
one prompt; adapters mixed in a batch. What is compared is measured in turns, so that what else the machine does falls
on both.

usage: engine.py SMOLLM2 [1B [MOE]] [--only eight,peer,gap,turn,shared,adapters] [--threads N] [--rounds N] [--out F]

Peers need llama-cpp-python; without it their rows say so.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time

PARTS = ("eight", "peer", "gap", "turn", "shared", "adapters")
EIGHT_GOALS = (("SmolLM2", 3.0), ("1B Q4_0", 4.0), ("MoE", 2.0))


class Worker:
    """A program that reads a measure a line and answers each with a line of JSON."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a worker ended: see above")
        return json.loads(line)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Peer:
    """llama.cpp: some sequences decoded in one batch each step. Which tokens they are costs nothing to choose."""

    def __init__(self, path, threads):
        import llama_cpp as lc

        self.lc = lc
        lc.llama_backend_init()
        self.quiet = lc.llama_log_callback(lambda *_: None)
        lc.llama_log_set(self.quiet, None)
        options = lc.llama_model_default_params()
        options.use_extra_bufts = True  # weights repacked for this CPU
        self.model = lc.llama_model_load_from_file(path.encode(), options)
        options = lc.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch, options.n_seq_max = 4096, 512, 512, 8
        options.n_threads = options.n_threads_batch = threads
        self.context = lc.llama_init_from_model(self.model, options)
        if not self.context:
            raise SystemExit("llama.cpp could not open " + path)
        self.vocabulary = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self.model))

    def rate(self, sequences, tokens):
        lc = self.lc
        lc.llama_memory_clear(lc.llama_get_memory(self.context), False)
        batch = lc.llama_batch_init(sequences, 0, 1)
        start = 0.0
        for position in range(8 + tokens):
            batch.n_tokens = sequences
            for s in range(sequences):
                batch.token[s] = (position * 7919 + 11 + s * 104729) % self.vocabulary
                batch.pos[s], batch.n_seq_id[s] = position, 1
                batch.seq_id[s][0], batch.logits[s] = s, 1
            if lc.llama_decode(self.context, batch) != 0:
                raise SystemExit("llama_decode failed")
            lc.llama_synchronize(self.context)
            if position == 7:
                start = time.perf_counter()
        rate = sequences * tokens / (time.perf_counter() - start)
        lc.llama_batch_free(batch)
        return rate


def peer_worker(path, threads):
    peer = Peer(path, threads)
    print("{}", flush=True)
    for line in sys.stdin:
        _, sequences, tokens = line.split()
        print(json.dumps({"tg_total": peer.rate(int(sequences), int(tokens))}), flush=True)


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, ratio, goal, least, detail):
        """`least`: the goal is a lower bound."""
        if ratio is None:
            verdict = "not measured"
        else:
            verdict = "yes" if (ratio >= goal if least else ratio <= goal) else "NO"
        self.rows.append({"what": what, "ratio": ratio, "goal": goal, "least": least, "met": verdict, "detail": detail})
        shown = "-" if ratio is None else f"{ratio:.3g}"
        print(f"{what:<58} {shown:>7}  {'>=' if least else '<='} {goal:<5g} {verdict:<12} {detail}", flush=True)


def eight(a, table, name, path, goal):
    """8 requests against 1, and against llama.cpp's 8."""
    ours = Worker(a.engine_rows, path, str(a.threads))
    peer = None
    if "peer" in a.only and importlib.util.find_spec("llama_cpp"):
        peer = Worker(sys.executable, __file__, path, "--threads", str(a.threads), "--worker")
    tokens = 96 if "SmolLM2" in name else 24
    one, many, theirs = [], [], []
    for _ in range(a.rounds):
        one.append(ours.ask("tg", 1, tokens)["tg_total"])
        many.append(ours.ask("tg", 8, tokens)["tg_total"])
        if peer:
            theirs.append(peer.ask("tg", 8, tokens)["tg_total"])
    ours.close()
    if "eight" in a.only:
        ratio = statistics.median(m / o for m, o in zip(many, one))
        detail = f"{statistics.median(many):.1f} against {statistics.median(one):.1f} tokens/s"
        table.add(f"{name}: 8 requests against 1, tokens/s", ratio, goal, True, detail)
    if "peer" in a.only:
        ratio, detail = None, "llama-cpp-python is not installed"
        if peer:
            peer.close()
            ratio = statistics.median(m / t for m, t in zip(many, theirs))
            detail = f"{statistics.median(many):.1f} against {statistics.median(theirs):.1f} tokens/s"
        table.add(f"{name}: 8 requests against llama.cpp's 8 sequences", ratio, 2.0, True, detail)


def gap(a, table, name, path):
    """p99 against p99, before, after and while the prompt comes in, in one process."""
    ratios, plain, beside, first = [], [], [], []
    for _ in range(a.gap_rounds):
        command = [a.puna, "bench", path, "--json", "-r", "1", "-p", "0", "-n", "400", "--threads", str(a.threads)]
        command += ["--parallel", "1", "--long-prompt", str(a.long)]
        r = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        plain.append(r["gap_p99_s"])
        beside.append(r["long_gap_p99_s"])
        ratios.append(r["long_gap_p99_s"] / r["gap_p99_s"])
        first.append(r["long_first_token_s"])
    detail = (
        f"{statistics.median(beside) * 1e3:.2f} against {statistics.median(plain) * 1e3:.2f} ms; "
        f"the prompt's first token after {statistics.median(first):.1f} s"
    )
    table.add(f"{name}: p99 gap beside a prompt of {a.long}", statistics.median(ratios), 2.5, False, detail)


def others(a, table, name, path):
    worker = Worker(a.engine_rows, path, str(a.threads))
    if "turn" in a.only:
        r = worker.ask("second-turn", 4000)
        detail = (
            f"{r['second_turn_s'] * 1e3:.2f} against {r['prompt_16_s'] * 1e3:.2f} ms, {r['cached_tokens']} tokens found"
        )
        table.add(f"{name}: second turn behind 4,000 tokens, first token", r["ratio"], 1.3, False, detail)
    if "shared" in a.only:
        r = worker.ask("shared", 50, 2000)
        detail = f"{r['rows_many']:.0f} against {r['rows_one']:.0f} rows"
        table.add(f"{name}: 50 behind one prompt of 2,000 tokens, work", r["rows"], 1.1, False, detail)
        detail = (
            f"{r['bytes_many'] / 1e6:.0f} against {r['bytes_one'] / 1e6:.0f} MB, {r['all_memory']:.2f}x with each "
            "one's own last page and logits"
        )
        table.add(f"{name}: the same, memory of the prompt", r["memory"], 1.1, False, detail)
        r = worker.ask("look-up", 8000)
        detail = f"and {r['take_us']:.1f} us with its pages handed over"
        table.add(f"{name}: look-up of 8,000 tokens, us", r["walk_us"], 20, False, detail)
    if "adapters" in a.only:
        for targets, said in (("all", "every matrix"), ("q,v", "q and v")):
            r = worker.ask("adapters", targets, 64 if "SmolLM2" in name else 24)
            detail = f"{r['with']:.1f} against {r['plain']:.1f} tokens/s"
            table.add(f"{name}: 8 adapters of rank 8 ({said}) in a batch of 8", r["ratio"], 0.85, True, detail)
    worker.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="SmolLM2, the 1B shape, the MoE shape")
    parser.add_argument("--puna", default="build/release/bin/puna")
    parser.add_argument("--engine-rows", default="build/release/bin/engine_rows")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gap-rounds", type=int, default=2)
    parser.add_argument("--long", type=int, default=8000)
    parser.add_argument("--out", help="the rows as JSON")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.worker:
        return peer_worker(a.models[0], a.threads)
    a.only = a.only.split(",")
    if unknown := set(a.only) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    table = Table()
    named = [(name, path, goal) for (name, goal), path in zip(EIGHT_GOALS, a.models)]
    for name, path, goal in named:
        if {"eight", "peer"} & set(a.only):
            eight(a, table, name, path, goal)
    if "gap" in a.only:
        gap(a, table, *named[0][:2])
    if {"turn", "shared", "adapters"} & set(a.only):
        for name, path, _ in named[:2]:
            others(a, table, name, path)
    if a.out:
        with open(a.out, "w") as f:
            json.dump(table.rows, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
