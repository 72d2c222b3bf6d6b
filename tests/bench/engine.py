"""Rows of an engine's table: 8 requests against 1, and the gap between tokens while a long prompt comes in. Pairs are
measured in turns, so that what else the machine does falls on both; with --peer also llama-cpp-python's own parallel
decoding (llama_batch with 8 sequences).

usage: engine.py PUNA MODEL.gguf [--threads N] [--rounds N] [--long N] [--peer]
"""

import argparse
import json
import statistics
import subprocess
import time


def bench(a, *options):
    command = [
        a.puna,
        "bench",
        a.model,
        "--json",
        "-r",
        "1",
        "-p",
        "0",
        "--threads",
        str(a.threads),
        *map(str, options),
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peer(a, sequences, tokens):
    """Tokens a second of llama.cpp, `sequences` decoded in one batch each step, greedy."""
    import ctypes

    import llama_cpp

    parameters = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_load_model_from_file(a.model.encode(), parameters)
    context_parameters = llama_cpp.llama_context_default_params()
    context_parameters.n_ctx, context_parameters.n_seq_max = 4096, sequences
    context_parameters.n_threads = context_parameters.n_threads_batch = a.threads
    context = llama_cpp.llama_new_context_with_model(model, context_parameters)
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    batch = llama_cpp.llama_batch_init(sequences, 0, 1)
    last = [11 + 31 * s for s in range(sequences)]
    start = 0.0
    for position in range(8 + tokens):
        batch.n_tokens = sequences
        for s in range(sequences):
            batch.token[s], batch.pos[s], batch.n_seq_id[s] = last[s], position, 1
            batch.seq_id[s][0], batch.logits[s] = s, 1
        if llama_cpp.llama_decode(context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        for s in range(sequences):
            logits = llama_cpp.llama_get_logits_ith(context, s)
            row = ctypes.cast(logits, ctypes.POINTER(ctypes.c_float * vocabulary)).contents
            last[s] = max(range(0, vocabulary, 97), key=row.__getitem__)  # cheap: the choice does not matter here
        if position == 7:
            start = time.perf_counter()
    rate = sequences * tokens / (time.perf_counter() - start)
    llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_free_model(model)
    return rate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("puna")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=8000)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--peer", action="store_true")
    a = parser.parse_args()
    one, eight, theirs, gaps = [], [], [], []
    for _ in range(a.rounds):
        one.append(bench(a, "-n", a.tokens, "--parallel", 1)["tg_total"])
        eight.append(bench(a, "-n", a.tokens, "--parallel", 8)["tg_total"])
        if a.peer:
            theirs.append(peer(a, 8, a.tokens))
    ratios = [b / o for o, b in zip(one, eight)]
    print(f"tg_total: 1 request {statistics.median(one):.1f}/s, 8 requests {statistics.median(eight):.1f}/s")
    print(f"8 against 1: {statistics.median(ratios):.2f}x (median of {a.rounds} pairs)")
    if theirs:
        ratio = statistics.median([e / t for e, t in zip(eight, theirs)])
        print(f"llama.cpp, 8 sequences: {statistics.median(theirs):.1f}/s; ours {ratio:.2f}x")
    for _ in range(a.rounds):
        r = bench(a, "-n", max(a.tokens, 400), "--parallel", 1, "--long-prompt", a.long)
        gaps.append((r["gap_p99_s"], r["long_gap_p99_s"], r["gap_p50_s"]))
    plain, long_gap, usual = (statistics.median(column) for column in zip(*gaps))
    ratio = statistics.median(long / alone for alone, long, _ in gaps)  # p99 against p99, each of one process
    print(
        f"gap between tokens: p50 {usual * 1e3:.2f} ms, p99 {plain * 1e3:.2f} ms; while {a.long} tokens come in "
        f"p99 {long_gap * 1e3:.2f} ms, {ratio:.2f}x the p99 without (median of {a.rounds} pairs)"
    )


if __name__ == "__main__":
    main()
