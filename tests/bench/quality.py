"""quality.py -- what 8-bit activations cost: the default mode against exact mode of the same file, and llama.cpp
against it too.

For each file: the mean of KL(exact || X) over the next-token distributions of a text, its 99th percentile, how often
the most likely token is another, and the mean negative log-likelihood. Exact mode (float32 activations, dequantised
weights) is the file's own meaning.
"""

import argparse
import ctypes
import json
import os
import subprocess

import numpy as np


def puna_logits(a, model, ids, exact):
    out = os.path.join(a.folder, "logits.npy")
    command = [a.puna, "logits", model, "--tokens", ",".join(map(str, ids)), "--out", out, "--threads", str(a.threads)]
    subprocess.check_call(command + (["--exact"] if exact else []))
    return np.load(out)


def llama_logits(model, ids, threads):
    import llama_cpp as lc

    silence = lc.llama_log_callback(lambda *_: None)
    lc.llama_log_set(silence, None)
    loaded = lc.llama_model_load_from_file(model.encode(), lc.llama_model_default_params())
    options = lc.llama_context_default_params()
    options.n_ctx, options.n_batch, options.n_ubatch = len(ids) + 8, len(ids), len(ids)
    options.n_threads = options.n_threads_batch = threads
    context = lc.llama_init_from_model(loaded, options)
    vocabulary = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(loaded))
    batch = lc.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
    if lc.llama_decode(context, batch):
        raise SystemExit("llama_decode failed on " + model)
    logits = np.ctypeslib.as_array(lc.llama_get_logits(context), (len(ids), vocabulary)).copy()
    lc.llama_batch_free(batch)
    lc.llama_free(context)
    lc.llama_model_free(loaded)
    return logits


def log_softmax(logits):
    x = logits.astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def compare(exact, other, ids):
    p, q = log_softmax(exact), log_softmax(other)
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    rows = np.arange(len(ids) - 1)
    return {
        "kl_mean": float(kl.mean()),
        "kl_p99": float(np.quantile(kl, 0.99)),
        "other_token": float((p.argmax(axis=1) != q.argmax(axis=1)).mean()),
        "nll": float(-q[rows, ids[1:]].mean()),
        "nll_exact": float(-p[rows, ids[1:]].mean()),
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("source", help="a model with a tokenizer")
    p.add_argument("--text", default="docs/architecture.md")
    p.add_argument("--tokens", type=int, default=1024)
    p.add_argument("--types", default="Q4_0,Q4_1,Q5_0,Q5_1,Q8_0,IQ4_NL,Q2_K,Q3_K,Q4_K,Q5_K,Q6_K,F16")
    p.add_argument("--puna", default="build/release/bin/puna")
    p.add_argument("--reencode", default="build/release/bin/reencode")
    p.add_argument("--folder", default="build/bench")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--out", default="")
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    ids = json.loads(subprocess.check_output([a.puna, "tokenize", a.source, "--file", a.text], text=True))[: a.tokens]
    print("%d tokens of %s; KL against exact mode of the same file" % (len(ids), a.text))
    print(
        "%-8s %12s %10s %12s   %12s %10s %12s   %8s %8s"
        % ("type", "puna KL", "p99", "other token", "llama.cpp KL", "p99", "other token", "NLL", "exact")
    )
    results = {}
    for name in a.types.split(","):
        model = os.path.join(a.folder, "quality-%s.gguf" % name)
        subprocess.check_call([a.reencode, a.source, name, model])
        exact = puna_logits(a, model, ids, True)
        ours, theirs = (
            compare(exact, puna_logits(a, model, ids, False), ids),
            compare(exact, llama_logits(model, ids, a.threads), ids),
        )
        results[name] = {"puna": ours, "llama.cpp": theirs}
        print(
            "%-8s %12.2e %10.2e %11.2f%%   %12.2e %10.2e %11.2f%%   %8.4f %8.4f"
            % (
                name,
                ours["kl_mean"],
                ours["kl_p99"],
                100 * ours["other_token"],
                theirs["kl_mean"],
                theirs["kl_p99"],
                100 * theirs["other_token"],
                ours["nll"],
                ours["nll_exact"],
            ),
            flush=True,
        )
        os.remove(model)
    os.remove(os.path.join(a.folder, "logits.npy"))
    if a.out:
        with open(a.out, "w") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
