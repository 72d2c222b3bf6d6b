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

    def test_what_cannot_be_written_is_refused_before_the_run(self):
        (self.folder / "runs").mkdir()
        (self.folder / "taken.json").mkdir()
        os.mkfifo(self.folder / "pipe.jsonl")
        (self.folder / "link").symlink_to("runs")
        before = sorted(p.name for p in self.folder.rglob("*"))
        for more, why in (
            (["--out", "runs/"], "which ends with a folder: expected a name"),
            (["--out", "runs/.."], "which ends with a folder: expected a name"),
            (["--out", "taken"], "taken.json: it is a folder"),
            (["--out", "pipe"], "pipe.jsonl is there, and is no regular file"),
            (["--out", "nowhere/q"], "there is no folder nowhere"),
            (["--out", "o", "--packed", "o.json"], "would both be written to"),
            (["--out", "runs/o", "--packed", "link/o.answers"], "would both be written to"),
            (["--out", "o", "--items", "0,0,0"], "--items has 0 twice"),
            (["--out", "o", "--items", "3-5,4"], "--items has 4 twice"),
            (["--out", "o", "--ctx", "1", "--items", "0"], ""),
        ):
            with self.subTest(more=more):
                refused = puna("run", "many.yaml", MODEL, *more, folder=self.folder, good=False)
                self.assertEqual(refused.returncode, 1)
                self.assertIn(why, refused.stderr)
                self.assertEqual(sorted(p.name for p in self.folder.rglob("*")), before)

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

    def test_a_file_of_another_is_neither_replaced_nor_cut(self):
        foreign = {
            "json": '{"my": "notes"}',
            "jsonl": '{"doc_id": 0, "doc": {}}\n',
            "html": "<!doctype html><p>mine</p>",
            "answers": "no line ends here",
        }
        for ending, text in foreign.items():
            for more in ([], ["--resume"]):
                with self.subTest(ending=ending, more=more):
                    file = self.folder / f"name.{ending}"
                    file.write_text(text)
                    done = puna("run", "many.yaml", MODEL, "--out", "name", *more, folder=self.folder, good=False)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(f"name.{ending} is there, and is no file of this command's", done.stderr)
                    self.assertIn("give another --out", done.stderr)
                    self.assertEqual(file.read_text(), text)
                    self.assertEqual(list(self.folder.glob("name.*")), [file])
                    file.unlink()
        # The same names without --out, and our own files, are another matter.
        (self.folder / f"many.{MODEL.name}.html").write_text("mine")
        done = puna("run", "many.yaml", MODEL, "--limit", 1, folder=self.folder, good=False)
        self.assertIn(".html is there", done.stderr)
        for _ in range(2):
            puna("run", "many.yaml", MODEL, "--out", "own", "--limit", 1, folder=self.folder)
        # A header that a kill cut short is ours.
        header = self.lines("own.answers")[0]
        (self.folder / "own.answers").write_text(header[: len(header) // 2])
        puna("run", "many.yaml", MODEL, "--out", "own", "--limit", 1, folder=self.folder)

    def test_seconds_are_those_of_all_runs_together(self):
        puna("run", "many.yaml", MODEL, "--out", "a", "--limit", 20, folder=self.folder)
        puna("run", "many.yaml", MODEL, "--out", "a", "--limit", 20, "--resume", folder=self.folder)
        again = json.loads((self.folder / "a.json").read_text())["seconds"]
        last = json.loads(self.lines("a.answers")[-2])["seconds"]
        self.assertGreater(last, 0)
        self.assertGreaterEqual(again, last)
        page = (self.folder / "a.html").read_text()
        self.assertIn("seconds, of all runs together", page)

    def test_a_task_is_read_with_a_byte_order_mark_and_lines_of_windows(self):
        plain = puna("run", "many.yaml", MODEL, "--out", "plain", "--limit", 2, folder=self.folder).stdout
        for mark in (b"", b"\xef\xbb\xbf"):
            for end in (b"\n", b"\r\n"):
                with self.subTest(mark=mark, end=end):
                    task = mark + TASK.strip().encode().replace(b"\n", end) + end
                    (self.folder / "bom.yaml").write_bytes(task)
                    rows = (self.folder / "many.jsonl").read_bytes()
                    (self.folder / "bom.jsonl").write_bytes(mark + rows.replace(b"\n", end))
                    command = ("run", "bom.yaml", MODEL, "--data", "bom.jsonl", "--out", "out", "--limit", 2)
                    self.assertEqual(puna(*command, folder=self.folder).stdout, plain)

    def test_an_option_that_would_not_be_read_is_refused(self):
        for words, said in (
            (("run", "many.yaml", MODEL, "--items", ""), "--items is given, but empty"),
            (("run", "many.yaml", MODEL, "--system", "x"), "--system is not read here, only with --chat"),
            (("run", "many.yaml", MODEL, "--multiturn"), "--multiturn is not read here, only with --chat"),
            (
                ("needle", MODEL, "--file", "many.yaml", "--lengths", "64", "--needles", 3),
                "--needles is not read here, only with --kind multi-key, multi-value or multi-query",
            ),
            (
                ("quant", MODEL, MODEL, "--file", "many.yaml", "--limit", 3),
                "--limit is not read here, only with --data",
            ),
        ):
            with self.subTest(said=said):
                done = puna(*words, folder=self.folder, good=False)
                self.assertIn(said, done.stderr)
                self.assertEqual(done.returncode, 2)
        done = puna("run", "many.yaml", MODEL, "--limit", 1, "--parallel", 2, folder=self.folder)
        self.assertIn("--parallel is not read: 'many' generates no texts", done.stderr)

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


@unittest.skipUnless(
    subprocess.run([PUNA, "label", "--help"], capture_output=True).returncode == 0, "this build has no labels"
)
class Labels(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        rows = ["item,annotator,label", "a,w1,x", "a,w2,x", "a,w3,y", "b,w1,y", "b,w2,y", "b,w3,y"]
        (self.folder / "crowd.csv").write_text("\n".join(rows) + "\n")

    def label(self, *words, code=0):
        command = [PUNA, "label", *map(str, words)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_without_db_the_labels_are_those_of_this_folder_and_that_is_said(self):
        self.assertIn("labels.db is not there", self.label("stats", code=1).stderr)
        self.assertIn("puna: no --db: labels.db of this folder", self.label("import", "crowd.csv").stderr)
        self.assertTrue((self.folder / "labels.db").is_file())
        verbs = (("stats",), ("agree",), ("infer",), ("adjudicate",), ("export",), ("next", "--by", "z"), ("dedup",))
        for words in verbs:
            self.assertIn("labels.db of this folder", self.label(*words).stderr)
        self.assertNotIn("of this folder", self.label("stats", "--db", "labels.db").stderr)
        self.label("create", "other")
        self.assertIn("other", self.label("stats", "--project", "other").stdout)

    def test_the_labels_of_this_folder_are_never_replaced(self):
        self.label("import", "crowd.csv")
        before = (self.folder / "labels.db").read_bytes()
        (self.folder / "labels.db-wal").write_bytes(b"")
        for words in (
            ("export", "--out", "labels.db"),
            ("infer", "--out", "./labels.db"),
            ("dedup", "--out", "labels.db"),
            ("export", "--out", "labels.db-wal"),
        ):
            with self.subTest(words=words):
                self.assertIn("would be replaced, and the command reads it", self.label(*words, code=1).stderr)
        self.assertEqual((self.folder / "labels.db").read_bytes(), before)

    def test_an_import_that_fails_leaves_no_store(self):
        (self.folder / "typo.csv").write_text("itm,anotator,lable\na,w,x\n")
        self.label("import", "typo.csv", code=1)
        self.label("import", "crowd.csv", "--type", "rating", "--db", "new.db", code=1)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["crowd.csv", "typo.csv"])
        self.label("import", "crowd.csv")
        before = (self.folder / "labels.db").read_bytes()
        self.label("import", "typo.csv", code=1)
        self.assertEqual((self.folder / "labels.db").read_bytes(), before)

    def test_a_project_that_cannot_be_made_leaves_no_store(self):
        self.label("create", "p", "--labels", "a,a", code=1)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["crowd.csv"])

    def test_a_database_is_no_training_text(self):
        self.label("import", "crowd.csv")
        (self.folder / "texts.txt").write_text("one two three\n")
        (self.folder / "latin.txt").write_bytes(b"one\ncaf\xe9\n")
        for words in (("contaminated", "labels.db", "--items", "texts.txt"), ("dedup", "labels.db")):
            said = self.label(*words, code=1).stderr
            self.assertIn("labels.db is an SQLite database, expected JSON lines or text in UTF-8", said)
        self.assertIn("latin.txt, line 2: byte 0xe9 is no text", self.label("dedup", "latin.txt", code=1).stderr)
        self.assertIn("is a GGUF model, expected", self.label("dedup", MODEL, code=1).stderr)

    def test_an_order_that_is_random_as_yet_is_told(self):
        self.label("import", "crowd.csv", "--wanted", 9)
        for order in ("margin", "entropy"):
            said = self.label("next", "--by", "z", "--order", order, "--lease", 1).stderr
            self.assertIn(f"--order {order} is random in project 'crowd' as yet", said)
        self.assertNotIn("is random", self.label("next", "--by", "y").stderr)
        self.label("infer", "--save")
        self.assertNotIn("is random", self.label("next", "--by", "x", "--order", "margin").stderr)

    def test_inference_as_json_has_what_it_thinks_of_every_annotator(self):
        self.label("import", "crowd.csv")
        found = json.loads(self.label("infer", "--method", "majority", "--json").stdout)["reliabilities"]
        self.assertEqual({r["name"] for r in found}, {"w1", "w2", "w3"})
        self.assertEqual(found[0]["name"], "w3")
        for r in found:
            self.assertEqual(r["answers"], 2)
            self.assertTrue(0 <= r["reliability"] <= 1)

    def test_an_option_that_would_not_be_read_is_refused(self):
        self.label("import", "crowd.csv", "--wanted", 3)
        self.label("import", "crowd.csv", "--wanted", 3)  # what is so already may be said again
        (self.folder / "texts.txt").write_text("one\n")
        for words, said in (
            (("export", "--format", "csv", "--confidence", "0.9"), "--confidence is not read here, only with --format"),
            (("export", "--left", "a"), "--left is not read here, only with --format dpo"),
            (("export", "--format", "sft", "--history"), "--history is not read here"),
            (("infer", "--method", "ds", "--seed", 3), "--seed is not read here, only with --method mace"),
            (("infer", "--method", "majority", "--iterations", 3), "--iterations is not read here"),
            (("adjudicate", "--by", "ann"), "--by is not read here, only with --item"),
            (("adjudicate", "--item", "a", "--as", "x", "--count", 3), "--count is not read here"),
            (("import", "crowd.csv", "--wanted", 2), "--wanted is not read here, only of a new project"),
            (("import", "crowd.csv", "--labels", "x,y"), "--labels is not read here, only of a new project"),
            (("dedup", "texts.txt", "--db", "labels.db"), "--db is not read here"),
            (("dedup", "texts.txt", "--project", "crowd"), "--project is not read here"),
            (("dedup", "texts.txt", "--field", "a"), "--field is not read here, only of JSON"),
            (("contaminated", "texts.txt", "--metric", "acc"), "--metric is not read here, only with --scores"),
            (("serve", "--port", 0, "--left", "a"), "--left is not read here, only of projects of the type pairwise"),
            (("stats", "--project", ""), "--project is given, but empty"),
        ):
            with self.subTest(words=words):
                self.assertIn(said, self.label(*words, code=2).stderr)

    def test_lines_of_windows_behind_a_byte_order_mark_are_texts_like_others(self):
        line = "the plate was cold and the waiter forgot our order twice in one evening"
        (self.folder / "texts.txt").write_bytes(b"\xef\xbb\xbf" + f"{line}\r\n{line}\r\n".encode())
        self.label("dedup", "texts.txt", "--out", "kept.txt")
        self.assertEqual((self.folder / "kept.txt").read_bytes(), line.encode() + b"\n")


if __name__ == "__main__":
    unittest.main()
