"""schema_answers.py -- answers of a small model to real JSON Schemas, at temperature 1, each checked by Python's
jsonschema.

usage: schema_answers.py MODEL SCHEMAS [--count 500] [--tokens 96] [--seed 1] [--seconds 900]
  SCHEMAS  JSON lines (.gz too): {"id", "schema"}; every so-manieth is taken, so that `--count` of them are
The answers are closed in time (close_answer), so those that `--tokens` would cut are checked as well. It ends after
`--seconds` with what it has.
PUNA_LIBRARY = libpuna; needs puna (bindings/python) and jsonschema. Ends with 1 where an answer does not validate.
"""

import argparse
import collections
import gzip
import json
import pathlib
import sys
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bindings/python"))

import jsonschema  # noqa: E402
import puna  # noqa: E402


def read_schemas(path, count):
    opened = gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")
    with opened as lines:
        cases = [json.loads(line) for line in lines]
    step = max(1, len(cases) // count)
    return cases[::step][:count]


def why_invalid(schema, text):
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"no JSON: {error}"
    try:
        cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        cls(schema).validate(value)
    except jsonschema.ValidationError as error:
        return f"{'/'.join(map(str, error.absolute_path))}: {error.message}"[:200]
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("schemas")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=900)
    flags = parser.parse_args()
    warnings.simplefilter("ignore")
    model = puna.Model(flags.model)
    counts, wrong, start = collections.Counter(), [], time.monotonic()
    for number, case in enumerate(read_schemas(flags.schemas, flags.count)):
        if time.monotonic() - start > flags.seconds:
            break
        counts["schemas"] += 1
        try:
            grammar = puna.Grammar.json_schema(json.dumps(case["schema"]))
        except puna.Error:
            counts["refused by the compiler"] += 1
            continue
        answer = model.session().generate(
            "An example, in JSON:\n",
            grammar=grammar,
            max_tokens=flags.tokens,
            close_answer=True,
            sampling=puna.Sampling(temperature=1.0, seed=flags.seed + number),
        )
        try:
            text = "".join(answer)
        except puna.InvalidArgument:  # a step takes more than the grammar's limits
            counts["beyond the limits"] += 1
            continue
        counts["tokens"] += sum(1 for _ in model.tokenizer.encode(text))
        if answer.incomplete:
            counts["could not be closed in time"] += 1
            continue
        counts["finished"] += 1
        reason = why_invalid(case["schema"], text)
        if reason:
            wrong.append({"id": case.get("id"), "reason": reason, "answer": text[:400]})
    counts["invalid"] = len(wrong)
    print(json.dumps({**counts, "seconds": round(time.monotonic() - start), "wrong": wrong}, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
