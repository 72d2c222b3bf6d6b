"""Exact search over a million vectors: Puna against faiss and usearch on the same data, taking turns, beside the
machine's reading speed.

usage: search.py SEARCH_PROGRAM --probe PROBE_PROGRAM --out FILE.json [--rows 1000000] [--dim 64] [--k 100] [--rounds 5]
[--threads 1]

Rivals that this Python cannot import are left out and named. Vectors are low-rank with noise and of unit length, as
learned ones are.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np

from torch_peers import probe


def made_up(rows, dim, seed):
    random = np.random.default_rng(seed)
    basis = np.random.default_rng(0).standard_normal((dim // 4, dim), dtype=np.float32)
    v = random.standard_normal((rows, dim // 4), dtype=np.float32) @ basis + 0.3 * random.standard_normal(
        (rows, dim), dtype=np.float32
    )
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def milliseconds(work, queries):
    start = time.perf_counter()
    for q in queries:
        work(q[None])
    return (time.perf_counter() - start) * 1e3 / len(queries)


def rivals(vectors, k, threads):
    """name -> search(queries)"""
    found, missing = {}, []
    try:
        import faiss

        faiss.omp_set_num_threads(threads)
        dim = vectors.shape[1]
        for name, index in (
            ("faiss flat f32", faiss.IndexFlatIP(dim)),
            ("faiss 8-bit", faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)),
            (
                "faiss 8-bit direct signed",
                faiss.IndexScalarQuantizer(
                    dim, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
                ),
            ),
        ):
            scale = 127 / np.abs(vectors).max() if "direct" in name else 1
            index.train(vectors * scale)
            index.add(np.round(vectors * scale) if "direct" in name else vectors)
            found[name] = lambda q, index=index, scale=scale: index.search(np.round(q * scale) if scale != 1 else q, k)
    except ImportError:
        missing.append("faiss")
    try:
        from usearch.index import MetricKind, search

        codes = np.round(vectors * (127 / np.abs(vectors).max())).astype(np.int8)
        as_codes = lambda q: np.round(q * (127 / np.abs(q).max())).astype(np.int8)
        found["usearch i8 exact"] = lambda q: search(codes, as_codes(q), k, MetricKind.IP, exact=True, threads=threads)
    except ImportError:
        missing.append("usearch")
    return found, missing


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--out", required=True)
    p.add_argument("--probe", default="build/release/bin/probe")
    for name, value in (("rows", 1000000), ("dim", 64), ("k", 100), ("rounds", 5), ("threads", 1)):
        p.add_argument(f"--{name}", type=int, default=value)
    a = p.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(a.threads)
    vectors, queries = made_up(a.rows, a.dim, 1), made_up(32, a.dim, 2)
    others, missing = rivals(vectors, a.k, a.threads)
    ours, theirs = [], {name: [] for name in others}
    with tempfile.TemporaryDirectory() as folder:
        vectors.tofile(f"{folder}/vectors")
        queries.tofile(f"{folder}/queries")
        for _ in range(a.rounds):
            done = subprocess.run(
                [a.program, str(a.threads), "1", f"{folder}/vectors", f"{folder}/queries", str(a.dim), str(a.k)],
                check=True,
                capture_output=True,
                text=True,
            )
            measured, recall = map(json.loads, done.stdout.splitlines())
            measured["probe_gb_s"] = probe(a.probe, a.threads)["read_gbs"]
            ours.append(measured)
            for name, search in others.items():
                theirs[name].append(milliseconds(search, queries[:8]))
    report = {"puna": ours, "recall": recall, "rivals_ms": theirs, "not_there": missing}
    print(f"share of the probe: {statistics.median(o['i8_gb_s'] / o['probe_gb_s'] for o in ours):.2f}")
    for key in ours[0]:
        print(f"puna {key}: {statistics.median(o[key] for o in ours):.2f}")
    print("puna recall of f32's best:", recall)
    for name, ms in theirs.items():
        print(f"{name}: {statistics.median(ms):.2f} ms")
    if missing:
        print("not there:", ", ".join(missing))
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
