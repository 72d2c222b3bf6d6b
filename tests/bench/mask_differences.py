"""mask_differences.py -- random (schema, prefix) masks of Puna and of llguidance, and where they differ, by class.

usage: mask_differences.py MODEL SCHEMAS [--masks 100000] [--seed 1] [--seconds 600] [--out FILE]
  SCHEMAS  JSON lines (.gz too): {"id", "schema"}
Both follow the same answer: a token is drawn from those that both allow, those that are not white space more often,
since white space says little. Before each token the masks are compared. Of each kind of tokens that one allows and the
other does not, one difference is counted a mask; its class is who allows it, what kind of bytes it has and where the
answer is. tests/data/json_schema/mask_differences.md explains each class.
PUNA_LIBRARY = libpuna; needs puna (bindings/python), numpy and llguidance.
"""

import argparse
import collections
import gzip
import json
import pathlib
import random
import sys
import time
import warnings

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bindings/python"))

import llguidance.numpy as masks  # noqa: E402
import puna  # noqa: E402
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper  # noqa: E402


WHITE_SPACE = r"(?: |\n[ \t]{0,24})?"  # Puna's, so that the masks differ in other things


class Tokens:  # what llguidance asks of a tokenizer
    def __init__(self, model):
        self.tokenizer = model.tokenizer
        infos = [self.tokenizer[i] for i in range(model.info.vocabulary)]
        # A special token's bytes are marked so that no text is taken for it.
        self.special_token_ids = [i for i, t in enumerate(infos) if t.is_special]
        special = set(self.special_token_ids)
        self.tokens = [b"\xff" + t.bytes if i in special else t.bytes for i, t in enumerate(infos)]
        names = [kind(t, i in special) for i, t in enumerate(self.tokens)]
        self.kind_names = sorted(set(names))
        self.kinds = np.array([self.kind_names.index(n) for n in names])
        self.eos_token_id = model.tokenizer.eos
        self.bos_token_id = None

    def __call__(self, text):
        return [int(i) for i in self.tokenizer.encode(text if isinstance(text, str) else text.decode(), add_bos=False)]


def place(text):
    """Where in JSON the answer is: in a string (of a key or a value), in a number, or between."""
    in_string = escaped = False
    for c in text.decode("utf-8", "replace"):
        if escaped:
            escaped = False
        elif in_string and c == "\\":
            escaped = True
        elif c == '"':
            in_string = not in_string
    if in_string:
        return "in an escape" if escaped else "in a string"
    if not text:
        return "at the start"
    last = text.rstrip()[-1:]
    if text[-1:].isspace():
        return "behind white space"
    if last.isdigit() or last in b"-.eE+":
        return "in a number"
    return {b"{": "behind {", b"[": "behind [", b",": "behind ,", b":": "behind :"}.get(last, "behind a value")


def kind(token, special):
    if special:
        return "the end"
    if token.isspace():
        return "white space"
    if b"\x7f" in token:
        return "with DEL"
    if b"\\" in token:
        return "an escape"
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return "a part of a character"
    if any(ord(c) < 32 for c in text):
        return "white space and more" if text.strip() else "white space"
    if text[:1].isspace():
        return "a space and more"
    if text.strip("0123456789.+-eE") == "":
        return "a number's"
    if '"' in text:
        return "with a quote"
    return "punctuation" if not any(c.isalnum() for c in text) else "a word's"


def compare(case, model, tokens, tokenizer, rng, most, counts, examples):
    schema = json.dumps(case["schema"])
    try:
        ours = puna.Matcher(puna.Grammar.json_schema(schema), model, [tokens.eos_token_id])
    except puna.Error:
        counts["schemas that Puna refuses"] += 1
        return 0
    theirs = LLMatcher(
        tokenizer, LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_pattern": WHITE_SPACE}), log_level=0
    )
    if theirs.get_error():
        counts["schemas that llguidance refuses"] += 1
        return 0
    bits = masks.allocate_token_bitmask(1, len(tokens.tokens))
    special = set(tokens.special_token_ids)
    text, done = b"", 0
    while done < most and not ours.ended and not theirs.is_stopped():
        masks.fill_next_token_bitmask(theirs, bits, 0)
        other = np.unpackbits(bits[0].view(np.uint8), bitorder="little")[: len(tokens.tokens)].astype(bool)
        mine = ours.mask()
        if theirs.get_error():
            counts["llguidance stops with an error"] += 1
            break
        done += 1
        different = np.flatnonzero(mine != other)
        if different.size:
            counts["masks that differ"] += 1
            where = "in forced text" if ours.forced else place(text)
            sides = tokens.kinds[different] * 2 + mine[different]
            for first in np.unique(sides, return_index=True)[1]:
                id = int(different[first])
                who = "Puna" if mine[id] else "llguidance"
                label = f"{who} alone: {tokens.kind_names[tokens.kinds[id]]}, {where}"
                counts[label] += 1
                if len(examples[label]) < 3:
                    examples[label].append(
                        {
                            "id": case.get("id"),
                            "behind": text.decode("utf-8", "replace")[-60:],
                            "token": tokens.tokens[id].decode("utf-8", "replace"),
                        }
                    )
        both = np.flatnonzero(mine & other)
        both = both[[i not in special for i in both.tolist()]] if both.size else both
        if not both.size:
            break
        for _ in range(4):
            id = int(both[rng.randrange(both.size)])
            if not tokens.tokens[id].isspace():
                break
        ours.accept(id)
        if theirs.try_consume_tokens([id]) != 1:
            break
        text += tokens.tokens[id]
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("schemas")
    parser.add_argument("--masks", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--out")
    flags = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = random.Random(flags.seed)
    opened = gzip.open(flags.schemas, "rt") if flags.schemas.endswith(".gz") else open(flags.schemas)
    cases = [json.loads(line) for line in opened]
    model = puna.Model(flags.model)
    tokens = Tokens(model)
    tokenizer = LLTokenizer(TokenizerWrapper(tokens), n_vocab=len(tokens.tokens))
    counts, examples = collections.Counter(), collections.defaultdict(list)
    compared, start = 0, time.monotonic()
    while compared < flags.masks and time.monotonic() - start < flags.seconds:
        case = cases[rng.randrange(len(cases))]
        compared += compare(case, model, tokens, tokenizer, rng, 60, counts, examples)
        counts["walks"] += 1
    report = {"masks": compared, "seconds": round(time.monotonic() - start), **dict(counts.most_common())}
    print(json.dumps(report, indent=1))
    if flags.out:
        pathlib.Path(flags.out).write_text(json.dumps({**report, "examples": examples}, indent=1))


if __name__ == "__main__":
    main()
