"""grammars.py -- JSON Schemas with valid and invalid instances through Puna, llguidance and xgrammar: what each
accepts, what compiling and masks cost, in one run on the same vocabulary.

usage: grammars.py PROGRAM SCHEMAS TOKENIZER [--peers llguidance,xgrammar] [--out FILE]
  PROGRAM    bin/grammars      SCHEMAS    JSON lines (.gz too): {"id", "schema", "tests": [{"data", "valid"}]}
  TOKENIZER  Llama 3's or 4's tokenizer.model
An instance is written as json.dumps does it, and with its keys in the order in which the schema lists them: it counts
as accepted when one of the two texts is. A schema passes when it compiles and all its instances are judged right.
"""

import argparse
import base64
import gzip
import json
import subprocess
import sys
import tempfile
import time


def property_lists(schema, lists):
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            lists.append(list(schema["properties"]))
        for keyword in ("allOf", "anyOf", "oneOf"):
            branches = [schema] + schema[keyword] if isinstance(schema.get(keyword), list) else []
            lists.append(
                [
                    name
                    for b in branches
                    if isinstance(b, dict) and isinstance(b.get("properties"), dict)
                    for name in b["properties"]
                ]
            )
        for value in schema.values():
            property_lists(value, lists)
    elif isinstance(schema, list):
        for value in schema:
            property_lists(value, lists)


def in_schema_order(value, lists):
    if isinstance(value, dict):
        best = max(lists, key=lambda names: (len(set(names) & set(value)), -len(names)), default=[])
        place = {name: i for i, name in enumerate(best)}
        return {
            key: in_schema_order(value[key], lists) for key in sorted(value, key=lambda k: place.get(k, len(place)))
        }
    return [in_schema_order(v, lists) for v in value] if isinstance(value, list) else value


def read_cases(path):
    opened = gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")
    with opened as lines:
        for line in lines:
            case = json.loads(line)
            lists, tests = [], []
            property_lists(case["schema"], lists)
            for test in case["tests"]:
                texts = [
                    json.dumps(v, ensure_ascii=False) for v in (test["data"], in_schema_order(test["data"], lists))
                ]
                tests.append({"texts": sorted(set(texts)), "valid": test["valid"]})
            yield {
                "id": case.get("id") or case["description"],
                "schema": json.dumps(case["schema"], ensure_ascii=False),
                "tests": tests,
            }


def puna(program, cases, tokenizer):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as lines:
        for case in cases:
            lines.write(json.dumps(case) + "\n")
        lines.flush()
        out = subprocess.run(
            [program, lines.name, tokenizer, "--masks", "--again"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    answers = [json.loads(line) for line in out.splitlines()]
    return answers[:-1], answers[-1]


class LlamaTokens:  # what llguidance asks of a tokenizer, and xgrammar's list of bytes
    def __init__(self, path):
        with open(path, "rb") as f:
            self.tokens = [base64.b64decode(line.split()[0]) for line in f if line.strip()]
        self.tokens += [b"<|eos|>"]
        self.special_token_ids = [len(self.tokens) - 1]
        self.eos_token_id, self.bos_token_id = len(self.tokens) - 1, None
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.longest = max(map(len, self.tokens))

    def __call__(self, text):  # the longest token first: the same cuts for every engine
        data, out, at = text.encode() if isinstance(text, str) else text, [], 0
        while at < len(data):
            size = next(n for n in range(min(self.longest, len(data) - at), 0, -1) if data[at : at + n] in self.ids)
            out.append(self.ids[data[at : at + size]])
            at += size
        return out


def judge(matcher_of, accepts, cases):
    for case in cases:
        answer, start = {"id": case["id"]}, time.perf_counter()
        try:
            matcher = matcher_of(case["schema"])
        except Exception as e:  # whatever an engine raises: it is its way to refuse
            answer["error"] = str(e)[:200]
        answer["compile_us"] = (time.perf_counter() - start) * 1e6
        if "error" not in answer:
            answer["mask_us"] = []
            answer["accepted"] = [
                any(accepts(matcher, t, answer["mask_us"] if test["valid"] else None) for t in test["texts"])
                for test in case["tests"]
            ]
        yield answer


def llguidance(cases, tokens):
    import numpy
    from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
    import llguidance.numpy as masks

    tokenizer = LLTokenizer(TokenizerWrapper(tokens), n_vocab=len(tokens.tokens))
    bits = masks.allocate_token_bitmask(1, len(tokens.tokens))

    def matcher_of(schema):
        matcher = LLMatcher(
            tokenizer, LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": True}), log_level=0
        )
        if matcher.get_error():
            raise ValueError(matcher.get_error())
        return matcher

    def accepts(matcher, text, times):
        matcher.reset()
        for token in tokens(text):
            if times is not None:
                start = time.perf_counter()
                masks.fill_next_token_bitmask(matcher, bits, 0)
                times.append((time.perf_counter() - start) * 1e6)
            if matcher.try_consume_tokens([token]) != 1:
                return False
        return matcher.is_accepting()

    assert numpy
    return list(judge(matcher_of, accepts, cases))


def xgrammar(cases, tokens):
    import xgrammar

    info = xgrammar.TokenizerInfo(
        tokens.tokens, vocab_type=xgrammar.VocabType.RAW, stop_token_ids=tokens.special_token_ids
    )
    compiler = xgrammar.GrammarCompiler(info, max_threads=2)
    bits = xgrammar.allocate_token_bitmask(1, info.vocab_size)

    def accepts(compiled, text, times):
        matcher = xgrammar.GrammarMatcher(compiled)
        for token in tokens(text):
            if times is not None:
                start = time.perf_counter()
                matcher.fill_next_token_bitmask(bits)
                times.append((time.perf_counter() - start) * 1e6)
            if not matcher.accept_token(token):
                return False
        return matcher.accept_token(tokens.eos_token_id)

    return list(judge(lambda schema: compiler.compile_json_schema(schema), accepts, cases))


def percentiles(values):
    values = sorted(values)
    return (
        "%.1f / %.1f / %.0f us" % (values[len(values) // 2], values[len(values) * 99 // 100], values[-1])
        if values
        else "-"
    )


def report(name, cases, answers, again=None):
    wrong = {True: 0, False: 0}
    passing = errors = 0
    for case, answer in zip(cases, answers):
        errors += "error" in answer
        misjudged = [t["valid"] for t, a in zip(case["tests"], answer.get("accepted", [])) if a != t["valid"]]
        passing += "error" not in answer and not misjudged
        for valid in misjudged:
            wrong[valid] += 1
    masks = [us for answer in answers for us in answer.get("mask_us", [])]
    row = {
        "engine": name,
        "passing": passing,
        "schemas": len(cases),
        "compile errors": errors,
        "wrongly accepted": wrong[False],
        "wrongly refused": wrong[True],
        "compile p50 / p99 / worst": percentiles([a["compile_us"] for a in answers]),
        "mask p50 / p99 / worst": percentiles(masks),
    }
    first = [us for answer in answers for us in answer.get("first_us", [])]
    if first:
        row["mask when first met"] = percentiles(first)
    if again:
        row["mask, all answers again"] = percentiles(again["again_us"])
        row["masks kept"] = "%d in %.1f MB" % (again["kept_masks"], again["kept_bytes"] / 1e6)
    print(json.dumps(row, indent=2))
    return row


def main():
    sys.path.pop(0)  # tokenizers.py beside this file is not the package that xgrammar wants
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("schemas")
    parser.add_argument("tokenizer")
    parser.add_argument("--peers", default="llguidance,xgrammar")
    parser.add_argument("--limit", type=int, default=None, help="the first so many schemas")
    parser.add_argument("--out")
    args = parser.parse_args()
    cases = list(read_cases(args.schemas))[: args.limit]
    rows = [report("puna", cases, *puna(args.program, cases, args.tokenizer))]
    peers = {"llguidance": llguidance, "xgrammar": xgrammar}
    tokens = LlamaTokens(args.tokenizer) if args.peers else None
    for name in filter(None, args.peers.split(",")):
        rows.append(report(name, cases, peers[name](cases, tokens)))
    if args.out:
        with open(args.out, "w") as f:
            json.dump(rows, f, indent=2)


main()
