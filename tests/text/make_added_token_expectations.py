#!/usr/bin/env python3
"""Writes expected/added_tokens.json: added tokens of every kind in the tokenizers of expected/tokenizer_<form>.json,
and what Hugging Face's library makes of texts with them.

Usage: pip install tokenizers==0.23.3 && python3 make_added_token_expectations.py
[{"form", "added_tokens": instead of the form's, "prefix_space": of a ByteLevel step, "cases": [{"text", "ids",
"decoded"}, ...]}, ...]: special tokens are parsed, and decoded as text. Special tokens are not normalised: then the
library decodes and skips them under another name.
"""

import json
import os
import random

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
FORMS = [
    "gpt2_added",
    "llama2",
    "gemma",
    "metaspace_always",
    "metaspace_first",
    "qwen2_nfc",
    "nfkc",
    "digits",
    "llama3",
]
CONTENTS = [
    " foo",
    "foo ",
    " ",
    "  ",
    "\n",
    "<x>",
    "<x> ",
    " <x>",
    "word",
    "▁a",
    "▁",
    "a b",
    "th",
    "the",
    "<x><x>",
    "x",
    "!",
    "[A]",
    "[A]]",
    "\t",
    "\n\n",
    "ab",
    "cafe\u0301",
    "café",
    "ﬁ",
    "fi",
    "the the",
    "<s",
    "s>",
]
PIECES = [
    "a",
    "b",
    "the",
    "th",
    " ",
    "  ",
    "\n",
    "<x>",
    "<s>",
    "</s>",
    "word",
    "words",
    "sword",
    "é",
    "e\u0301",
    "cafe\u0301",
    "café",
    "▁",
    "!",
    "[A]",
    "[A]]",
    "foo",
    " foo",
    "x",
    "\t",
    "ﬁ",
    "fi",
    ".",
    "1",
    "日",
    "\u00a0",
    "\u3000",
    "<s",
]


def main():
    rng = random.Random(20)
    sets = []
    while len(sets) < 90:
        form = rng.choice(FORMS)
        with open(os.path.join(HERE, "expected", f"tokenizer_{form}.json"), encoding="utf-8") as f:
            file = json.load(f)["tokenizer"]
        prefix_space = rng.random() < 0.5
        if file["pre_tokenizer"] and file["pre_tokenizer"]["type"] == "ByteLevel":
            file["pre_tokenizer"]["add_prefix_space"] = prefix_space
        vocabulary, added = file["model"]["vocab"], file["added_tokens"]
        free = max(list(vocabulary.values()) + [t["id"] for t in added]) + 1
        for content in rng.sample(CONTENTS, rng.randint(1, 6)):
            if content in vocabulary or any(content == t["content"] for t in added):
                continue
            special = rng.random() < 0.3
            added.append(
                {
                    "id": free,
                    "content": content,
                    "single_word": rng.random() < 0.2,
                    "lstrip": rng.random() < 0.3,
                    "rstrip": rng.random() < 0.3,
                    "normalized": not special and rng.random() < 0.6,
                    "special": special,
                }
            )
            free += 1
        tokenizer = Tokenizer.from_str(json.dumps(file))
        cases = []
        for _ in range(12):
            text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 10)))
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            cases.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
        sets.append({"form": form, "added_tokens": added, "prefix_space": prefix_space, "cases": cases})
    with open(os.path.join(HERE, "expected", "added_tokens.json"), "w", encoding="utf-8") as out:
        json.dump(sets, out, ensure_ascii=True, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
