#!/usr/bin/env python3
"""Makes the files of a first `puna improve`: items to choose from, held-out items and a regression set.

The texts are those of Debian's fortunes (apt-get install fortunes fortunes-min): short, and sorted by subject into
files, so the subject of each is known. The items ask for it. The regression set asks for something else: which of four
second halves belongs to a first half (of texts of other files), or, with --arc FILE, questions of ARC.

    python3 examples/improve/prepare.py --out fortunes
    cd fortunes && puna improve --budget 200-labels
"""

import argparse
import json
import pathlib
import random

SUBJECTS = {
    "computers": "computers",
    "love": "love",
    "science": "science",
    "politics": "politics",
    "law": "law",
    "medicine": "medicine",
    "food": "food",
    "sports": "sports",
}
MODEL = pathlib.Path("~/.cache/puna/models/SmolLM2-135M-Instruct.Q4_1.gguf")
OTHERS = ["wisdom", "people", "work", "literature", "platitudes"]


def texts(folder, name, shortest=40, longest=300):
    """The fortunes of one file on one line each, within these lengths."""
    parts = (folder / name).read_text(encoding="utf-8", errors="strict").split("\n%\n")
    lines = [" ".join(part.split()) for part in parts]
    return [line for line in lines if shortest <= len(line) <= longest]


def subject_items(folder, draw):
    choices = list(SUBJECTS.values())
    items = []
    for name, subject in SUBJECTS.items():
        found = texts(folder, name)
        draw.shuffle(found)
        for number, text in enumerate(found[:300]):
            prompt = f"Subjects: {', '.join(choices)}.\nText: {text}\nSubject:"
            key = f"{name}-{number}"
            items.append({"item": key, "prompt": prompt, "text": text, "choices": choices, "answer": subject})
    draw.shuffle(items)
    return items


def halves(folder, draw, count):
    """Which second half belongs to the first: what a model that has forgotten its language no longer knows."""
    found = [t for name in OTHERS for t in texts(folder, name, 80)]
    draw.shuffle(found)
    parts = [(" ".join(w[: len(w) // 2]), " ".join(w[len(w) // 2 :])) for w in (t.split() for t in found)]
    items = []
    for number, (first, second) in enumerate(parts[:count]):
        wrong = [parts[(number + count + k * 7 + 1) % len(parts)][1] for k in range(3)]
        choices = [second, *wrong]
        if len(set(choices)) < 4:
            continue
        draw.shuffle(choices)
        items.append({"item": f"half-{number}", "prompt": first, "choices": choices, "answer": second})
    return items


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{path}: {len(rows)} items")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fortunes", type=pathlib.Path, default=pathlib.Path("/usr/share/games/fortunes"))
    parser.add_argument("--arc", type=pathlib.Path, help="ARC questions as JSON lines, for the regression set")
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("fortunes"))
    parser.add_argument("--pool", type=int, default=700)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--regression", type=int, default=300)
    options = parser.parse_args()
    if not options.fortunes.is_dir():
        parser.error(f"{options.fortunes} is not there: apt-get install fortunes fortunes-min, or --fortunes")
    draw = random.Random(7)
    items = subject_items(options.fortunes, draw)
    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "pool.jsonl", items[: options.pool])
    write(options.out / "held-out.jsonl", items[options.pool :][: options.held_out])
    if options.arc:
        rows = [json.loads(line) for line in options.arc.read_text(encoding="utf-8").splitlines()]
        draw.shuffle(rows)
        write(options.out / "regression.jsonl", rows[: options.regression])
    else:
        write(options.out / "regression.jsonl", halves(options.fortunes, draw, options.regression))
    settings = options.out / "improve.toml"
    names = {"model": str(options.model.expanduser().resolve()), "pool": "pool.jsonl", "held-out": "held-out.jsonl"}
    names["regression"] = "regression.jsonl"
    settings.write_text("".join(f"{key} = {json.dumps(name)}\n" for key, name in names.items()), encoding="utf-8")
    print(f"{settings}: the options of puna improve")


if __name__ == "__main__":
    main()
