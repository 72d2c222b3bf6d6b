"""`puna ads lint` and `puna ads plan` as people run them, plans judged by check_plan.py.

usage: PUNA=... test_plan_command.py [--briefs N]       with --briefs: N random ones and all adversarial ones, slow
"""

import json
import os
import pathlib
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import briefs
import check_plan

PUNA = os.environ["PUNA"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = tempfile.TemporaryDirectory()
CACHE = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
MODEL = (
    pathlib.Path(os.environ.get("PUNA_MODELS") or pathlib.Path(CACHE) / "puna/models")
    / "SmolLM2-135M-Instruct.Q4_1.gguf"
)
AUSTEN = ROOT / "examples/bundled/puna-austen.gguf"
REQUIRED = os.environ.get("PUNA_REQUIRE_MODELS") == "1"
BRIEFS = 0


def run(*arguments, code=0):
    done = subprocess.run([PUNA, "ads", *map(str, arguments)], capture_output=True, text=True, timeout=1000)
    if done.returncode != code:
        raise AssertionError(
            f"{arguments}: ended with {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        )
    return done


def written(name, value):
    path = pathlib.Path(FOLDER.name) / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


class Lint(unittest.TestCase):
    def test_json(self):
        report = json.loads(
            run(
                "lint",
                "Fresh bread",
                "SALE on bread!",
                "--placement",
                "google.search",
                "--field",
                "headline",
                "--json",
                code=1,
            ).stdout
        )
        self.assertEqual([t["errors"] for t in report], [False, True])
        self.assertEqual(report[1]["length"], 14)
        self.assertEqual(report[1]["limit"], 30)
        for finding in report[1]["findings"]:
            encoded = report[1]["text"].encode()
            self.assertEqual(encoded[finding["begin"] : finding["end"]].decode(), finding["text"])
        self.assertEqual(
            {f["rule"] for f in report[1]["findings"]}, {"google/capitals", "google/exclamation-in-headline"}
        )

    def test_a_brief(self):
        found = run("lint", "Cheap bread since 1986", "--brief", ROOT / "examples/ads/bakery.json", code=1).stdout
        self.assertIn("any/banned-term", found)
        self.assertIn("any/not-in-facts: the facts do not say so: number 1986", found)

    def test_labelled(self):
        rows = json.loads(run("lint", "--labelled", ROOT / "tests/data/ads/lint.tsv", "--json").stdout)["rules"]
        errors = next(r for r in rows if r["rule"] == "all errors")
        self.assertGreaterEqual(errors["precision"], 0.95)
        self.assertGreaterEqual(errors["recall"], 0.90)

    def test_what_is_wrong_is_said(self):
        self.assertIn(
            "did you mean 'headline'", run("lint", "a", "--placement", "meta.feed", "--field", "headlin", code=1).stderr
        )
        run("lint", code=2)
        bad = written("rules.json", '{"date": "d", "rules": [{}]}')
        self.assertIn("rules.json: rules[0].id", run("lint", "a", "--rules", bad, code=1).stderr)

    def test_as_you_type(self):
        text = "We bake sourdough bread in our own oven since 1987, and our dough rests for 24 hours."
        texts = [text[:n] for n in range(1, len(text))] * 10
        begin = time.process_time()
        usage = os.times().children_user
        run("lint", *texts, "--placement", "meta.feed")
        self.assertLess((os.times().children_user - usage) / len(texts), 0.1)
        self.assertLess(time.process_time() - begin, 10)


class Bundled(unittest.TestCase):
    """With the model that the repository brings, and an adapter learnt from it."""

    BRIEF = {
        "name": "Ann's",
        "objective": "sales",
        "facts": ["We bake bread every morning", "Since 1987 in Ghent", "Open from 7 to 15"],
        "budget": {"daily": 10, "currency": "EUR", "start": "2026-12-30", "end": "2027-01-01"},
        "placements": ["meta.feed"],
        "variants": 2,
    }

    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(FOLDER.name)
        data = written(
            "voice.jsonl", json.dumps({"prompt": "Visit", "completion": " us, every morning, at Ann's"}) + "\n"
        )
        flags = "--data", data, "--out", folder / "voice", "--steps", "8", "--lr", "0.02"
        subprocess.run([PUNA, "finetune", AUSTEN, *flags], check=True, capture_output=True, timeout=1000)
        cls.adapter = next(p.parent for p in (folder / "voice").rglob("adapter_config.json"))
        cls.brief = written("ann.json", cls.BRIEF)

    def plan(self, name, *more):
        out = pathlib.Path(FOLDER.name) / name
        run("plan", self.brief, "--model", AUSTEN, "--out", out, *more)
        return out

    def test_an_adapter_is_a_voice_and_part_of_the_record(self):
        voiced, plain = self.plan("voiced.json", "--adapter", self.adapter), self.plan("plain.json")
        self.assertEqual(check_plan.main([voiced, plain]), 0)
        self.assertNotEqual(*(json.loads(p.read_text(encoding="utf-8"))["placements"] for p in (voiced, plain)))
        for more in ((), ("--adapter", self.adapter), ("--parallel", 3)):
            self.assertIn("the same", run("plan", "--replay", voiced, *more).stdout)
        self.assertIn("the same", run("plan", "--replay", plain).stdout)
        self.assertIn("another adapter", run("plan", "--replay", plain, "--adapter", self.adapter, code=1).stderr)
        absent = pathlib.Path(FOLDER.name) / "absent"
        self.assertIn("absent", run("plan", self.brief, "--model", AUSTEN, "--adapter", absent, code=1).stderr)

    def test_the_page_writes_the_plan_that_the_command_writes(self):
        flags = "--model", AUSTEN, "--adapter", self.adapter, "--port", "0"
        command = [PUNA, "ads", "serve", self.brief, *flags]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
            try:
                address = server.stdout.readline().strip()

                def ask(path, body=None):
                    data = None if body is None else json.dumps(body).encode()
                    request = urllib.request.Request(
                        address + path, data, {"Content-Type": "application/json"} if data else {}
                    )
                    with urllib.request.urlopen(request, timeout=600) as answer:
                        return json.load(answer)

                state = ask("/v1/state")
                self.assertEqual((state["can_write"], state["plan"]), (True, None))
                plan = ask("/v1/plan", {"brief": self.BRIEF})["plan"]
                self.assertEqual(ask("/v1/state")["plan"], plan)
            finally:
                server.send_signal(signal.SIGTERM)
                server.communicate(timeout=60)
        voiced = json.loads(self.plan("again.json", "--adapter", self.adapter).read_text(encoding="utf-8"))
        for key in ("placements", "model", "adapter", "sampler", "counts"):
            self.assertEqual(plan[key], voiced[key], key)

    LONG = BRIEF | {"placements": ["google.search", "google.pmax", "meta.feed"], "variants": 50}

    def test_a_plan_that_is_being_written_does_not_keep_the_page_from_its_end(self):
        command = [PUNA, "ads", "serve", "--model", AUSTEN, "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = server.stdout.readline().strip()
        body = json.dumps({"brief": self.LONG}).encode()
        answers = []

        def ask():
            request = urllib.request.Request(address + "/v1/plan", body, {"Content-Type": "application/json"})
            try:
                answers.append(urllib.request.urlopen(request, timeout=600).status)
            except OSError as e:  # refused, or the connection is closed
                answers.append(getattr(e, "code", 0))

        asking = threading.Thread(target=ask)
        asking.start()
        while not answers:
            with urllib.request.urlopen(address + "/v1/state", timeout=60) as state:
                if (json.load(state)["writing"] or {}).get("total"):
                    break
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(timeout=100), -signal.SIGINT)
        asking.join()
        self.assertNotEqual(answers, [200])
        server.stdout.close()

    def test_ctrl_c_leaves_no_file_and_the_bar_counts_texts(self):
        out = pathlib.Path(FOLDER.name) / "stopped.json"
        long = self.LONG
        terminal, other_end = pty.openpty()
        process = subprocess.Popen(
            [PUNA, "ads", "plan", written("long.json", long), "--model", AUSTEN, "--out", out],
            stdout=subprocess.DEVNULL,
            stderr=other_end,
        )
        os.close(other_end)
        seen = b""
        while b"texts [" not in seen:  # then it is in the middle
            seen += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=100), 130)
        os.close(terminal)
        self.assertFalse(out.exists())


@unittest.skipUnless(MODEL.exists() or REQUIRED, "SmolLM2 is not in the model cache (./dev fetch smollm2)")
class Plan(unittest.TestCase):
    def test_written_again(self):
        out = pathlib.Path(FOLDER.name) / "plan.json"
        brief = json.loads((ROOT / "examples/ads/bakery.json").read_text(encoding="utf-8"))
        if not BRIEFS:  # a part of it
            brief |= {"placements": ["meta.feed"], "variants": 2}
        shown = run("plan", written("bakery.json", brief), "--out", out, "--threads", 1).stdout
        self.assertEqual(check_plan.main([out]), 0)
        self.assertIn("meta.feed/1", shown)
        self.assertIn("the same", run("plan", "--replay", out, "--threads", 2, "--parallel", 9).stdout)
        changed = written("changed.json", out.read_text(encoding="utf-8").replace('"length": ', '"length": 1', 1))
        self.assertIn("written again it differs from byte", run("plan", "--replay", changed, code=1).stderr)

    def test_the_voice_is_one_of_the_inputs(self):
        brief = written("small.json", briefs.random_brief(5) | {"placements": ["meta.reels"], "variants": 1})
        one, two = (json.loads(run("plan", brief, "--json", "--temperature", t).stdout) for t in ("0.9", "1.5"))
        self.assertEqual(one["brief_hash"], two["brief_hash"])
        self.assertNotEqual(one["sampler"], two["sampler"])

    def test_what_cannot_be_met(self):
        brief = json.loads((ROOT / "examples/ads/bakery.json").read_text())
        for change, said in [
            ({"facts": []}, "facts: there are none"),
            ({"facts": ["x" * 300]}, "facts: none of them fits google.search"),
            ({"banned": ["bakery"]}, "banned[0]: 'bakery' is part of the name"),
            ({"images": ["a.png"]}, "images: pictures are neither made nor placed here"),
            ({"placement": []}, "did you mean 'placements'?"),
        ]:
            with self.subTest(said):
                self.assertIn(said, run("plan", written("wrong.json", brief | change), code=1).stderr)

    def test_harm(self):
        cases = dict(briefs.adversarial_briefs())
        if not BRIEFS:
            less = {"placements": ["meta.feed"], "variants": 1}
            cases = {n: cases[n] | less for n in ("injection", "nul", "many")}
        self.check_all(cases.items())

    def test_many(self):
        if not BRIEFS:
            self.skipTest("--briefs N")
        self.check_all([(f"random_{i}", briefs.random_brief(1_000_003 + i)) for i in range(BRIEFS)])

    def check_all(self, cases):
        """Plans, or errors that name a field of the brief."""
        plans, refused = [], []
        for name, brief in cases:
            out = pathlib.Path(FOLDER.name) / f"{name}.plan.json"
            done = subprocess.run(
                [PUNA, "ads", "plan", written(f"{name}.json", brief), "--out", out],
                capture_output=True,
                text=True,
                timeout=1000,
                errors="replace",
            )
            if done.returncode == 0:
                plans.append(out)
                continue
            refused.append(name)
            self.assertEqual(done.returncode, 1, (name, done.stderr))
            self.assertRegex(done.stderr, rf"{name}\.json: (facts|name|banned|segments|voice)", name)
        self.assertEqual(check_plan.main(plans), 0)
        counts = [json.loads(p.read_text(encoding="utf-8"))["counts"] for p in plans]
        total = {k: sum(c[k] for c in counts) for k in counts[0] if k != "refused_by"}
        print(f"{len(plans)} plans, {len(refused)} refused {refused}: {total}")


if __name__ == "__main__":
    if "--briefs" in sys.argv:
        at = sys.argv.index("--briefs")
        BRIEFS = int(sys.argv[at + 1])
        del sys.argv[at : at + 2]
        sys.argv += ["Plan.test_many", "Plan.test_harm", "Plan.test_written_again"]
    unittest.main()
