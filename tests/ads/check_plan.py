"""Checks plans of `puna ads plan` against their briefs, written independently of the library: limits, facts, names,
distinctness, sums of money, records.

usage: check_plan.py PLAN.json...        prints one line a breach and a summary; exit 1 when there is any
"""

import itertools
import json
import pathlib
import re
import sys
import unicodedata

try:
    import regex
except ImportError:
    regex = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
# field: (limit, least, most, one of them within) as ADS.md of the project has them
PLACEMENTS = {
    "google.search": {"headline": (30, 3, 15, 0), "description": (90, 2, 4, 0)},
    "google.pmax": {
        "headline": (30, 3, 15, 15),
        "long_headline": (90, 1, 5, 0),
        "description": (90, 2, 5, 60),
        "business_name": (25, 1, 1, 0),
    },
    "meta.feed": {"primary_text": (125, 1, 5, 0), "headline": (27, 1, 5, 0), "description": (25, 1, 5, 0)},
    "meta.stories": {"primary_text": (125, 1, 5, 0), "headline": (40, 1, 5, 0)},
    "meta.reels": {"primary_text": (72, 1, 5, 0), "headline": (10, 1, 5, 0)},
}
NUMBER_WORDS = set(
    [
        "zero",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
        "thirty",
        "forty",
        "fifty",
        "hundred",
        "thousand",
        "million",
        "dozen",
        "half",
        "quarter",
        "double",
        "twice",
        "triple",
        "free",
        "percent",
    ]
)
DATE_WORDS = set(
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "today",
        "tonight",
        "tomorrow",
        "yesterday",
        "weekend",
        "christmas",
        "easter",
        "mondays",
        "tuesdays",
        "wednesdays",
        "thursdays",
        "fridays",
        "saturdays",
        "sundays",
    ]
)
HIDDEN = {0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def ordinary_words():
    text = (ROOT / "src/ads/creative/words.inc").read_text(encoding="utf-8")
    data = json.loads(text[len('R"json(') : text.rindex(')json"')])
    words = set()
    for kinds in data["sentences"].values():
        for text in [*itertools.chain.from_iterable(kinds["lists"].values()), *kinds["frames"]]:
            words.update(words_of(re.sub(r"\{\w+\}\??", " ", text)))
    for calls in data["calls"].values():
        for call in calls:
            words.update(words_of(call))
    return words


def clusters(text):
    if regex:
        return regex.findall(r"\X", text)
    out = []  # near enough where the module is not there: marks, joiners and flags join what stands before
    for c in text:
        joins = unicodedata.category(c) in ("Mn", "Me", "Mc") or c in "\u200d\ufe0f" or 0x1F3FB <= ord(c) <= 0x1F3FF
        flags = out and len(out[-1]) == 1 and all(0x1F1E6 <= ord(x) <= 0x1F1FF for x in (out[-1], c))
        if out and (joins or flags or out[-1].endswith("\u200d")):
            out[-1] += c
        else:
            out.append(c)
    return out


def length(text, placement):
    if not placement.startswith("google"):
        return len(clusters(text))
    wide = 0
    for cluster in clusters(text):
        emoji = "\ufe0f" in cluster or "\u20e3" in cluster or 0x1F1E6 <= ord(cluster[0]) <= 0x1F1FF
        pictures = any(ord(c) >= 0x1F300 for c in cluster)
        assigned = unicodedata.category(cluster[0]) != "Cn"  # Python calls the others full-width
        wide += (assigned and unicodedata.east_asian_width(cluster[0]) in "WF") or emoji or pictures
    return len(clusters(text)) + wide


def plain(text):
    text = "".join(
        c for c in text if ord(c) not in HIDDEN and (ord(c) >= 32 or c in "\n\t") and not 0x7F <= ord(c) < 0xA0
    )
    return " ".join(unicodedata.normalize("NFKC", text).split())


def words_of(text):
    """Runs without a space, without marks of punctuation around them."""
    runs = re.split(r"[\s\u3000-\u3002\uff01\uff0c\uff1f]+", plain(text).replace("’", "'").lower())
    return [w for w in (re.sub(r"^[^\w€$£¥₪₽₹%+#<]+|[^\w%€$£¥₪₽₹°+>]+$", "", run) for run in runs) if w]


def sentences(text):
    return [s for s in re.split(r"(?<=[.!?\u3002])\s+|(?<=\u3002)", text) if s.strip()]


class Checker:
    def __init__(self):
        self.ordinary = ordinary_words()
        self.breaches = []
        self.texts = self.variants = self.by_model = 0
        self.pairs = self.alike = 0

    def breach(self, what):
        self.breaches.append(what)

    def check_claims(self, where, text, said):
        """Every word is one of the facts', the name's, or an ordinary one; numbers keep their neighbours."""
        for sentence in sentences(text):
            words = words_of(sentence)
            for i, word in enumerate(words):
                if any(c.isnumeric() for c in word) or any(c in "%€$£¥₪₽₹" for c in word):
                    around = " ".join(words[max(i - 1, 0) : i + 2])
                    if f" {around} " not in said["lines"]:
                        self.breach(f"{where}: number '{around}' in '{text}'")
                elif word in NUMBER_WORDS | DATE_WORDS and word not in said["words"]:
                    self.breach(f"{where}: '{word}' in '{text}'")
                elif word not in said["words"] and word not in self.ordinary:
                    self.breach(f"{where}: unknown word '{word}' in '{text}'")
            for i, written in enumerate(sentence.split()):
                bare = written.strip(".,;:!?\"'()")
                name = i > 0 and bare[:1].isupper() or bare[1:].lower() != bare[1:]
                parts = words_of(bare)
                if name and any(p not in said["words"] and p not in self.ordinary for p in parts):
                    self.breach(f"{where}: name '{bare}' in '{text}'")

    def check_text(self, where, placement, t, limits, said):
        self.texts += 1
        self.by_model += t["by"] == "model"
        limit = limits[t["field"]][0]
        got = length(t["text"], placement)
        if got > limit or t["length"] > t["limit"] or t["limit"] > limit:
            self.breach(f"{where}: {got} of {limit} characters: '{t['text']}'")
        # Another version of Unicode may cut what one of the two does not know.
        known = all(unicodedata.category(c) != "Cn" for c in t["text"])
        if regex and regex.__version__ == "2.5.148" and known and got != t["length"]:
            self.breach(f"{where}: {t['length']} characters are said, {got} there: '{t['text']}'")
        if t["utf16"] and t["utf16"] != len(t["text"].encode("utf-16-le")) // 2:
            self.breach(f"{where}: UTF-16 units of '{t['text']}'")
        if (
            not t["text"].strip()
            or t["text"] != t["text"].strip()
            or any(ord(c) in HIDDEN or ord(c) < 32 for c in t["text"])
        ):
            self.breach(f"{where}: not a clean text: {t['text']!r}")
        if any(f["severity"] == "error" for f in t["lint"]):
            self.breach(f"{where}: an error of lint in '{t['text']}'")
        if t["by"] == "model" and not all(k in t for k in ("seed", "prompt_hash", "grammar_hash")):
            self.breach(f"{where}: no record")
        if t["field"] != "business_name":
            self.check_claims(where, t["text"], said)

    def check(self, path):
        plan = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        brief = plan["brief"]
        facts = [f["text"] if isinstance(f, dict) else f for f in brief["facts"]]
        voice = brief.get("voice", {})
        own = [*facts, brief["name"], *(voice.get("words", []) if isinstance(voice, dict) else [])]
        lines = " ".join(f" {' '.join(words_of(s))} " for text in own for s in [text, *sentences(text)])
        said = {"words": {w for text in own for w in words_of(text)}, "lines": lines}
        said["words"] |= {w for text in own for p in re.split(r"[-/–(),.:]", text) for w in words_of(p)}
        for key in ("library", "brief_hash", "model", "sampler", "rules_hash", "budget", "segments", "counts", "notes"):
            if key not in plan:
                self.breach(f"{path}: no {key}")
        banned = [w.lower() for w in brief.get("banned", []) + brief.get("competitors", [])]
        asked = [p if isinstance(p, str) else p["id"] for p in brief["placements"]]
        if [p["placement"] for p in plan["placements"]] != asked:
            self.breach(f"{path}: placements")
        for p in plan["placements"]:
            limits = PLACEMENTS[p["placement"]]
            if not 1 <= len(p["variants"]) <= p["asked"]:
                self.breach(f"{path}: {len(p['variants'])} variants of {p['asked']}")
            bags = []
            for v in p["variants"]:
                self.variants += 1
                where = f"{path} {v['id']}"
                for field, (limit, least, most, one_within) in limits.items():
                    texts = [t["text"] for t in v["texts"] if t["field"] == field]
                    if not least <= len(texts) <= most or len(set(texts)) != len(texts):
                        self.breach(f"{where}: {len(texts)} times {field}")
                    if one_within and min(map(lambda t: length(t, p["placement"]), texts)) > one_within:
                        self.breach(f"{where}: no {field} within {one_within}")
                for t in v["texts"]:
                    self.check_text(where, p["placement"], t, limits, said)
                    for term in banned:
                        if f" {' '.join(words_of(term))} " in f" {' '.join(words_of(t['text']))} ":
                            self.breach(f"{where}: '{term}' in '{t['text']}'")
                bags.append({w for t in v["texts"] for w in words_of(t["text"])})
            for a, b in itertools.combinations(bags, 2):
                self.pairs += 1
                self.alike += len(a & b) >= 0.8 * len(a | b)
        money = plan["budget"]
        per_segment = [s["micros"] for s in money["segments"]]
        per_place = [sum(p["micros"] for p in s["placements"]) for s in money["segments"]]
        if not money["micros"] == sum(per_segment) == sum(money["by_day"]) or per_segment != per_place:
            self.breach(f"{path}: the budget's parts do not make the budget")
        for s in plan["segments"]:
            for p in s["placements"]:
                if abs(sum(v["probability"] for v in p["variants"]) - 1) > 1e-9:
                    self.breach(f"{path}: probabilities of {s['segment']}")


def main(paths):
    checker = Checker()
    for path in paths:
        checker.check(path)
    print("\n".join(checker.breaches))
    distinct = 1 - checker.alike / checker.pairs if checker.pairs else 1
    print(
        f"{len(paths)} plans, {checker.variants} variants, {checker.texts} texts, {checker.by_model} by the model, "
        f"{distinct:.4f} of {checker.pairs} pairs of variants distinct, {len(checker.breaches)} breaches"
    )
    return 1 if checker.breaches or distinct < 0.95 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
