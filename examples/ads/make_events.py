"""A made-up log of advertisements for `puna ads events add` and `puna ads feedback`: the texts of two writers, of whom
the new one's are clicked more often, shown to 9,000 people in two segments.

usage: make_events.py EVENTS.csv TEXTS.jsonl
"""

import json
import pathlib
import random
import sys

# id: writer, text, how often a person of each segment clicks
TEXTS = {
    "old/1": ("old", "Bread and pastries", {"students": 0.02, "families": 0.03}),
    "old/2": ("old", "Our bakery in Ghent", {"students": 0.02, "families": 0.02}),
    "new/1": ("new", "Warm bread from six", {"students": 0.03, "families": 0.09}),
    "new/2": ("new", "Croissants until four", {"students": 0.08, "families": 0.03}),
}
# The probability with which each text was shown: the events have it, and `puna ads feedback` weights by it.
SHOWN = {"students": [0.4, 0.3, 0.2, 0.1], "families": [0.1, 0.2, 0.3, 0.4]}
PROMPT = "A headline for Bakery Vermeulen, up to 30 characters."


def main(events, texts):
    draw = random.Random(7)
    rows = ["event,key,impression,time,segment,variant,propensity,person"]
    for i in range(9000):
        segment = draw.choice(list(SHOWN))
        at = draw.choices(range(len(TEXTS)), SHOWN[segment])[0]
        variant, time = list(TEXTS)[at], 30 * i  # seconds
        rows.append(f"shown,i{i},,{time},{segment},{variant},{SHOWN[segment][at]},person{i // 2}")
        if draw.random() < TEXTS[variant][2][segment]:
            rows.append(f"click,c{i},i{i},{time + 20},,,,")
            if draw.random() < 0.1:
                rows.append(f"sale,s{i},i{i},{time + 600},,,,")
    pathlib.Path(events).write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = [
        json.dumps({"variant": v, "text": text, "prompt": PROMPT, "writer": writer})
        for v, (writer, text, _) in TEXTS.items()
    ]
    pathlib.Path(texts).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
