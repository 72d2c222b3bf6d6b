"""puna eval run as its users meet it: killed at any moment it goes on and loses nothing, what is wrong is said, and its
files are read by puna eval compare. On the bundled model. PUNA_BIN: the folder of the command."""

import json
import os
import pathlib
import random
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(os.environ["PUNA_SOURCE_DIR"])
PUNA = pathlib.Path(os.environ["PUNA_BIN"]) / "puna"
MODEL = ROOT / "examples/bundled/puna-austen.gguf"
EXAMPLE = ROOT / "tests/data/eval/example"
TASK = """
task: many
dataset_path: json
dataset_kwargs: {data_files: {test: many.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{said}}"
doc_to_choice: "{{answers}}"
doc_to_target: right
num_fewshot: 2
"""


def puna(*arguments, folder, good=True):
    done = subprocess.run([PUNA, "eval", *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120)
    if good and done.returncode:
        raise AssertionError(done.stderr)
    return done


class EvalRun(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        rows = [json.loads(line) for line in (EXAMPLE / "manners.jsonl").read_text(encoding="utf-8").splitlines()]
        many = [{**row, "said": f"{row['said']} {i}"} for i in range(12) for row in rows]
        (self.folder / "many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in many), encoding="utf-8")
        (self.folder / "many.yaml").write_text(TASK, encoding="utf-8")

    def lines(self, name):
        return (self.folder / name).read_text(encoding="utf-8").splitlines()

    def test_a_run_that_was_killed_goes_on_and_asks_nothing_twice(self):
        whole = puna("run", "many.yaml", MODEL, "--out", "whole", folder=self.folder)
        requests = json.loads((self.folder / "whole.json").read_text())["requests"]
        self.assertEqual(len(self.lines("whole.answers")), requests + 2)  # what they belong to, and that it ended
        chance, kills = random.Random(5), 0
        for _ in range(40):
            resume = ["--resume"] if (self.folder / "cut.answers").exists() else []
            command = [PUNA, "eval", "run", "many.yaml", MODEL, "--out", "cut", "--rows", "8", "-t", "1", *resume]
            running = subprocess.Popen(
                list(map(str, command)), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(chance.uniform(0.02, 0.4))
            running.kill()
            running.wait()
            kills += running.returncode != 0
            if running.returncode == 0:
                break
        before = self.lines("cut.answers") if (self.folder / "cut.answers").exists() else []
        done = puna("run", "many.yaml", MODEL, "--out", "cut", *(["--resume"] if before else []), folder=self.folder)
        self.assertEqual(done.stdout, whole.stdout)
        after = self.lines("cut.answers")
        self.assertEqual(after[: len(before)], before)
        ids = [json.loads(line)["id"] for line in after if '"id"' in line]
        self.assertEqual((len(ids), len(set(ids))), (requests, requests))
        self.assertEqual(self.lines("cut.jsonl"), self.lines("whole.jsonl"))
        self.assertGreater(kills, 0)
        again = puna("run", "many.yaml", MODEL, "--out", "cut", "--resume", folder=self.folder)
        self.assertIn(f"puna: 0 requests in 0.0 s, {requests} were there", again.stderr)

    def test_answers_are_kept_from_runs_they_do_not_belong_to(self):
        puna("run", "many.yaml", MODEL, "--out", "a", "--limit", 5, folder=self.folder)
        other = puna("run", "many.yaml", MODEL, "--out", "a", "--limit", 6, "--resume", folder=self.folder, good=False)
        self.assertIn("its answers are of another model, task, data or options", other.stderr)
        lines = self.lines("a.answers")
        (self.folder / "a.answers").write_text("\n".join(lines[:4]) + "\n" + lines[5][:9], encoding="utf-8")
        fresh = puna("run", "many.yaml", MODEL, "--out", "a", "--limit", 5, folder=self.folder, good=False)
        self.assertIn("--resume goes on with them", fresh.stderr)
        torn = puna("run", "many.yaml", MODEL, "--out", "a", "--limit", 5, "--resume", folder=self.folder)
        self.assertIn(", 3 were there", torn.stderr)
        none = puna("run", "many.yaml", MODEL, "--out", "b", "--resume", folder=self.folder, good=False)
        self.assertIn("no run was stopped under this name", none.stderr)

    def test_its_files_are_compared_and_single_items_say_the_same(self):
        puna("run", "many.yaml", MODEL, "--out", "all", "--unshared", folder=self.folder)
        puna("run", "many.yaml", MODEL, "--out", "some", "--items", "3,17-20", folder=self.folder)
        samples = self.lines("all.jsonl")
        self.assertEqual(self.lines("some.jsonl"), [samples[i] for i in (3, 17, 18, 19, 20)])
        done = puna("compare", "all.json", "all.jsonl", "--json", folder=self.folder)
        self.assertEqual(json.loads(done.stdout)["differences"][0]["difference"]["mean"], 0)
        page = (self.folder / "all.html").read_text(encoding="utf-8")
        for elsewhere in ("http:", "https:", "<script", "src="):
            self.assertNotIn(elsewhere, page)

    def test_yaml_that_is_no_task_is_refused_with_its_line(self):
        wrong = {
            "task: t\ndoc_to_txt: x\n": "line 2: \"doc_to_txt\" is no key of a task, did you mean 'doc_to_text'?",
            "task: t\n\nprocess_docs: !function f.g\n": "line 3: the tag !function is not supported",
            "task: &a t\ntag: *a\n": "line 2: an alias, *a",
            "task: t\ntask: u\n": "line 2: the key 'task' stands twice",
            "task: t\n--- \ntask: u\n": "a second document",
            "task: [t\n": "line 2: did not find expected ',' or ']'",
            "[" * 2000: "more than 64 levels",
            "": "it is empty",
            "task: yes\n": 'line 1: "task" is true or false, expected a text',
        }
        for text, said in wrong.items():
            with self.subTest(said=said):
                (self.folder / "wrong.yaml").write_text(text, encoding="utf-8")
                done = puna("run", "wrong.yaml", MODEL, folder=self.folder, good=False)
                self.assertIn(said, done.stderr)
                self.assertEqual(done.returncode, 1)
        (self.folder / "wrong.yaml").write_bytes(b"task: \xff\n")
        done = puna("run", "wrong.yaml", MODEL, folder=self.folder, good=False)
        self.assertIn("is not valid UTF-8", done.stderr)
        done = puna("run", "arc_esay", MODEL, folder=self.folder, good=False)
        self.assertIn("did you mean 'arc_easy'?", done.stderr)
        done = puna("run", "arc_easy", MODEL, folder=self.folder, good=False)
        self.assertIn("--data says where they are", done.stderr)

    def test_texts_are_generated_filtered_and_voted_on(self):
        (self.folder / "g.yaml").write_text(
            "task: g\ndataset_kwargs: {data_files: {test: many.jsonl}}\ntest_split: test\n"
            'doc_to_text: "{{said}}"\ndoc_to_target: "{{\'e\'}}"\nrepeats: 3\n'
            'generation_kwargs: {until: ["."], max_gen_toks: 5, temperature: 0.9}\n'
            'filter_list:\n - {name: vowel, filter: [{function: regex, regex_pattern: "([aeiou])|(y)", '
            "group_select: -1}, {function: majority_vote}, {function: take_first}]}\n"
            " - {name: raw, filter: [{function: take_first}]}\n",
            encoding="utf-8",
        )
        outs = []
        for parallel in (1, 6):
            puna(
                *("run", "g.yaml", MODEL, "--limit", 8, "--parallel", parallel, "--out", f"g{parallel}"),
                folder=self.folder,
            )
            outs.append(self.lines(f"g{parallel}.jsonl"))
        self.assertEqual(outs[0], outs[1])
        samples = [json.loads(line) for line in outs[0]]
        self.assertEqual([s["filter"] for s in samples], ["vowel"] * 8 + ["raw"] * 8)
        for s, raw in zip(samples[:8], samples[8:]):
            self.assertIn(s["filtered_resps"][0], ["[invalid]", *"aeiouy"])
            self.assertEqual(raw["filtered_resps"][0], raw["resps"][0][0])
            self.assertEqual(s["exact_match"], float(s["filtered_resps"][0] == "e"))


if __name__ == "__main__":
    unittest.main()
