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
import signal
import subprocess
import tempfile
import time
import unittest

PUNA = os.environ["PUNA"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = tempfile.TemporaryDirectory()


def run(*arguments, code=0):
    done = subprocess.run([PUNA, "ads", *map(str, arguments)], capture_output=True, text=True, timeout=240)
    if done.returncode != code:
        raise AssertionError(f"{arguments}: ended with {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}")
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
                    [PUNA, "ads", *command.split()], capture_output=True, text=True, timeout=240, cwd=ROOT
                )
                self.assertEqual(done.stdout + done.stderr, shown)


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
