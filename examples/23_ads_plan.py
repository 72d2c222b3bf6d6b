"""The texts of a business's advertisements, written by a model from the facts of a brief, and what lint says when a
person edits one of them. `puna ads plan` does the first from the shell, `puna ads serve` both on a page.

usage: 23_ads_plan.py MODEL BRIEF.json [PLACEMENT]        examples/ads/bakery.json is a brief
"""

import json
import pathlib
import sys

import puna


def main(model, path, placement=None):
    brief = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    if placement:
        brief["placements"] = [placement]

    def progress(done, total):
        if sys.stderr.isatty():
            print(f"\r{done} of {total} texts ", end="", file=sys.stderr)

    plan = puna.ads.plan(puna.Model(model), brief, progress=progress)
    text = None
    for place in plan["placements"]:
        for variant in place["variants"]:
            print(variant["id"])
            for text in variant["texts"]:
                print(f"  {text['field']:14} {text['length']:3}/{text['limit']:<3} {text['text']}")

    # What the last one would be told if somebody made it louder.
    edited = text["text"] + " CHEAPEST in town since 1066!!"
    found = puna.ads.Lint(brief=brief).check(edited, placement=place["placement"], field=text["field"])
    print(f"\n{edited}")
    for f in found.findings:
        print(f"  {f.severity}: '{f.text}': {f.reason}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
