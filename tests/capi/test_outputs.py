"""What the `puna` command writes: files, folders of runs, standard output; and how it ends when told to. PUNA_BIN and
PUNA_SOURCE_DIR as in test_cli.py."""

import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from test_cli import BIN, CHAT, TEXT, run, run_json

SOURCE = pathlib.Path(os.environ["PUNA_SOURCE_DIR"])
BUNDLED = SOURCE / "examples/bundled/puna-austen.gguf"
TRAINS = subprocess.run([BIN / "puna", "train", "--help"], capture_output=True).returncode == 0
RECOMMENDS = subprocess.run([BIN / "puna", "rec", "--help"], capture_output=True).returncode == 0


class InFolder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def names(self):
        return sorted(p.name for p in self.folder.iterdir())

    def says(self, words, *arguments, code=1):
        message = run(*arguments, code=code).stderr.decode()
        for word in (words,) if isinstance(words, str) else words:
            self.assertIn(word, message)
        return message


class Files(InFolder):
    def setUp(self):
        super().setUp()
        self.logits = ("logits", TEXT, "--tokens", "1,2,3", "--out")
        run(*self.logits, self.folder / "plain.npy")
        self.plain = (self.folder / "plain.npy").read_bytes()

    def test_a_fifo_is_written_and_stays_one(self):
        os.mkfifo(self.folder / "pipe")
        got = []
        reader = threading.Thread(target=lambda: got.append((self.folder / "pipe").read_bytes()))
        reader.start()
        time.sleep(0.2)
        run(*self.logits, self.folder / "pipe")
        reader.join(20)
        self.assertEqual(got, [self.plain])
        self.assertTrue(stat.S_ISFIFO((self.folder / "pipe").stat().st_mode))

    def test_a_fifo_without_a_reader_is_refused_by_every_writer(self):
        os.mkfifo(self.folder / "pipe")
        pipe = self.folder / "pipe"
        self.says("nobody reads", *self.logits, pipe)
        self.says("nobody reads", "quantize", BUNDLED, pipe, "--type", "Q8_0", "-t", 1)
        self.says("pipe", "info", BUNDLED, "--packed", pipe)
        if RECOMMENDS:
            (self.folder / "a.csv").write_text(
                "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{i}\n" for u in range(9) for i in range(5))
            )
            self.says(
                "nobody reads", "rec", "eval", "--data", self.folder / "a.csv", "--baseline", "markov", "--plot", pipe
            )
        self.assertTrue(stat.S_ISFIFO(pipe.stat().st_mode))

    def test_standard_output_as_a_file(self):
        self.assertEqual(run(*self.logits, "/dev/stdout").stdout, self.plain)
        with open(self.folder / "shell", "wb") as shell:  # puna ... > shell
            subprocess.run([BIN / "puna", *map(str, self.logits), "/dev/stdout"], stdout=shell, check=True)
            shell.write(b"more")
        self.assertEqual((self.folder / "shell").read_bytes(), self.plain + b"more")

    def test_a_link_is_followed_by_every_writer(self):
        (self.folder / "target").write_text("old")
        (self.folder / "link").symlink_to("target")
        run(*self.logits, self.folder / "link")
        self.assertEqual((self.folder / "target").read_bytes(), self.plain)
        run("quantize", BUNDLED, self.folder / "link", "--type", "Q8_0", "-t", 1)
        self.assertEqual((self.folder / "target").read_bytes()[:4], b"GGUF")
        self.assertTrue((self.folder / "link").is_symlink())

    def test_a_folder_is_refused(self):
        (self.folder / "taken").mkdir()
        self.says("it is a folder", *self.logits, self.folder / "taken")
        self.says("it is a folder", "quantize", BUNDLED, self.folder / "taken", "--type", "Q8_0", "-t", 1)
        self.assertEqual(self.names(), ["plain.npy", "taken"])

    def test_rights_are_those_of_the_umask_or_of_the_old_file(self):
        old = self.folder / "old.npy"
        old.write_bytes(b"")
        old.chmod(0o640)
        before = os.umask(0o077)
        try:
            run(*self.logits, self.folder / "new.npy")
            run(*self.logits, old)
            run("quantize", BUNDLED, self.folder / "new.gguf", "--type", "Q8_0", "-t", 1)
        finally:
            os.umask(before)
        modes = {n: stat.S_IMODE((self.folder / n).stat().st_mode) for n in ("new.npy", "old.npy", "new.gguf")}
        self.assertEqual(modes, {"new.npy": 0o600, "old.npy": 0o640, "new.gguf": 0o600})

    def test_what_dead_writers_left_is_removed_and_what_living_ones_write_is_not(self):
        dead, living = self.folder / ".x.npy.puna-999999-0123abcd", self.folder / f".x.npy.puna-{os.getpid()}-0123abce"
        for path in (dead, living):
            path.write_text("half")
        with open(living) as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            run(*self.logits, self.folder / "x.npy")
        self.assertEqual(self.names(), [living.name, "plain.npy", "x.npy"])

    def ended_while_writing(self, number):
        """A quantize that got the signal when its temporary file was there."""
        for _ in range(30):
            child = subprocess.Popen(
                [BIN / "puna", "quantize", BUNDLED, self.folder / "q.gguf", "--type", "F32", "-t", "1"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while child.poll() is None and not any(n.startswith(".q.gguf.puna-") for n in self.names()):
                pass
            child.send_signal(number)
            code = child.wait(60)
            if code != 0:
                return code
            (self.folder / "q.gguf").unlink()
        self.fail("30 times it was done before the signal came")

    def test_no_signal_but_kill_leaves_a_temporary_file_and_the_next_write_removes_that(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with self.subTest(number):
                self.assertIn(self.ended_while_writing(number), (128 + number, -number))
                self.assertEqual(self.names(), ["plain.npy"])
        self.ended_while_writing(signal.SIGKILL)
        self.assertEqual(len(self.names()), 2)
        run("quantize", BUNDLED, self.folder / "q.gguf", "--type", "Q8_0", "-t", 1)
        self.assertEqual(self.names(), ["plain.npy", "q.gguf"])


class StandardStreams(InFolder):
    def verbs(self):
        text = self.folder / "text.txt"
        text.write_text("It is a truth universally acknowledged. " * 20)
        yield from (
            ["--help"],
            ["--version"],
            ["chat", "--help"],
            ["tokenize", CHAT, "a"],
            ["info", CHAT],
            ["generate", CHAT, "--prompt", "a", "--max-tokens", 2],
            ["bench", CHAT, "-p", 2, "-n", 1, "-r", 1, "-t", 1],
            ["perplexity", CHAT, "--file", text, "--ctx", 20, "--max-tokens", 40],
        )
        if RECOMMENDS:
            data = self.folder / "a.csv"
            data.write_text(
                "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{i}\n" for u in range(9) for i in range(5))
            )
            yield ["rec", "eval", "--data", data, "--baseline", "markov"]
            yield ["rec", "--help"]

    def test_a_full_disk_is_an_error_in_every_verb(self):
        for verb in self.verbs():
            with self.subTest(verb), open("/dev/full", "wb") as full:
                done = subprocess.run([BIN / "puna", *map(str, verb)], stdout=full, stderr=subprocess.PIPE, timeout=120)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"standard output: cannot write", done.stderr)
                self.assertEqual(done.stderr.count(b"standard output"), 1)

    def test_a_closed_standard_output_is_an_error_and_becomes_no_file(self):
        for verb in self.verbs():
            with self.subTest(verb):
                done = subprocess.run(
                    ["sh", "-c", 'exec "$@" >&-', "sh", BIN / "puna", *map(str, verb)],
                    stderr=subprocess.PIPE,
                    timeout=120,
                )
                self.assertEqual(done.returncode, 1, done.stderr)
        out = self.folder / "a.npy"
        subprocess.run(
            ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", BIN / "puna", "logits", TEXT, "--tokens", "1,2", "--out", out],
            check=True,
            timeout=120,
        )
        run("logits", TEXT, "--tokens", "1,2", "--out", self.folder / "b.npy")
        self.assertEqual(out.read_bytes(), (self.folder / "b.npy").read_bytes())

    def test_a_reader_that_goes_ends_it_quietly(self):
        for verb in self.verbs():
            with self.subTest(verb):
                reader, writer = os.pipe()
                os.close(reader)
                done = subprocess.run(
                    [BIN / "puna", *map(str, verb)], stdout=writer, stderr=subprocess.PIPE, timeout=120
                )
                os.close(writer)
                self.assertEqual(done.returncode, -signal.SIGPIPE, done.stderr)
                self.assertNotIn(b"puna:", done.stderr)  # no error; how a table was read may be said

    def test_standard_input_that_cannot_be_read_is_an_error(self):
        folder = os.open(self.folder, os.O_RDONLY)
        done = subprocess.run(
            [BIN / "puna", "tokenize", CHAT, "--file", "-"], stdin=folder, capture_output=True, timeout=60
        )
        os.close(folder)
        self.assertEqual((done.returncode, done.stderr), (1, b"puna: standard input: cannot read\n"))

    def test_an_output_that_the_command_reads_is_refused_and_left_as_it_is(self):
        csv = self.folder / "l.csv"
        csv.write_text("item,annotator,label\n1,a,x\n1,b,y\n")
        db = self.folder / "a.db"
        run("label", "import", csv, "--db", db, "--project", "p")
        brief = self.folder / "brief.json"
        shutil.copy(SOURCE / "examples/ads/bakery.json", brief)
        (self.folder / "link.html").symlink_to(brief)
        model = self.folder / "m.gguf"
        shutil.copy(BUNDLED, model)
        adapter = self.folder / "voice"
        adapter.mkdir()
        (adapter / "adapter_model.safetensors").write_bytes(b"weights")
        for arguments in (
            ("label", "infer", "--db", db, "--out", db),
            ("label", "export", "--db", db, f"--out={db}"),
            ("ads", "plan", brief, "--model", BUNDLED, "--out", self.folder / ".." / self.folder.name / "brief.json"),
            ("eval", "run", brief, BUNDLED, "--out", self.folder / "brief"),
            ("eval", "run", brief, BUNDLED, "--out", self.folder / "link"),
            ("ads", "report", brief, "-o", brief),
            ("quantize", model, model, "--type", "Q4_0"),
            ("merge", model, adapter, self.folder / "." / "m.gguf"),
            ("merge", model, adapter, adapter / "adapter_model.safetensors"),
            ("ads", "feedback", db, "--texts", brief, "--pairs", brief),
        ):
            before = {p: p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}
            self.says("would be replaced, and the command reads it", *arguments)
            self.assertEqual({p: p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}, before)

    def test_an_output_is_one_file_in_a_folder_that_is_there(self):
        for arguments, why in (
            (
                ("encode-image", BUNDLED, "a.png", "--out", self.folder / "a", "--pixels-out", self.folder / "." / "a"),
                "both be written",
            ),
            (
                ("quantize", BUNDLED, self.folder / "q", "--packed", self.folder / "q", "--type", "Q8_0"),
                "both be written",
            ),
            (("logits", TEXT, "--tokens", "1", "--out", self.folder / "no" / "a.npy"), "there is no folder"),
            (("label", "export", "--out", self.folder), "it is a folder"),
            (("batch", BUNDLED, "--in", "a", "--out", self.folder), "it is a folder"),
        ):
            self.says(why, *arguments)
        self.assertEqual(self.names(), [])

    def test_a_batch_that_does_not_begin_leaves_the_answers_of_before(self):
        asked, answers = self.folder / "in.jsonl", self.folder / "out.jsonl"
        asked.write_text('{"prompt": "a"}\n')
        batch = ("batch", self.folder / "no.gguf", "--in", asked, "--out", answers)
        run(*batch, code=1)
        self.assertEqual(self.names(), ["in.jsonl"])
        answers.write_text('{"line":0,"text":"b"}\n')
        run(*batch, "--overwrite", code=1)
        self.assertEqual(answers.read_text(), '{"line":0,"text":"b"}\n')

    def test_a_model_is_not_written_where_its_text_to_measure_is_missing(self):
        self.says(
            "no.txt", "quantize", BUNDLED, self.folder / "q", "--type", "Q8_0", "--measure", self.folder / "no.txt"
        )
        self.assertEqual(self.names(), [])

    def test_a_name_that_is_no_utf8_is_written_as_json(self):
        link = os.fsdecode(os.path.join(os.fsencode(self.folder), b"m\xff.gguf"))
        os.symlink(BUNDLED, link)
        found = run("bench", link, "-p", 2, "-n", 1, "-r", 1, "-t", 1, "--json").stdout
        self.assertTrue(json.loads(found)["model"].endswith("m\ufffd.gguf"))

    def test_a_file_of_another_kind_is_no_text(self):
        self.says("is a GGUF model, expected text in UTF-8", "perplexity", BUNDLED, "--file", BUNDLED)
        self.says("is a GGUF model, expected", "ads", "ope", BUNDLED)
        self.says(
            "--policy is 'unifrom', neither uniform nor a file that is there, did you mean 'uniform'?",
            "ads",
            "ope",
            __file__,
            "--policy",
            "unifrom",
        )

    def test_a_store_that_is_not_there_is_not_made_by_reading_it(self):
        for arguments in (("feedback", self.folder / "no.db"), ("events", "forget", self.folder / "no.db", "p1")):
            self.says("is not there", "ads", *arguments)
        self.assertEqual(self.names(), [])

    def test_no_verb_writes_around_the_helpers(self):
        """A printf, a stream or an fopen of a verb's own would be unchecked, unless it reads."""
        for path in sorted((SOURCE / "apps/cli").glob("*.cpp")):
            if path.name != "output.cpp":
                found = re.findall(
                    r"(?<![\w:])(?:std::)?(?:(?:printf|puts|putchar|fputs|fwrite|fopen)\s*\(|ofstream\b|cout\b)",
                    re.sub(r'fopen\([^;"]*"rb"\)|"(?:[^"\\]|\\.)*"|//.*', "", path.read_text()),
                )
                self.assertEqual(found, [], path.name)


@unittest.skipUnless(TRAINS, "built without training")
class Configs(InFolder):
    def refused(self, text, *words, code=1):
        path = self.folder / "c.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.says(
            (*words, "c.toml"),
            "finetune",
            BUNDLED,
            "--config",
            path,
            "--data",
            "no.txt",
            "--out",
            self.folder / "x",
            code=code,
        )

    def test_what_is_no_option_or_no_toml_is_refused_with_its_line(self):
        for text, words in {
            "[training]\nlr = 1e-3\n": ("line 1", "table", "[training]"),
            "# c\n\n[[a]]\n": ("line 3", "table"),
            "aaa.aaa = 1\n": ("line 1", "dot"),
            "steps = 1\nstpes = 2\n": ("line 2", "'stpes'", "did you mean 'steps'"),
            "step_tokens = 2\n": ("line 1", "step-tokens"),
            "steps = 1\nsteps = 2\n": ("line 2", "again", "line 1"),
            '\n\nschedule = "cosine\n': ("line 3", "not closed"),
            "schedule = 'cosine": ("line 1", "not closed"),
            "targets = [\n 'a',\n": ("line 1", "not closed"),
            'schedule = """a\n\n': ("line 1", "not closed"),
            "targets = ['a' 'b']": ("line 1", "','"),
            "targets = [['a']]": ("line 1", "within a list"),
            "lr = 1e-3 # good\n\x00": ("line 2", "U+0000"),
            "# a\x01\n": ("line 1", "U+0001"),
            'schedule = "a\x00b"': ("line 1", "U+0000"),
            "lr 3": ("line 1", "'='"),
            "lr =\n": ("line 1", "missing"),
            "lr = fast": ("line 1", "'fast'"),
            "lr = 1 2": ("line 1", "behind"),
            "lr = 01": ("line 1", "'01'"),
            "lr = 1__0": ("line 1",),
            "lr = .5": ("line 1",),
            "lr = 5.": ("line 1",),
            "lr = '1e-3'": ("line 1", "a text", "a number"),
            "steps = 1.5": ("line 1", "whole number"),
            "steps = true": ("line 1", "whole number"),
            "steps = 9223372036854775808": ("line 1", "64 bits"),
            "seed = 18446744073709551616": ("line 1", "64 bits"),
            "seed = -1": ("line 1", "0 or more"),
            "schedule = 5": ("line 1", "text in quotes"),
            "resume = 1": ("line 1", "true or false"),
            "lr = [1e-3]": ("line 1", "a list", "one value"),
            "lr = {a = 1}": ("line 1", "braces"),
            "lr = 1979-05-27": ("line 1", "no value"),
            'schedule = "\\q"': ("line 1", "escape"),
            'schedule = "\\ud800"': ("line 1", "Unicode"),
            "config = 'other.toml'": ("line 1", "'config'"),
            "= 1": ("line 1", "name of an option"),
            "'steps=3' = 4": ("line 1", "no option 'steps=3'"),
        }.items():
            with self.subTest(text):
                self.refused(text, *words)
                self.assertFalse((self.folder / "x").exists())

    def test_a_config_is_the_options_it_names(self):
        data = self.folder / "data.txt"
        data.write_text("It is a truth universally acknowledged. " * 40)
        config = self.folder / "c.toml"
        config.write_text(
            f"\ufeff# a run\nlr = 2e-3 # of LoRA\r\n'steps' = 0x4\n\"step-tokens\" = 6_4\npass-tokens = +64\nthreads = 9\ntargets = [ # which\n  'q_proj',\n  \"v_pro\\u006A\",\n]\n"
            f'data = """\n{data}"""\nproviders = false\nexact = true\nresume = false\n'
        )
        run("finetune", BUNDLED, f"--config={config}", "--out", self.folder / "a", "-t", 1)
        run(
            "finetune",
            BUNDLED,
            "--data",
            data,
            "--lr",
            "2e-3",
            "--steps",
            4,
            "--step-tokens",
            64,
            "--pass-tokens",
            64,
            "--targets",
            "q_proj",
            "v_proj",
            "--providers",
            "none",
            "--exact",
            "-t",
            1,
            "--out",
            self.folder / "b",
        )
        for file in ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "checkpoint.safetensors"):
            self.assertEqual((self.folder / "a" / file).read_bytes(), (self.folder / "b" / file).read_bytes(), file)

    def test_an_empty_text_does_not_swallow_the_option_behind_it(self):
        data, config = self.folder / "data.txt", self.folder / "c.toml"
        data.write_text("It is a truth universally acknowledged. " * 40)
        config.write_text("schedule = ''\nsteps = 1\n")
        self.says("schedule is ''", "finetune", BUNDLED, "--config", config, "--data", data, "--out", self.folder / "x")
        self.says(
            "schedule is ''", "finetune", "--data", data, "--config", config, "--out", self.folder / "x", "--", BUNDLED
        )
        config.write_text("data = ['[a,b]']\n")
        self.says("in brackets", "finetune", BUNDLED, "--config", config, "--out", self.folder / "x")

    def test_misspelt_words_name_the_nearest(self):
        self.says("'finetune'", "finetun", BUNDLED, code=2)
        self.says("'--stpes', did you mean '--steps'", "finetune", BUNDLED, "--stpes", 3, code=2)
        self.says("did you mean '--max-tokens'", "generate", CHAT, "--prompt", "a", "--max_tokens=3", code=2)
        for option, number in (
            ("--steps", 1 << 63),
            ("--steps", -(1 << 63) - 1),
            ("--seed", 1 << 64),
        ):  # not the nearest number instead
            self.says("64 bits", "finetune", BUNDLED, f"{option}={number}", code=2)
        self.says("given twice", "finetune", BUNDLED, "--config", "a", "--config", "b", code=2)
        if RECOMMENDS:
            self.says("'recommend'", "rec", "recomend", code=2)


@unittest.skipUnless(TRAINS, "built without training")
class Runs(InFolder):
    def setUp(self):
        super().setUp()
        self.data = self.folder / "data.txt"
        self.data.write_text(
            "".join(
                f"It is a truth universally acknowledged, that a single man of {n} pounds must be in want of a wife. "
                for n in range(400)
            )
        )
        self.out = self.folder / "out"

    def command(self, *more, out=None):
        return [
            str(a)
            for a in (
                "finetune",
                BUNDLED,
                "--data",
                self.data,
                "--out",
                out or self.out,
                "--step-tokens",
                64,
                "--pass-tokens",
                64,
                "--max-tokens",
                32,
                "--providers",
                "none",
                "-t",
                1,
                *more,
            )
        ]

    def test_a_result_of_another_in_the_folder_is_not_replaced(self):
        adapter = self.out / "adapter"
        adapter.mkdir(parents=True)
        for file in (adapter / "adapter_model.safetensors", self.out / "checkpoint.safetensors", self.out / "loss.svg"):
            file.write_text("mine")
            message = self.finetune("--steps", 1, code=1).stderr.decode()
            self.assertIn(f"{self.out} has {file.relative_to(self.out)}, and no log.jsonl of the run", message)
            self.assertEqual(file.read_text(), "mine")
            file.unlink()

    def finetune(self, *more, **options):
        return run(*self.command(*more), **options)

    def log(self, folder=None):
        return [json.loads(line) for line in ((folder or self.out) / "log.jsonl").read_text().splitlines()]

    def steps(self, folder=None):
        return [line["step"] for line in self.log(folder) if "loss" in line]

    def test_a_new_run_does_not_replace_an_old_one_unasked(self):
        self.finetune("--steps", 3)
        before = {p: p.read_bytes() for p in self.out.rglob("*") if p.is_file()}
        refused = self.finetune("--steps", 1, code=1).stderr.decode()
        for word in ("holds a run of before", "3 steps", "--resume", "--overwrite"):
            self.assertIn(word, refused)
        self.assertEqual(before, {p: p.read_bytes() for p in self.out.rglob("*") if p.is_file()})
        self.finetune("--steps", 1, "--overwrite")
        self.assertEqual(self.steps(), [1])
        self.finetune("--steps", 1, "--overwrite", "--resume", code=2)
        (self.out / "checkpoint.safetensors").unlink()
        self.assertIn(b"there is no checkpoint", self.finetune("--steps", 2, "--resume", code=1).stderr)

    def test_a_resumed_run_has_each_step_once_in_its_log(self):
        self.finetune("--steps", 4, "--save-every", 2)
        log = self.out / "log.jsonl"
        log.write_text(
            log.read_text() + '{"step":5,"loss":null}\n{"step":6,"loss":1.5}\n{"step":7,"lo'
        )  # a kill came after these
        said = self.finetune("--steps", 7, "--resume").stderr.decode()
        self.assertIn("goes on from step 4; 7 steps in all, before 4", said)
        self.assertEqual(self.steps(), [1, 2, 3, 4, 5, 6, 7])
        self.assertIn("nothing is left to do", self.finetune("--steps", 7, "--resume").stderr.decode())
        self.assertIn(
            "has taken 7 steps already, more than the 5",
            self.finetune("--steps", 5, "--resume", code=1).stderr.decode(),
        )
        self.assertEqual(self.steps(), [1, 2, 3, 4, 5, 6, 7])

    def test_a_resumed_run_says_in_words_what_differs(self):
        self.finetune("--steps", 2)
        before = (self.out / "log.jsonl").read_bytes()
        for options, words in (
            (("--lr", "1e-3"), "learning rate: 0.0003 there, 0.001 here"),
            (("--seed", 7), "seed: 0 there, 7 here"),
            (("--schedule", "linear"), "schedule: cosine there, linear here"),
            (("--alpha", 4), "scale of the adapter: 2 there, 0.5 here"),
            (("--exact",), "activations: rounded there, exact here"),
            (("--data", self.data), "data: another"),
        ):
            with self.subTest(options):
                said = self.finetune("--steps", 2, "--resume", *options, code=1).stderr.decode()
                self.assertIn(words, said)
                self.assertEqual(said.count(" there, "), 0 if "data" in words else 1, said)
        self.assertEqual((self.out / "log.jsonl").read_bytes(), before)

    def test_a_log_that_loses_lines_is_an_error_at_the_end(self):
        self.out.mkdir()
        os.mkfifo(self.out / "log.jsonl")

        def read_a_little():
            with open(self.out / "log.jsonl", "rb") as pipe:
                pipe.readline()

        reader = threading.Thread(target=read_a_little)
        reader.start()
        done = self.finetune("--steps", 6, code=1)
        reader.join(20)
        self.assertIn(b"lines are kept and tried again", done.stderr)
        self.assertRegex(done.stderr.decode(), r"log.jsonl: cannot write: .*lines are missing")
        self.assertTrue((self.out / "checkpoint.safetensors").exists())

    def stopped(self, number, *more):
        with subprocess.Popen(
            [BIN / "puna", *self.command("--steps", 5000, *more)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as child:
            log = self.out / "log.jsonl"
            while child.poll() is None and not (log.exists() and log.read_text().count("\n") >= 2):
                time.sleep(0.01)
            child.send_signal(number)
            return child.stderr.read().decode(), child.wait(60)

    def test_a_stopped_run_leaves_an_adapter_to_try_and_goes_on(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                shutil.rmtree(self.out, ignore_errors=True)
                said, code = self.stopped(number)
                self.assertEqual(code, 128 + number, said)
                self.assertIn(f"the adapter as it is now is in {self.out}/adapter; --resume goes on", said)
                run("generate", BUNDLED, "--adapter", self.out / "adapter", "--prompt", "It is", "--max-tokens", 2)
                done = int(re.search(r"stopped after step (\d+) of 5000", said).group(1))
                self.assertEqual(self.steps(), list(range(1, done + 1)))
                self.assertFalse([p for p in self.out.rglob("*") if ".puna-" in p.name])

    def test_ranges_are_said(self):
        for option, value, words in (
            ("--lr", "1e9", "below 1e6"),
            ("--lr", 0, "above 0"),
            ("--weight-decay", "1e7", "below 1e6"),
            ("--clip", "1e31", "below 1e30"),
            ("--lr-floor", 2, "expected 0 to 1"),
            ("--lr-floor", "nan", "expected 0 to 1"),
            ("--epochs", 2**62, "epochs"),
        ):
            with self.subTest(option=option, value=value):
                self.assertIn(
                    words,
                    self.finetune(
                        option, value, *(() if option == "--epochs" else ("--steps", 1)), code=1
                    ).stderr.decode(),
                )

    @unittest.skipUnless(RECOMMENDS, "built without recommenders")
    def test_recommenders_keep_the_same_rules(self):
        data = self.folder / "a.csv"
        data.write_text(
            "user_id,item_id,timestamp\n"
            + "".join(f"{u},item{(u + i) % 12},{100 * i}\n" for u in range(30) for i in range(8))
        )
        command = (
            "rec",
            "train",
            "--data",
            data,
            "--out",
            self.out,
            "--users",
            16,
            "--negatives",
            8,
            "--max-sequence",
            8,
            "-t",
            1,
            "--evaluate-every",
            1,
        )
        run(*command, "--epochs", 2)
        self.says(("holds a run of before", "4 steps"), *command, "--epochs", 2)
        log = self.out / "log.jsonl"
        log.write_text(log.read_text() + '{"step":5,"epoch":2.5,"loss":1}\n{"step":6')
        run(*command, "--epochs", 3, "--resume")
        self.assertEqual(self.steps(), [1, 2, 3, 4, 5, 6])
        self.says("dropout: 0.2 there, 0.1 here", *command, "--epochs", 3, "--resume", "--dropout", 0.1)


if __name__ == "__main__":
    unittest.main()
