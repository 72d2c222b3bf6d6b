#!/usr/bin/env python3
"""Writes expected/tokenizer_<name>.json: small tokenizers of every published form, and what Hugging Face's library
makes of some strings.

Usage: pip install tokenizers==0.23.3 && python3 make_tokenizer_expectations.py
Each file: {"tokenizer": a tokenizer.json, "cases": [{"text", "ids", "ids_special", "decoded", "decoded_all"}, ...]}
ids: special tokens are ordinary text; ids_special: they are parsed; decoded(_all): of ids_special, without (with)
special tokens.
"""

import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+SUFFIX"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*SUFFIX"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
O200K = CASED.replace("SUFFIX", SUFFIX)
TEKKEN = CASED.replace("SUFFIX", "").replace(r"\p{N}{1,3}", r"\p{N}")

CORPUS = [
    "The puna is a high, cold and dry plateau of the Andes; the lakes there are salt, and the grass is short.",
    "He said that they'd seen what we'll never see: don't, can't, it's, I'm, you've, they're. THE END. They said so!",
    "In 1998 and 2024, 365 days; 1000000 of them. x = x + 1; if (x > 10) { return; }\n\treturn x;\n\n",
    "Der Hügel über dem See; été, où; la niña está aquí. мир и война. 日本語の文章。 한국어 문장 the the the the",
    "  two spaces,   three,    four. tabs\t\tand\r\nlines\n\n\n and JSONParser HTTPServer camelCase",
] * 3
ALPHABET = list("  ' abcthexySTLL0123456789.,;!/\n\r\té日本한̣́½²ſﬁß€😀\u00a0\u3000") + [
    "the",
    " the",
    "'s",
    "'LL",
    "n't",
    "and",
    "\n\n",
    "<s>",
    "</s>",
    "<mark>",
    "<mark> ",
    " <mark>",
    "word",
    "<|x|>",
    "café",
    "cafe\u0301",
    "▁",
    "<0x41>",
]


def strings(seed, count=70):
    rng = random.Random(seed)
    fixed = [
        "",
        " ",
        "  ",
        "\n",
        "a",
        " a",
        "a ",
        "The puna is high.",
        "don't DON'T",
        "<s>the</s>",
        "word words sword word",
        "x <mark> y",
        "x<mark>y",
        " <mark>  <mark> ",
        "日本語 한국어",
        "😀😀",
        "a\u0301\u0323",
        "ﬁne ½",
        "1234567",
        "\r\n\r\n x",
    ]
    return fixed + ["".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 14))) for _ in range(count)]


def trained(normalizer, pre_tokenizer, decoder, byte_level, size, **options):
    t = Tokenizer(models.BPE())
    t.normalizer, t.pre_tokenizer = normalizer, pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(t.to_str())["model"]
    vocab, merges = model["vocab"], [tuple(m) for m in model["merges"]]
    special = ["<unk>"] if options.get("unk_token") else []
    for piece in special + [f"<0x{b:02X}>" for b in range(256 if options.get("byte_fallback") else 0)]:
        vocab[piece] = len(vocab)
    t = Tokenizer(models.BPE(vocab=vocab, merges=merges, **options))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre_tokenizer, decoder
    t.add_special_tokens(special + ["<s>", "</s>", "<|x|>"])
    return t


def split(pattern):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def save(name, t, merges_as_text=False):
    def ids(text, special):
        t.encode_special_tokens = not special
        return t.encode(text, add_special_tokens=False).ids

    cases = []
    for text in strings(name):
        parsed = ids(text, True)
        cases.append(
            {
                "text": text,
                "ids": ids(text, False),
                "ids_special": parsed,
                "decoded": t.decode(parsed, skip_special_tokens=True),
                "decoded_all": t.decode(parsed, skip_special_tokens=False),
            }
        )
    t.encode_special_tokens = False
    file = json.loads(t.to_str())
    if merges_as_text:  # the form of tokenizers < 0.20
        file["model"]["merges"] = [" ".join(m) for m in file["model"]["merges"]]
    with open(os.path.join(HERE, "expected", f"tokenizer_{name}.json"), "w") as out:
        json.dump({"tokenizer": file, "cases": cases}, out, ensure_ascii=True, separators=(",", ":"))
        out.write("\n")


def main():
    byte_level, metaspace = pre_tokenizers.ByteLevel, pre_tokenizers.Metaspace
    as_bytes = decoders.ByteLevel()

    t = trained(None, byte_level(add_prefix_space=True), as_bytes, True, 330)
    t.add_tokens(
        [
            AddedToken("<mark>", lstrip=True, rstrip=True, normalized=False),
            AddedToken("word", single_word=True, normalized=False),
        ]
    )
    save("gpt2_added", t, merges_as_text=True)
    save(
        "digits",
        trained(
            None,
            pre_tokenizers.Sequence(
                [pre_tokenizers.Digits(individual_digits=False), byte_level(add_prefix_space=False)]
            ),
            as_bytes,
            True,
            330,
        ),
    )
    save("llama3", trained(None, split(LLAMA3), as_bytes, True, 340, ignore_merges=True))
    save("llama4", trained(None, split(O200K), as_bytes, True, 340))
    save("tekken", trained(normalizers.NFKD(), split(TEKKEN), as_bytes, True, 320))
    t = trained(normalizers.NFC(), split(QWEN2), as_bytes, True, 330)
    t.add_tokens([AddedToken("café", normalized=True), AddedToken("<mark>", lstrip=True, normalized=True)])
    save("qwen2_nfc", t)
    save(
        "nfkc",
        trained(
            normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("!", "?")]),
            byte_level(add_prefix_space=False),
            as_bytes,
            True,
            310,
        ),
    )

    fallback = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    t = trained(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        None,
        decoders.Sequence(fallback + [decoders.Strip(" ", 1, 0)]),
        False,
        120,
        unk_token="<unk>",
        byte_fallback=True,
        fuse_unk=True,
    )
    t.add_tokens([AddedToken("<mark>", rstrip=True, normalized=False)])
    save("llama2", t, merges_as_text=True)
    save(
        "gemma",
        trained(
            normalizers.Replace(" ", "▁"),
            pre_tokenizers.Split(" ", "merged_with_previous"),
            decoders.Sequence(fallback),
            False,
            140,
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        ),
    )
    save(
        "metaspace_first",
        trained(
            None,
            metaspace(prepend_scheme="first"),
            decoders.Metaspace(prepend_scheme="first"),
            False,
            120,
            unk_token="<unk>",
            fuse_unk=True,
        ),
    )
    save(
        "metaspace_always",
        trained(
            normalizers.NFD(),
            metaspace(prepend_scheme="always", split=False),
            decoders.Metaspace(),
            False,
            120,
            unk_token="<unk>",
        ),
    )


if __name__ == "__main__":
    main()
