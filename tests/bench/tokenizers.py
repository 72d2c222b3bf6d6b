"""tokenizers.py -- encoding speed on 10 MB of mixed text, one thread: the Llama 4 tokenizer beside tiktoken, SmolLM2's
beside llama.cpp.

The text is this repository's own: prose, code, data, and the many scripts of the tokenizer tests, repeated with a
counter between so that no two passages are alike. Engines take turns; medians of MB/s; the ids must agree.
"""

import argparse
import base64
import ctypes
import json
import statistics
import subprocess
import time


def mixed_text(size):
    names = subprocess.check_output(["git", "ls-files", "*.md", "*.cpp", "*.h", "*.py", "*.json"], text=True).split()
    parts, total, turn = [], 0, 0
    while total < size:
        for name in names:
            with open(name, encoding="utf-8", errors="ignore") as f:
                parts.append("%d %s\n%s" % (turn, name, f.read(40000)))
            total += len(parts[-1].encode())
        turn += 1
    return "".join(parts).encode()[:size].decode(errors="ignore")


class Puna:
    def __init__(self, library, path):
        self.lib = ctypes.CDLL(library)
        self.lib.puna_last_error.restype = ctypes.c_char_p
        self.lib.puna_buffer_data.restype, self.lib.puna_buffer_size.restype = (
            ctypes.POINTER(ctypes.c_int32),
            ctypes.c_size_t,
        )
        self.tokenizer, self.ids = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.lib.puna_buffer_create(ctypes.byref(self.ids)))
        start = time.perf_counter()
        self.check(self.lib.puna_tokenizer_open(path.encode(), ctypes.byref(self.tokenizer)))
        self.load_s = time.perf_counter() - start

    def check(self, status):
        if status:
            raise RuntimeError(self.lib.puna_last_error().decode())

    def encode(self, data):
        start = time.perf_counter()
        self.check(self.lib.puna_tokenizer_encode(self.tokenizer, data, ctypes.c_size_t(len(data)), None, self.ids))
        return time.perf_counter() - start, self.lib.puna_buffer_data(self.ids)[: self.lib.puna_buffer_size(self.ids)]


class Tiktoken:
    PATTERN = "|".join(
        [  # Llama 4's, as published in llama-models' tokenizer.py
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        ]
    )

    def __init__(self, path):
        import tiktoken

        start = time.perf_counter()
        with open(path, "rb") as f:
            ranks = {base64.b64decode(piece): int(rank) for piece, rank in (line.split() for line in f if line.strip())}
        self.encoding = tiktoken.Encoding("llama4", pat_str=self.PATTERN, mergeable_ranks=ranks, special_tokens={})
        self.load_s = time.perf_counter() - start

    def encode(self, data):
        text = data.decode()
        start = time.perf_counter()
        ids = []
        for i in range(0, len(text), 400000):  # as Meta's tokenizer.py cuts it; so do we
            ids += self.encoding.encode_ordinary(text[i : i + 400000])
        return time.perf_counter() - start, ids


class LlamaCpp:
    def __init__(self, path):
        import llama_cpp as lc

        self.lc = lc
        self.silence = lc.llama_log_callback(lambda *_: None)
        lc.llama_log_set(self.silence, None)
        options = lc.llama_model_default_params()
        options.vocab_only = True
        start = time.perf_counter()
        self.vocabulary = lc.llama_model_get_vocab(lc.llama_model_load_from_file(path.encode(), options))
        self.load_s = time.perf_counter() - start

    def encode(self, data):
        out = (ctypes.c_int32 * len(data))()
        start = time.perf_counter()
        count = self.lc.llama_tokenize(self.vocabulary, data, len(data), out, len(out), False, False)
        return time.perf_counter() - start, out[:count]


def race(name, engines, data, rounds):
    times = {e: [] for e in engines}
    ids = {}
    for r in range(rounds):
        for e in list(engines) if r % 2 == 0 else list(engines)[::-1]:
            seconds, ids[e] = engines[e].encode(data)
            times[e].append(seconds)
    speed = {e: len(data) / 1e6 / statistics.median(t) for e, t in times.items()}
    first, second = list(engines)
    same = "the same ids" if list(ids[first]) == list(ids[second]) else "OTHER IDS"
    print(
        "%-8s %s   ratio %.2fx   %s (%d)"
        % (
            name,
            "   ".join("%s %.1f MB/s, load %.3f s" % (e, speed[e], engines[e].load_s) for e in engines),
            speed[first] / speed[second],
            same,
            len(ids[first]),
        ),
        flush=True,
    )
    return {
        "mb_per_s": speed,
        "load_s": {e: engines[e].load_s for e in engines},
        "same_ids": list(ids[first]) == list(ids[second]),
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("smollm2")
    p.add_argument("llama4")
    p.add_argument("--library", default="build/release/lib/libpuna.so")
    p.add_argument("--megabytes", type=float, default=10)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--out", default="")
    a = p.parse_args()
    data = mixed_text(int(a.megabytes * 1e6)).encode()
    results = {
        "llama4": race("Llama 4", {"puna": Puna(a.library, a.llama4), "tiktoken": Tiktoken(a.llama4)}, data, a.rounds),
        "smollm2": race(
            "SmolLM2", {"puna": Puna(a.library, a.smollm2), "llama.cpp": LlamaCpp(a.smollm2)}, data, a.rounds
        ),
    }
    if a.out:
        with open(a.out, "w") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
