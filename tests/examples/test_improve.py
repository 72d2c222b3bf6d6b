"""`puna improve` from end to end with the bundled model: a gain that is claimed, a loss that is printed, people's
labels, and what is refused."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

PUNA = os.path.abspath(os.environ["PUNA"])
MODEL = pathlib.Path(os.environ["PUNA_SOURCE_DIR"]) / "examples" / "bundled" / "puna-austen.gguf"
NAMES = (
    "Bennet Darcy Bingley Collins Wickham Lucas Phillips Gardiner Hurst Long King Forster Denny Carter Jones Hill Smith "
    "Weston Elton Knightley Martin Cole Perry Cox Otway Goddard Bates Fairfax Campbell Dixon"
).split()


def item(name, answer):
    prompt = f"Mr. {name} was very"
    return {"item": name, "prompt": prompt, "text": f"of {name}", "choices": ["happy", "glass"], "answer": answer}


class Improve(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # The model surely says "happy": what it learns here it did not know.
        pool = [item(name, "glass") for name in NAMES[:14]]
        pool.append({**pool[0], "item": "again"})
        held_out = [item(name, "glass") for name in NAMES[16:]]
        pool.append({**item("copied", "glass"), "text": held_out[0]["text"]})
        regression = [{**item(name, "happy"), "text": f"regression {name}"} for name in NAMES[16:]]
        for name, rows in (("pool", pool), ("held", held_out), ("regression", regression)):
            (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def improve(self, *more):
        command = [PUNA, "improve", MODEL, "--pool", "pool.jsonl", "--held-out", "held.jsonl", "--regression"]
        command += ["regression.jsonl", "--lr", "0.01", "--epochs", "6", "--step-tokens", "48", *more]
        if "--budget" not in more:
            command += ["--budget", "12-labels"]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)

    def test_a_gain_is_claimed_and_a_loss_is_printed(self):
        done = self.improve("--seed", "1,2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.folder / "improve" / "report.md").read_text(), done.stdout)
        self.assertIn("2 of 2 are better on held-out items at 5 %.", done.stdout)
        self.assertIn("1 duplicates, 1 that say nearly the same as a test item", done.stdout)
        # What was learned contradicts the regression set.
        self.assertEqual(len(re.findall("has lost on the regression set", done.stdout)), 2)
        report = json.loads((self.folder / "improve" / "report.json").read_text())
        verdicts = {(d["task"], d["verdict"]) for d in report["differences"]}
        self.assertEqual(verdicts, {("held-out", "better"), ("regression", "worse")})
        # The runs are what `puna eval compare` reads, with the same difference.
        runs = [f"improve/{name}/held-out.jsonl" for name in ("base", "margin-12-seed1")]
        compared = subprocess.run([PUNA, "eval", "compare", *runs, "--json"], cwd=self.folder, capture_output=True)
        [difference] = json.loads(compared.stdout)["differences"]
        mine = next(d for d in report["differences"] if d["task"] == "held-out")
        self.assertEqual(difference["difference"], mine["difference"])
        # Again: labels of before are not overwritten in silence.
        refused = self.improve("--seed", "1,2")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--resume goes on with them", refused.stderr)
        # What was learned is not learned again: the report is the same to the second.
        adapters = [self.folder / f"improve/margin-12-seed{s}/adapter/adapter_model.safetensors" for s in (1, 2)]
        before = [a.stat().st_mtime_ns for a in adapters]
        again = self.improve("--seed", "1,2", "--resume")
        self.assertEqual(again.stdout, done.stdout)
        self.assertEqual(again.stderr.count("was learned already"), 2)
        self.assertEqual([a.stat().st_mtime_ns for a in adapters], before)
        # A run that was stopped behind its first model goes on with the second.
        (self.folder / "improve/margin-12-seed2/round.json").unlink()
        (self.folder / "improve/report.md").unlink()
        again = self.improve("--seed", "1,2", "--resume")
        self.assertEqual(again.stderr.count("was learned already"), 1)
        seconds = re.compile(r"\d+ \|$", re.M)
        self.assertEqual(seconds.sub("", again.stdout), seconds.sub("", done.stdout))
        # Learned otherwise, it is another model.
        self.assertNotIn("was learned already", self.improve("--rank", "2", "--resume").stderr)

    def test_people_label_and_the_run_goes_on(self):
        waits = self.improve("--ask-people")
        self.assertEqual(waits.returncode, 0, waits.stderr)
        self.assertIn("12 of 12 items wait for a label", waits.stdout)
        db = re.search(r"puna label serve --db (\S+)", waits.stdout)[1]
        exported = subprocess.run(
            [PUNA, "label", "export", "--db", db], cwd=self.folder, capture_output=True, text=True
        )
        items = [json.loads(line)["item"] for line in exported.stdout.splitlines()]
        self.assertEqual(len(items), 12)
        for number, name in enumerate(items):
            words = ["--skip", "unclear"] if number == 0 else ["glass"]
            command = [PUNA, "label", "add", name, *words, "--by", "ann", "--db", db]
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        done = self.improve("--ask-people", "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| margin-12-seed1 | 11 | 1 |", done.stdout)
        self.assertIn("1 of 1 are better on held-out items", done.stdout)

    def test_options_stand_in_a_file_of_the_folder(self):
        (self.folder / "improve.toml").write_text(f'model = "{MODEL}"\npool = "pool.jsonl"\nheld-out = "held.jsonl"\n')
        command = [PUNA, "improve", "--budget", "100-labels"]
        refused = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertIn("puna: options from improve.toml", refused.stderr)
        self.assertIn("fewer than the budget of 100", refused.stderr)

    def test_what_cannot_be_meant_is_refused(self):
        for more, why in (
            (["--budget", "200-lables"], "expected a number of labels"),
            (["--budget", "100"], "fewer than the budget of 100"),
            (["--arm", "margn"], "did you mean 'margin'"),
            (["--seed", "1,2", "--ask-people"], "people label for one --arm and one --seed at a time"),
            (["--method", "rl"], "expected sft or dpo"),
            (["--seed", "1,1"], "--seed has 1 twice"),
            (["--arm", "margin", "--arm", "margin:12"], "--arm has margin-12 twice"),
        ):
            refused = self.improve(*more)
            self.assertEqual(refused.returncode, 1, more)
            self.assertIn(why, refused.stderr)
            self.assertFalse((self.folder / "improve" / "margin-12-seed1").exists())

    def test_a_run_that_does_not_begin_leaves_nothing_in_the_way(self):
        rows = [{"prompt": f"Mr. {n} was", "chosen": "very glad", "rejected": "made of glass"} for n in NAMES]
        (self.folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        before = sorted(p.name for p in self.folder.iterdir())
        pairs = [PUNA, "improve", MODEL, "--pairs", "pairs.jsonl", "--budget", "6"]
        for more in (
            ["--lr", "nan"],
            ["--lr", "-1"],
            ["--lr", "0"],
            ["--method", "dpo", "--beta", "nan"],
            ["--rank", "1000000000"],
            ["--decide", "majorty", "--ask-people"],
            ["--providers", "f33"],
            ["--out", "no/such/folder"],
            ["--resume"],
        ):
            with self.subTest(more=more):
                self.assertIn(self.improve(*more).returncode, (1, 2))
                self.assertEqual(sorted(p.name for p in self.folder.iterdir()), before)
        for more in (["--text", "nowhere.txt"], ["--held-out-pairs", "nowhere"], ["--lr", "nan"], ["--resume"]):
            with self.subTest(more=more):
                refused = subprocess.run([*pairs, *more], cwd=self.folder, capture_output=True, text=True, timeout=60)
                self.assertIn(refused.returncode, (1, 2))
                self.assertEqual(sorted(p.name for p in self.folder.iterdir()), before)
        self.assertIn("--resume: there is no run in nothere", self.improve("--resume", "--out", "nothere").stderr)
        # Training as well.
        for verb, data in (("finetune", "held.jsonl"), ("dpo", "pairs.jsonl")):
            for more in (["--lr", "nan"], ["--clip", "-1"], ["--data", "nowhere.jsonl"], ["--schedule", "cosin"]):
                with self.subTest(verb=verb, more=more):
                    command = [
                        PUNA,
                        verb,
                        MODEL,
                        "--out",
                        "run",
                        *([] if "--data" in more else ["--data", data]),
                        *more,
                    ]
                    refused = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
                    self.assertIn(refused.returncode, (1, 2))
                    self.assertEqual(sorted(p.name for p in self.folder.iterdir()), before)

    def test_an_option_of_the_other_way_to_use_it_is_refused(self):
        pairs = [PUNA, "improve", MODEL, "--pairs", "pairs.jsonl"]
        for more, why in (
            (["--beta", "0.2"], "--beta is not read here, only with --method dpo, or --pairs"),
            (["--text", "t"], "--text is not read here, only with --pairs"),
            (["--share", "0.5"], "--share is not read here"),
            (["--max-tokens", "99"], "--max-tokens is not read here"),
            (["--held-out-pairs", "p"], "--held-out-pairs is not read here"),
            (["--wanted", "2"], "--wanted is not read here, only where people label"),
            (["--decide", "ds"], "--decide is not read here, only where people label"),
            (["--arm", "margin:5"], "--budget is not read here, only where an --arm has no number"),
            (["--resume", "--overwrite"], "--resume excludes --overwrite"),
            (["--text", ""], "--text is given, but empty"),
        ):
            with self.subTest(more=more):
                refused = self.improve(*more)
                self.assertIn(why, refused.stderr)
                self.assertEqual(refused.returncode, 2)
        for more in (
            ["--pool", "pool.jsonl"],
            ["--held-out", "held.jsonl"],
            ["--regression", "r"],
            ["--ask-people"],
            ["--wanted", "2"],
            ["--decide", "ds"],
            ["--method", "sft"],
            ["--tolerance", "0.1"],
            ["--held-out-pairs", "p", "--share", "0.5"],
        ):
            with self.subTest(more=more):
                refused = subprocess.run([*pairs, *more], cwd=self.folder, capture_output=True, text=True)
                self.assertIn("is not read here", refused.stderr)
                self.assertEqual(refused.returncode, 2)
        self.assertFalse((self.folder / "improve").exists())

    def test_a_file_of_another_stays_as_it_is(self):
        (self.folder / "improve").mkdir()
        for name in ("report.md", "report.json"):
            file = self.folder / "improve" / name
            file.write_text("# Mine\n")
            for more in ([], ["--overwrite"], ["--resume"]):
                refused = self.improve(*more)
                self.assertEqual(refused.returncode, 1)
                self.assertIn(f"{name} is there, and is no file of this command's", refused.stderr)
                self.assertEqual(file.read_text(), "# Mine\n")
            file.unlink()
        db = self.folder / "improve" / "margin-12-seed1" / "labels.db"
        db.parent.mkdir()
        db.write_text("mine")
        self.assertIn("labels.db is there, and is no file", self.improve("--overwrite").stderr)
        self.assertEqual(db.read_text(), "mine")

    def test_pairs_that_were_learned_are_not_learned_again(self):
        rows = [
            {"prompt": f"Mr. {n} was", "chosen": f"very glad of the {n} party", "rejected": f"made of {n} glass"}
            for n in NAMES
        ]
        (self.folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = [PUNA, "improve", MODEL, "--pairs", "pairs.jsonl", "--budget", "6", "--epochs", "1"]
        command += ["--seed", "1,2", "--text", "held.jsonl"]

        def improve(*more):
            return subprocess.run([*command, *more], cwd=self.folder, capture_output=True, text=True, timeout=300)

        done = improve()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--resume goes on behind it, --overwrite begins anew", improve().stderr)
        again = improve("--resume")
        self.assertEqual(again.stdout, done.stdout)
        self.assertEqual(again.stderr.count("was learned already"), 2)
        (self.folder / "improve/pairs-seed2/round.json").unlink()
        again = improve("--resume")
        self.assertEqual(again.stderr.count("was learned already"), 1)
        seconds = re.compile(r"\d+ s\.")
        self.assertEqual(seconds.sub("", again.stdout), seconds.sub("", done.stdout))


if __name__ == "__main__":
    unittest.main()
