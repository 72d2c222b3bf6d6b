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
        again = self.improve("--seed", "1,2", "--resume")
        seconds = re.compile(r"\d+ \|$", re.M)
        self.assertEqual(seconds.sub("", again.stdout), seconds.sub("", done.stdout))

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
            (["--arm", "margn:5"], "did you mean 'margin'"),
            (["--seed", "1,2", "--ask-people"], "people label for one --arm and one --seed at a time"),
            (["--method", "rl"], "expected sft or dpo"),
        ):
            refused = self.improve(*more)
            self.assertEqual(refused.returncode, 1, more)
            self.assertIn(why, refused.stderr)
            self.assertFalse((self.folder / "improve" / "margin-12-seed1").exists())


if __name__ == "__main__":
    unittest.main()
