"""`puna ads` as people run it: what docs/ads.md shows is what it prints, files agree with an independent player, logs
that cannot carry a conclusion are refused, and what is wrong with a file is said with its place.

usage: PUNA=... test_ads.py
"""

import json
import math
import os
import pathlib
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from html.parser import HTMLParser

PUNA = os.environ["PUNA"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = tempfile.TemporaryDirectory()


def run(*arguments, code=0):
    done = subprocess.run([PUNA, "ads", *map(str, arguments)], capture_output=True, text=True, timeout=240)
    if done.returncode != code:
        raise AssertionError(
            f"{arguments}: ended with {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        )
    return done


def run_json(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def by_name(report, key="algorithms"):
    return {a["name"]: a for a in report[key]}


def written(name, text):
    path = pathlib.Path(FOLDER.name) / name
    path.write_text(text, encoding="utf-8")
    return path


def day(seed, count=3000):
    r = random.Random(seed)
    rows = []
    for t in range(count):
        hour = 24 * t / count
        level = 1 + 0.5 * math.sin(2 * math.pi * (hour - 6) / 24)
        rows.append((hour, r.lognormvariate(0, 0.6), r.lognormvariate(-0.1, 0.6) * level))
    return rows


def day_file(name, rows):
    lines = [f"{t},{h:.6f},{v:.6f},{p:.6f}" for t, (h, v, p) in enumerate(rows)]
    return written(name, "t,hour,value,price\n" + "\n".join(lines) + "\n")


class Docs(unittest.TestCase):
    def test_what_the_manual_shows(self):
        text = (ROOT / "docs/ads.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```text\n\$ puna ads ([^\n]*)\n(.*?)^```$", text, re.M | re.S)
        self.assertGreaterEqual(len(blocks), 3)
        for command, shown in blocks:
            with self.subTest(command):
                done = subprocess.run(
                    [PUNA, "ads", *shlex.split(command)], capture_output=True, text=True, timeout=240, cwd=ROOT
                )
                self.assertEqual(done.stdout + done.stderr, shown)

    def test_what_came_of_the_texts_runs_as_it_is_written(self):
        text = (ROOT / "docs/ads.md").read_text(encoding="utf-8")
        section = text[text.index("## What came of the texts") :]
        section = section[: section.index("\n## ")]
        commands = re.findall(r"^    ((?:puna|python3) .*)$", section, re.M)
        self.assertEqual(len(commands), 3)
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(ROOT / "examples", pathlib.Path(folder) / "examples")
            for command in commands:
                words = [PUNA if w == "puna" else sys.executable if w == "python3" else w for w in shlex.split(command)]
                done = subprocess.run(words, capture_output=True, text=True, timeout=240, cwd=folder)
                self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("new earns", done.stdout)
            pairs = (pathlib.Path(folder) / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
            self.assertGreater(len(pairs), 0)


class Pacing(unittest.TestCase):
    def test_built_in(self):
        report = by_name(run_json("simulate", "pacing", "--seeds", "0,1", "--count", "3000"))
        for name in ("none", "throttle", "pi", "dual descent", "shaped plan", "shaped plan, yesterday's multiplier"):
            for seed in report[name]["seeds"]:
                self.assertEqual(seed["overspend"], 0)
                self.assertEqual(len(seed["spent"]), 288)
                self.assertLessEqual(seed["spent"][-1], 1)
        self.assertGreater(report["dual descent"]["value_over_oracle"], report["none"]["value_over_oracle"])
        self.assertGreater(report["dual descent"]["value_over_oracle"], 0.9)
        self.assertGreater(report["shaped plan, yesterday's multiplier"]["value_over_oracle"], 0.98)

    def test_files(self):
        today, yesterday = day(1), day(2)
        files = "--auctions", day_file("today.csv", today), "--yesterday", day_file("yesterday.csv", yesterday)
        report = by_name(run_json("simulate", "pacing", *files, "--budget", "250"))
        spent = value = 0  # "none", played here
        for _, v, p in today:
            v, p = round(v, 6), round(p, 6)
            if min(v, 250 - spent) > p:
                spent += p
                value += v
        none = report["none"]["seeds"][0]
        self.assertAlmostEqual(none["used"] * 250, spent, places=4)
        self.assertAlmostEqual(none["value"], value, places=4)
        self.assertGreater(report["shaped plan, yesterday's multiplier"]["value_over_oracle"], 0.97)
        alone = by_name(run_json("simulate", "pacing", "--auctions", files[1]))
        self.assertNotIn("shaped plan", alone)
        exact = by_name(run_json("simulate", "pacing", *files, "--budget", "98765.432109"))
        self.assertEqual(exact["none"]["seeds"][0]["budget"], 98765.432109)
        for amount in ("0", "1.2345678", "1e3", "12,5", "9000000.1", "."):
            self.assertIn("--budget is", run("simulate", "pacing", *files, f"--budget={amount}", code=1).stderr)

    def test_what_is_wrong_is_said(self):
        bad = written("bad.csv", "t,hour,value,price\n0,0,1,1\n1,1,x,1\n")
        self.assertIn("bad.csv, line 3, column 'value'", run("simulate", "pacing", "--auctions", bad, code=1).stderr)
        self.assertIn("did you mean 'drifting'", run("simulate", "pacing", "--process", "driftin", code=1).stderr)
        self.assertIn("--seeds is '3-1'", run("simulate", "pacing", "--seeds", "3-1", code=1).stderr)
        run("simulate", "pacing", "--auctions", bad, "--process", "plain", code=2)
        self.assertIn("there is no verb 'pace'", run("simulate", "pace", code=2).stderr)


class Choice(unittest.TestCase):
    def test_files(self):
        r = random.Random(3)
        world = {"p": [[0.05, 0.1, 0.02], [0.1, 0.03, 0.06]], "segments": ["young", "old"]}
        stream = [(r.randrange(2), r.random()) for _ in range(20000)]
        text = "segment,u\n" + "".join(f"{world['segments'][s]},{u:.9f}\n" for s, u in stream)
        report = by_name(
            run_json(
                *("simulate", "choice", "--world", written("world.json", json.dumps(world))),
                *("--stream", written("stream.csv", text), "--batch", "500"),
            )
        )
        best = max(range(3), key=lambda k: sum(world["p"][s][k] for s, _ in stream))
        single = report["best single variant in hindsight"]["seeds"][0]
        self.assertEqual(single["clicks"], sum(round(u, 9) < world["p"][s][best] for s, u in stream))
        oracle = sum(max(world["p"][s]) for s, _ in stream)
        self.assertAlmostEqual(
            single["clicks_over_oracle"], sum(world["p"][s][best] for s, _ in stream) / oracle, places=9
        )
        self.assertGreater(report["hierarchical, tempered (default)"]["clicks_over_oracle"], 0.9)
        self.assertNotIn("default, ranker", report)
        run("simulate", "choice", "--world", "world.json", code=2)

    def test_the_same_seed_is_the_same_bytes(self):
        arguments = "simulate", "choice", "--seeds", "4", "--count", "9000", "--json"
        self.assertEqual(run(*arguments).stdout, run(*arguments).stdout)


class Auction(unittest.TestCase):
    def test_table(self):
        report = run_json("simulate", "auction", "--count", "5000")
        slots = by_name(report, "slots")
        self.assertGreaterEqual(slots["gsp"]["revenue"], slots["vcg"]["revenue"])
        self.assertLess(slots["vcg"]["seeds"][0]["largest_gain"], 1e-9)
        runs = by_name(report)
        self.assertGreater(runs["first price, shaded"]["surplus"], runs["first price, truthful"]["surplus"])


class Ope(unittest.TestCase):
    def log(self, factor=1.0):
        r = random.Random(8)
        p, rate = {"a": 0.7, "b": 0.2, "c": 0.1}, {"a": 0.1, "b": 0.3, "c": 0.2}
        rows = []
        for _ in range(6000):
            action = r.choices("abc", [0.7, 0.2, 0.1])[0]
            rows.append((action, int(r.random() < rate[action]), p[action] * factor))
        return rows

    def test_uniform(self):
        rows = self.log()
        path = written("log.csv", "action,reward,propensity\n" + "".join(f"{a},{r},{p}\n" for a, r, p in rows))
        report = run_json("ope", path)
        weights = [1 / 3 / p for _, _, p in rows]
        ips = sum(w * r for w, (_, r, _) in zip(weights, rows)) / len(rows)
        self.assertAlmostEqual(report["estimates"]["ips"]["value"], ips, places=12)
        self.assertAlmostEqual(report["estimates"]["snips"]["value"], ips * len(rows) / sum(weights), places=12)
        self.assertAlmostEqual(report["estimates"]["dr"]["value"], 0.2, delta=0.03)
        policy = written("policy.csv", "action,probability\nb,1\n")
        better = run_json("ope", path, "--policy", policy)
        self.assertAlmostEqual(better["estimates"]["dr"]["value"], 0.3, delta=0.05)
        self.assertIn("did you mean", run("ope", path, "--reward", "rewrd", code=1).stderr)

    def test_refused(self):
        rows = self.log(0.5)
        path = written("wrong.csv", "action,reward,propensity\n" + "".join(f"{a},{r},{p}\n" for a, r, p in rows))
        done = run("ope", path, "--json", code=1)
        report = json.loads(done.stdout)
        self.assertIsNone(report["estimates"])
        self.assertIn("mean weight", report["refusals"][0])
        self.assertIn("log them when drawing", done.stderr)
        self.assertIn("ips", json.loads(run("ope", path, "--json", "--force").stdout)["estimates"])

    def test_a_line_without_end(self):
        path = pathlib.Path(FOLDER.name) / "long.csv"
        with open(path, "wb") as f:
            f.write(b"action,reward,propensity\n")
            f.seek(1 << 30)
            f.write(b"a")
        start = time.monotonic()
        self.assertIn("line 2", run("ope", path, code=1).stderr)
        self.assertLess(time.monotonic() - start, 20)
        path.unlink()


class Report(unittest.TestCase):
    def page(self, *files):
        out = pathlib.Path(FOLDER.name, "report.html")
        run("report", *files, "--out", out)
        return out.read_text(encoding="utf-8")

    def test_a_page_without_requests(self):
        pacing = run("simulate", "pacing", "--seeds", "0,1", "--count", "2000", "--json").stdout
        choice = run("simulate", "choice", "--count", "9000", "--json").stdout
        auction = run("simulate", "auction", "--count", "2000", "--json").stdout
        files = [written(f"{i}.json", text) for i, text in enumerate((pacing, choice, auction))]
        html = self.page(*files)
        outside = re.findall(r"(?: src=| href=|url\(|@import| action=)[^>]*", html)
        self.assertEqual(outside, [])
        self.assertEqual(re.findall(r"https?://(?!www.w3.org/2000/svg)", html), [])
        self.assertNotIn("<script", html)
        self.assertIn("default-src 'none'", html)
        names = [a["name"] for a in json.loads(choice)["algorithms"]]
        self.assertEqual(html.count("<svg"), 2 + 2 + len(names))
        for name in names:
            self.assertIn(f"Choice shares: {name}".replace("<", "&lt;"), html)
        rows = re.findall(r"<th scope=\"row\">([^<]*)</th><td>([^<]*)</td>", html)
        for a in json.loads(pacing)["algorithms"]:
            self.assertIn((a["name"], f"{a['value_over_oracle']:.4f}"), rows)

        class Balanced(HTMLParser):
            def __init__(self):
                super().__init__()
                self.open = []

            def handle_starttag(self, tag, _):
                if tag not in ("meta", "path", "rect", "circle"):
                    self.open.append(tag)

            def handle_endtag(self, tag):
                if tag not in ("meta", "path", "rect", "circle"):
                    assert self.open.pop() == tag, tag

        parser = Balanced()
        parser.feed(html)
        self.assertEqual(parser.open, [])

    def test_paths_end_where_the_totals_are(self):
        report = run_json("simulate", "choice", "--count", "9000", "--seeds", "5")
        for a in report["algorithms"]:
            seed, path = a["seeds"][0], a["seeds"][0]["path"]
            self.assertEqual(path["impressions"][-1], 9000)
            self.assertAlmostEqual(path["regret"][-1], seed["regret"], places=9)
            self.assertEqual(path["clicks"][-1], seed["clicks"])
            before, sums = 0, [0.0] * 8
            for n, shares in zip(path["impressions"], path["shares"]):
                sums = [s + x * (n - before) / 9000 for s, x in zip(sums, shares)]
                before = n
            for s, x in zip(sums, seed["shares"]):
                self.assertAlmostEqual(s, x, places=9)

    def test_what_is_wrong_is_said(self):
        out = pathlib.Path(FOLDER.name, "none.html")
        for text, words in (
            ("[]", "what `puna ads simulate"),
            ('{"algorithms": [{"name": "x"}]}', "pacing`, `choice` or `auction`"),
            ('{"algorithms": [{"name": "x", "clicks_over_oracle": "1"}]}', "algorithms[0].clicks_over_oracle"),
            ("{", "bad.json"),
        ):
            self.assertIn(words, run("report", written("bad.json", text), "--out", out, code=1).stderr)
        self.assertFalse(out.exists())


class Feedback(unittest.TestCase):
    """Two writers, of whom the second is better in both segments; the good texts are shown less often."""

    def events(self, lift, count=12000, seed=6):
        r = random.Random(seed)
        rate = {"a0": 0.04, "a1": 0.06, "b0": 0.04 * lift, "b1": 0.06 * lift}
        p = {"young": {"a0": 0.5, "a1": 0.2, "b0": 0.2, "b1": 0.1}, "old": {"a0": 0.1, "a1": 0.4, "b0": 0.1, "b1": 0.4}}
        rows = []
        for i in range(count):
            segment = r.choice(("young", "old"))
            variant = r.choices(list(p[segment]), list(p[segment].values()))[0]
            rows.append(f"shown,i{i},,{i},{segment},{variant},{p[segment][variant]},person{i // 2}")
            if r.random() < rate[variant]:
                rows.append(f"click,c{i},i{i},{i + 5},,,,")
                if r.random() < 0.1:
                    rows.append(f"sale,s{i},i{i},{i + 30},,,,")
        r.shuffle(rows)
        return "event,key,impression,time,segment,variant,propensity,person\n" + "\n".join(rows) + "\n"

    def texts(self):
        return written(
            "texts.jsonl",
            "".join(
                json.dumps({"variant": v, "text": f"text {v}", "prompt": "write", "writer": v[0]}) + "\n"
                for v in ("a0", "a1", "b0", "b1")
            ),
        )

    def store(self, name, lift):
        store, events = pathlib.Path(FOLDER.name, name), written("events.csv", self.events(lift))
        self.assertIn("0 known already", run("events", "add", store, events).stdout)
        self.assertIn("0 events added", run("events", "add", store, events).stdout)
        return store

    def test_pairs_and_a_better_writer(self):
        store, pairs = self.store("better.db", 2), pathlib.Path(FOLDER.name, "pairs.jsonl")
        arguments = "feedback", store, "--texts", self.texts(), "--window", "100", "--sale", "5"
        report = run_json(*arguments, "--writers", "a", "b", "--pairs", pairs)
        lines = [json.loads(line) for line in pairs.read_text().splitlines()]
        self.assertEqual(len(lines), report["training"]["pairs"])
        self.assertGreaterEqual(len(lines), 2)
        for line in lines:
            self.assertEqual(set(line), {"prompt", "chosen", "rejected"})
            self.assertGreater(line["chosen"][5:], line["rejected"][5:])
        comparison = report["comparison"]
        self.assertEqual(comparison["verdict"], "better")
        truth = (0.06 + 0.04) / 2 * (1 + 0.1 * 4)  # of b beyond a: the rates' mean, and what sales add
        self.assertLess(abs(comparison["difference"] - truth), 4 * comparison["standard_error"])
        clicks = run_json("feedback", store, "--window", "10")
        self.assertEqual((clicks["sales"], report["sales"] > 0), (0, True))

    def test_no_difference_cannot_be_told(self):
        store = self.store("same.db", 1)
        report = run_json("feedback", store, "--texts", self.texts(), "--writers", "a", "b", "--window", "100")
        self.assertEqual(report["comparison"]["verdict"], "cannot tell")
        shown = run("feedback", store, "--texts", self.texts(), "--writers", "a", "b", "--window", "100").stdout
        self.assertIn("four times out of five", shown)

    def test_a_person_is_forgotten(self):
        store = self.store("forget.db", 2)
        before = run_json("feedback", store)["impressions"]
        self.assertRegex(run("events", "forget", store, "person7").stdout, r"^[2-6] rows deleted")
        self.assertEqual(run_json("feedback", store)["impressions"], before - 2)
        self.assertIn("nobody in the store", run("events", "forget", store, "person7").stderr)

    def test_what_is_wrong_is_said(self):
        store = pathlib.Path(FOLDER.name, "bad.db")
        head = "event,key,impression,time,segment,variant,propensity,person\n"
        for row, words in (
            ("shwon,a,,1,s,v,.5,p", "did you mean 'shown'"),
            ("shown,a,,1,s,v,0,p", "line 2, column 'propensity'"),
            ("shown,a,,1,s,v,.5,", "line 2, column 'person'"),
            ("click,a,,1,,,,", "line 2, column 'impression'"),
            ("click,a,b,nan,,,,", "line 2, column 'time'"),
        ):
            self.assertIn(words, run("events", "add", store, written("bad.csv", head + row), code=1).stderr)
        self.assertFalse(store.exists())  # a table that is wrong adds nothing
        for row, words in (
            ("shown,a,b,1,s,v,.5,p", "line 3, column 'impression': 'b' is not empty"),
            ("click,b,a,1,s,,,", "line 3, column 'segment': 's' is not empty: a result has what its impression has"),
            ("click,b,a,1,,v,,", "line 3, column 'variant'"),
            ("sale,b,a,1,,,.5,", "line 3, column 'propensity'"),
            ("lead,b,a,1,,,,p", "line 3, column 'person'"),
        ):
            table = written("bad.csv", head + "shown,i,,1,s,v,.5,p\n" + row)
            self.assertIn(words, run("events", "add", store, table, code=1).stderr)
            self.assertFalse(store.exists())
        misspelt = written("bad.csv", head[:-1] + ",placment\nshown,i,,1,s,v,.5,p,feed\n")
        self.assertIn(
            "line 1, column 9: 'placment' is not used here, did you mean 'placement'?",
            run("events", "add", store, misspelt, code=1).stderr,
        )
        run("events", "add", store, written("good.csv", head + "shown,i,,1,s,v,.5,p\n"))
        other = written("other.csv", head + "shown,j,,1,s,v,.5,p\nshown,i,,2,s,v,.5,p\n")
        self.assertIn(
            "other.csv, line 3: its key 'i' is that of another event", run("events", "add", store, other, code=1).stderr
        )
        self.assertEqual(run_json("feedback", store)["impressions"], 1)
        run("feedback", store, "--pairs", "x", code=2)
        self.assertIn(
            "no text by 'c'", run("feedback", store, "--texts", self.texts(), "--writers", "a", "c", code=1).stderr
        )


class Conflicts(unittest.TestCase):
    def test_of_two_things_that_say_the_same_neither_is_ignored(self):
        bakery, plan = ROOT / "examples/ads/bakery.json", written("plan.json", "{}")
        for command in (
            ("serve", bakery, "--plan", plan),
            ("serve", bakery, "--adapter", "voice"),  # there is no model to have it
            ("plan", bakery, "--replay", plan),
            ("plan", "--replay", plan, "--temperature", "1"),
            ("plan", "--replay", plan, "--top-p", "1"),
            ("plan", "--replay", plan, "--exact"),
            ("plan", "--replay", plan, "--json"),
            ("lint", "a", "--labelled", plan),
            ("lint", "a", "--list"),
            ("lint", "--list", "--language", "de"),
        ):
            with self.subTest(command):
                run(*command, code=2)
        self.assertIn("'xx' is no language", run("lint", "a", "--language", "xx", code=1).stderr)
        self.assertIn("the brief is empty", run("lint", "a", "--brief", written("empty.json", ""), code=1).stderr)
        tiny = written("tiny.csv", "action,reward,propensity\na,1,1e-320\nb,0,.5\n")
        self.assertIn("expected a probability: 0, or 1e-100 to 1", run("ope", tiny, "--force", code=1).stderr)
        log = written("log.csv", "action,reward,click,propensity\n")
        self.assertIn("'reward' and 'click' could both be meant", run("ope", log, code=1).stderr)


class Options(unittest.TestCase):
    def test_an_option_that_would_not_be_read_is_refused(self):
        for words, said in (
            (("lint", "--list", "--brief", "b.json"), "--brief is not read here, only without --labelled and --list"),
            (("lint", "--labelled", "t.csv", "a text"), "TEXT is not read here"),
            (("lint", "--list", "--json"), "--json is not read here, only without --list"),
            (("plan", "--replay", "p.json", "--temperature", "1"), "--temperature is not read here"),
            (("serve", "--adapter", "a"), "--adapter is not read here, only with --model"),
            (("plan", "b.json", "--out", ""), "--out is given, but empty"),
        ):
            with self.subTest(words=words):
                self.assertIn(said, run(*words, code=2).stderr)
        self.assertIn("which has 0 twice", run("simulate", "pacing", "--seeds", "0,0", code=1).stderr)

    def test_an_option_of_feedback_that_would_not_be_read_is_refused(self):
        self.assertIn("only with --pairs or --writers", run("feedback", "s.db", "--texts", "t", code=2).stderr)
        self.assertIn("only with --pairs", run("feedback", "s.db", "--least-shown", 3, code=2).stderr)


class Interrupts(unittest.TestCase):
    def test_ctrl_c(self):
        process = subprocess.Popen(
            [PUNA, "ads", "simulate", "pacing", "--count", "20000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(out, b"")


if __name__ == "__main__":
    unittest.main()
