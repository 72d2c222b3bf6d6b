"""Approximate search: Puna's graph against those of hnswlib, faiss and usearch on the same vectors, taking turns, one
thread.

usage: neighbours.py NEIGHBOURS_PROGRAM --out FILE.json [--rows 1000000] [--dim 64] [--k 100] [--rounds 5]
[--build-threads 2] [--graphs FOLDER] [--engines puna,hnswlib,...]

Every graph has 16 links an item and is built with 200 candidates. Graphs are kept in FOLDER and built where they are
missing (minutes each; --build NAME builds just one). For each engine the walk's width goes through a range; a figure is
the median over rounds of the time of 200 queries handed over at once, the recall is the share of the true 100 best
(f32, double-checked by nobody's index but numpy). The table gives each engine's time at a recall of .95, between the
two measured widths around it.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import numpy as np

from search import made_up

LINKS, BUILD_WIDTH, QUERIES = 16, 200, 200
WIDTHS = (100, 130, 170, 220, 300, 400, 550, 750)


def true_best(vectors, queries, k):
    best = np.empty((len(queries), k), np.int64)
    for q in range(0, len(queries), 20):
        scores = queries[q : q + 20] @ vectors.T
        some = np.argpartition(-scores, k, axis=1)[:, :k]
        best[q : q + 20] = np.take_along_axis(some, np.argsort(-np.take_along_axis(scores, some, 1), axis=1), 1)
    return best


class Puna:
    name, suffix = "puna i8", "puna"

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def build(self, _vectors, dim, path, threads):
        return json.loads(
            subprocess.check_output([self.program, "build", str(threads), f"{self.folder}/vectors", str(dim), path])
        )

    def open(self, path, dim, k):
        self.process = subprocess.Popen(
            [
                self.program,
                "search",
                f"{self.folder}/vectors",
                str(dim),
                path,
                f"{self.folder}/queries",
                str(k),
                f"{self.folder}/best",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.process.stdout.readline()

    def turn(self, width, _queries, _best, _k):
        self.process.stdin.write(f"{width}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["ms"], answer["recall"]


class Rival:
    """search(queries, k, width) -> ids, timed here."""

    def turn(self, width, queries, best, k):
        self.set_width(width)
        start = time.perf_counter()
        ids = self.search(queries, k)
        ms = (time.perf_counter() - start) * 1e3 / len(queries)
        return ms, float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(ids, best)]) / k)

    def build(self, vectors, dim, path, threads):
        start = time.perf_counter()
        self.place(vectors, dim, threads)
        took = time.perf_counter() - start
        self.save(path)
        return {"seconds": round(took, 1), "mb": round(os.path.getsize(path) / 1e6)}


class Hnswlib(Rival):
    name, suffix = "hnswlib f32", "hnswlib"

    def place(self, vectors, dim, threads):
        import hnswlib

        self.index = hnswlib.Index("ip", dim)
        self.index.init_index(len(vectors), ef_construction=BUILD_WIDTH, M=LINKS)
        self.index.add_items(vectors, num_threads=threads)

    def save(self, path):
        self.index.save_index(path)

    def open(self, path, dim, _k):
        import hnswlib

        self.index = hnswlib.Index("ip", dim)
        self.index.load_index(path)

    def set_width(self, width):
        self.index.set_ef(width)

    def search(self, queries, k):
        return self.index.knn_query(queries, k, num_threads=1)[0]


class Faiss(Rival):
    name, suffix = "faiss f32", "faiss"

    def make(self, faiss, dim):
        return faiss.IndexHNSWFlat(dim, LINKS, faiss.METRIC_INNER_PRODUCT)

    def place(self, vectors, dim, threads):
        import faiss

        faiss.omp_set_num_threads(threads)
        self.index = self.make(faiss, dim)
        self.index.hnsw.efConstruction = BUILD_WIDTH
        self.index.train(vectors)
        self.index.add(vectors)

    def save(self, path):
        import faiss

        faiss.write_index(self.index, path)

    def open(self, path, _dim, _k):
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(path)

    def set_width(self, width):
        self.index.hnsw.efSearch = width

    def search(self, queries, k):
        return self.index.search(queries, k)[1]


class Faiss8(Faiss):
    name, suffix = "faiss 8-bit", "faiss8"

    def make(self, faiss, dim):
        return faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, LINKS, faiss.METRIC_INNER_PRODUCT)


class Usearch(Rival):
    name, suffix, dtype = "usearch f32", "usearch", "f32"

    def make(self, dim):
        from usearch.index import Index

        return Index(ndim=dim, metric="ip", dtype=self.dtype, connectivity=LINKS, expansion_add=BUILD_WIDTH)

    def place(self, vectors, dim, threads):
        self.index = self.make(dim)
        self.index.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=threads)

    def save(self, path):
        self.index.save(path)

    def open(self, path, dim, _k):
        self.index = self.make(dim)
        self.index.load(path)

    def set_width(self, width):
        self.index.expansion_search = width

    def search(self, queries, k):
        return self.index.search(queries, k, threads=1).keys.astype(np.int64)


class Usearch8(Usearch):
    name, suffix, dtype = "usearch i8", "usearch8", "i8"


def at_recall(points, wanted):
    """Milliseconds at a recall, between the measured points around it; None when it is not reached."""
    points = sorted((p["recall"], p["ms"]) for p in points)
    for (r0, t0), (r1, t1) in zip(points, points[1:]):
        if r0 <= wanted <= r1:
            return t0 + (t1 - t0) * (wanted - r0) / max(r1 - r0, 1e-9)
    return points[0][1] if points[0][0] >= wanted else None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--out", required=True)
    p.add_argument("--graphs", default="build/bench/graphs")
    p.add_argument("--build", help="build this engine's graph and stop")
    p.add_argument("--engines", default="puna,hnswlib,faiss,faiss8,usearch,usearch8")
    for name, value in (("rows", 1000000), ("dim", 64), ("k", 100), ("rounds", 5), ("build-threads", 2)):
        p.add_argument(f"--{name}", type=int, default=value)
    a = p.parse_args()
    folder = f"{a.graphs}/{a.rows}x{a.dim}"
    os.makedirs(folder, exist_ok=True)
    vectors, queries = made_up(a.rows, a.dim, 1), made_up(QUERIES, a.dim, 2)
    if not os.path.exists(f"{folder}/best"):
        vectors.tofile(f"{folder}/vectors")
        queries.tofile(f"{folder}/queries")
        true_best(vectors, queries, a.k).tofile(f"{folder}/best")
    best = np.fromfile(f"{folder}/best", np.int64).reshape(QUERIES, a.k)
    engines, built = (
        [
            e
            for e in (Puna(a.program, folder), Hnswlib(), Faiss(), Faiss8(), Usearch(), Usearch8())
            if e.suffix in a.engines.split(",")
        ],
        {},
    )
    for e in engines:
        path = f"{folder}/{e.suffix}"
        if (a.build is None or a.build == e.suffix) and not os.path.exists(path):
            print(f"building {e.name}", flush=True)
            with open(path + ".json", "w", encoding="utf-8") as f:
                json.dump(e.build(vectors, a.dim, path, a.build_threads), f)
        if os.path.exists(path + ".json"):
            built[e.name] = json.load(open(path + ".json", encoding="utf-8"))
    if a.build is not None:
        return
    for e in engines:
        e.open(f"{folder}/{e.suffix}", a.dim, a.k)
    turns = {(e.name, w): [] for e in engines for w in WIDTHS}
    for _ in range(a.rounds):
        for w in WIDTHS:
            for e in engines:
                turns[e.name, w].append(e.turn(w, queries, best, a.k))
    report = {"rows": a.rows, "dim": a.dim, "k": a.k, "built": built, "engines": {}}
    for e in engines:
        points = [
            {"width": w, "ms": statistics.median(t for t, _ in turns[e.name, w]), "recall": turns[e.name, w][0][1]}
            for w in WIDTHS
        ]
        report["engines"][e.name] = {"points": points, "ms_at_95": at_recall(points, 0.95)}
        at = report["engines"][e.name]["ms_at_95"]
        print(
            f"{e.name}: {'does not reach .95' if at is None else f'{at:.3f} ms at recall .95'}; "
            + ", ".join(f"{p['width']}: {p['recall']:.3f} in {p['ms']:.3f}" for p in points),
            flush=True,
        )
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
