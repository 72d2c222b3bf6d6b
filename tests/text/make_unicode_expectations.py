#!/usr/bin/env python3
"""Writes expected/unicode.json and expected/splits.json: character classes, normal forms and pre-tokenizer splits.

Usage: pip install unicodedata2==16.0.0 tiktoken==0.14.0 tokenizers==0.23.3 regex && python3
make_unicode_expectations.py The classes come from the regular expression engine of tiktoken (Rust's regex), whose
Unicode version defines Llama's splits, not from the table that generate_unicode.py reads. Splits come from the `regex`
module; strings on which Hugging Face's engine (Oniguruma) splits otherwise are left out and counted.
"""

import json
import os
import random

import regex
import tiktoken
import unicodedata2
from tokenizers import Regex, pre_tokenizers

from make_tokenizer_expectations import HERE, LLAMA3, O200K, QWEN2, TEKKEN, strings

POINTS = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CLASSES = {
    "upper": r"[\p{Lu}\p{Lt}]",
    "lower": r"\p{Ll}",
    "other_letter": r"[\p{Lm}\p{Lo}]",
    "mark": r"\p{M}",
    "number": r"\p{N}",
    "punctuation": r"\p{P}",
    "symbol": r"\p{S}",
    "space": r"\s",
    "word": r"\w",
}


def members(pattern):
    ranks = {bytes([b]): b for b in range(256)}
    engine = tiktoken.Encoding("bytes", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    text = "".join(map(chr, POINTS))
    parts = [
        bytes(engine.encode_ordinary(text[i : i + 100000])).decode() for i in range(0, len(text), 100000)
    ]  # what does not match is dropped
    return [ord(c) for part in parts for c in part]


def digest(points):
    """How many, and an order-dependent sum of all of them."""
    h = 0
    for p in points:
        h = (h * 31 + p) % 2**32
    return [len(points), h]


def normal_forms():
    rng = random.Random(7)
    changed = [p for p in POINTS if unicodedata2.normalize("NFKD", chr(p)) != chr(p)]
    marks = [p for p in POINTS if unicodedata2.combining(chr(p))]
    some = [*map(ord, "aeou yA"), 0x1100, 0x1161, 0x11A8, 0xAC00, 0x09C7, 0x09BE, 0x0DD9]
    texts = [
        "".join(chr(rng.choice(rng.choice([changed, marks, some]))) for _ in range(rng.randint(1, 9)))
        for _ in range(250)
    ]
    forms = ["NFC", "NFD", "NFKC", "NFKD"]
    whole = {f: digest([ord(c) for p in POINTS for c in unicodedata2.normalize(f, chr(p))]) for f in forms}
    return {"each_character": whole, "cases": [[t, *(unicodedata2.normalize(f, t) for f in forms)] for t in texts]}


def splits():
    extra = [
        "ſ",
        "'ſ",
        "ǅ",
        "ʰ",
        "ª",
        "ﬁ",
        "İ",
        "Ⅻ",
        "²",
        "٣",
        "\u0489",
        "\u200d",
        "\x1c",
        "\x85",
        "\u2028",
        "A",
        "B",
        "bc",
        "'re",
        "'VE",
        "/",
        "\r",
    ]
    rng = random.Random(11)
    texts = [t for seed in range(3) for t in strings(seed, 60)[-60:]]
    texts += ["".join(rng.choice(extra + list("aB1 '.\n")) for _ in range(rng.randint(1, 16))) for _ in range(250)]
    patterns = {"gpt-2": GPT2, "llama-bpe": LLAMA3, "llama4": O200K, "qwen2": QWEN2, "tekken": TEKKEN, "smollm": None}
    out, left_out = {}, 0
    for name, pattern in patterns.items():
        cases = []
        for text in texts:
            parts = (
                [text] if pattern else regex.findall(r"\p{N}|\P{N}+", text)
            )  # smollm: every digit alone, the rest as gpt-2
            pieces = [p for part in parts for p in regex.findall(pattern or GPT2, part, flags=regex.V0)]
            assert "".join(pieces) == text
            other = (
                pre_tokenizers.Split(Regex(pattern), "isolated")
                if pattern
                else pre_tokenizers.Sequence(
                    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Split(Regex(GPT2), "isolated")]
                )
            )
            if [p for p, _ in other.pre_tokenize_str(text)] != pieces:
                left_out += 1
                continue
            cases.append([text, [len(p.encode()) for p in pieces]])
        out[name] = {"pattern": pattern or "", "cases": cases}
    print(f"{left_out} of {len(texts) * len(patterns)} splits are left out: the engines differ")
    return out


def main():
    classes = {name: digest(members(pattern)) for name, pattern in CLASSES.items()}
    for name, content in [("unicode", {"classes": classes, "normal_forms": normal_forms()}), ("splits", splits())]:
        with open(os.path.join(HERE, "expected", name + ".json"), "w") as out:
            json.dump(content, out, ensure_ascii=True, separators=(",", ":"))
            out.write("\n")


if __name__ == "__main__":
    main()
