"""The examples as their users run them: with the model in this repository, and with SmolLM2 when it is in the cache."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

BIN, ROOT, LIB = (pathlib.Path(os.environ[name]) for name in ("PUNA_BIN", "PUNA_SOURCE_DIR", "PUNA_LIB_DIR"))
CACHE = pathlib.Path(
    os.environ.get("PUNA_MODELS")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "puna" / "models"
)
SMOLLM2 = CACHE / "SmolLM2-135M-Instruct.Q4_1.gguf"
BUNDLED = ROOT / "examples/bundled/puna-austen.gguf"


def run(*command, **options):
    return subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=240,
        stdin=subprocess.DEVNULL,
        **options,
    )


def symbols(library):
    lines = run(os.environ["PUNA_NM"], "-D", "--defined-only", library).stdout.splitlines()
    return {line.split()[-1] for line in lines}


class Examples(unittest.TestCase):
    def each_model(self, check):
        if os.environ.get("PUNA_REQUIRE_MODELS") == "1" and not SMOLLM2.exists():
            self.fail(f"{SMOLLM2} is missing: ./dev test fetches it")
        for model in [BUNDLED] + [SMOLLM2] * SMOLLM2.exists():
            with self.subTest(model.name):
                check(model)

    def good(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_03_a_game_keeps_its_frames_while_somebody_talks(self):
        def check(model):
            out = self.good(run(BIN / "03_game_loop", model, "The innkeeper whispered:", 3000))
            self.assertIn("The innkeeper whispered:", out)
            self.assertRegex(out, r"\d+ tokens in \d+ frames")
            self.assertIn("longest", out)

        self.each_model(check)

    def test_04_a_plugin_brings_its_own_library_and_shows_one_symbol(self):
        plugin = os.environ["PUNA_PLUGIN"]
        self.assertEqual(symbols(plugin) - {"_init", "_fini"}, {"plugin_entry_1"})

        def check(model):
            out = self.good(run(BIN / "04_host", plugin, model, "Once upon a time"))
            lines = [line for line in out.splitlines() if line.startswith("puna completion: Once upon a time[")]
            self.assertEqual(len(lines), 2)
            self.assertEqual(lines[0], lines[1])

        self.each_model(check)
        broken = run(BIN / "04_host", plugin, "/no/such/model")
        self.assertEqual(broken.returncode, 1)
        self.assertIn("/no/such/model", broken.stderr)

    def test_09_a_picture_is_asked_about(self):
        program, model = BIN / "09_image", ROOT / "tests/data/golden/multimodal"
        if not program.exists():
            self.skipTest("the picture libraries are not there")
        out = self.good(run(program, model, ROOT / "tests/data/pictures/orientation6.jpg", "What is it?", 3))
        self.assertIn("JPEG, 17 x 23 pixels: 1 x 1 tiles, 7 tokens", out)
        out = self.good(run(program, model, model / "image_wide.png", "And this?", 3))
        self.assertIn("PNG, 190 x 60 pixels: 4 x 2 tiles, 47 tokens", out)
        refused = run(program, model, __file__)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("PNG, JPEG, WebP, BMP", refused.stderr)

    def test_12_a_listener_is_shown_the_next_song(self):
        out = self.good(run(BIN / "11_recommend"))
        self.assertRegex(out, r"after song 4:  5 \(")

    def test_20_an_advertisers_day_survives_a_power_failure(self):
        for seed in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                journal = pathlib.Path(folder, "journal")
                out = self.good(run(BIN / "20_ads_serve", journal, str(seed)))
                lines = [line.split() for line in journal.read_text().splitlines()]
            self.assertRegex(out, r"at 12:00 the journal has [\d.]+ spent and 1 bids open")
            spent, budget = map(float, re.search(r"([\d.]+) of ([\d.]+) spent", out).groups())
            self.assertTrue(0.97 * budget < spent <= budget, out)
            self.assertAlmostEqual(spent, sum(int(amount) for kind, _, amount in lines if kind == "s") / 1e6, places=2)
            reserved = [number for kind, number, _ in lines if kind == "r"]
            self.assertEqual(len(reserved), len(set(reserved)), "a reservation's number came twice")
            clicks = float(re.search(r"clicks an impression: ([\d.]+)", out)[1])
            alike, error = map(float, re.search(r"by snips: ([\d.]+) \+- ([\d.]+)", out).groups())
            self.assertLess(alike - 2 * error, clicks)

    def test_05_a_window_answers(self):
        program = BIN / "05_desktop"
        if not program.exists() or not shutil.which("xvfb-run"):
            self.skipTest("no GTK 4 (libgtk-4-dev) or no Xvfb (xvfb, xauth)")
        environment = dict(
            os.environ, GSK_RENDERER="cairo", GDK_BACKEND="x11", NO_AT_BRIDGE="1", GSETTINGS_BACKEND="memory"
        )

        def check(model):
            with tempfile.TemporaryDirectory() as folder:
                picture = pathlib.Path(folder, "window.png")
                self.good(
                    run(
                        "xvfb-run",
                        "-a",
                        program,
                        model,
                        "--ask",
                        "What is a puna?",
                        "--screenshot",
                        picture,
                        env=environment,
                    )
                )
                width, height, dark = self.dark_pixels(picture.read_bytes())
                if os.environ.get("PUNA_KEEP_SCREENSHOT"):
                    shutil.copy(picture, os.environ["PUNA_KEEP_SCREENSHOT"])
            self.assertGreaterEqual((width, height), (500, 300))
            self.assertGreater(dark, 500)  # several lines of text

        self.each_model(check)
        broken = run("xvfb-run", "-a", program, "/no/such/model", "--ask", "x", env=environment)
        self.assertEqual(broken.returncode, 1)
        self.assertIn("/no/such/model", broken.stderr)

    def dark_pixels(self, png):
        """Width, height, and how many pixels are nearly black: of an 8-bit RGB or RGBA PNG without interlacing."""
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        at, data = 8, b""
        while at < len(png):
            size, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
            if kind == b"IHDR":
                header = png[at + 8 : at + 8 + size]
            if kind == b"IDAT":
                data += png[at + 8 : at + 8 + size]
            at += 12 + size
        width, height, depth, colour = (
            int.from_bytes(header[:4], "big"),
            int.from_bytes(header[4:8], "big"),
            header[8],
            header[9],
        )
        self.assertIn((depth, colour), {(8, 2), (8, 6)})
        step = 3 if colour == 2 else 4
        raw, stride, above, dark = zlib.decompress(data), width * step + 1, bytearray(width * step), 0
        for y in range(height):
            kind, line = raw[y * stride], bytearray(raw[y * stride + 1 : (y + 1) * stride])
            for x in range(len(line)):
                a, b, c = line[x - step] if x >= step else 0, above[x], above[x - step] if x >= step else 0
                p = a + b - c
                paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
            dark += sum(max(line[x : x + 3]) < 90 for x in range(0, len(line), step) if step == 3 or line[x + 3] == 255)
            above = line
        return width, height, dark

    def python(self):
        for python in (ROOT / "build/python/bin/python", pathlib.Path(sys.executable)):
            if python.exists() and run(python, "-c", "import cffi, numpy").returncode == 0:
                break
        else:
            self.skipTest("no Python with cffi and numpy: ./dev python makes one")
        return python, dict(
            os.environ,
            PYTHONPATH=str(ROOT / "bindings/python"),
            PUNA_LIBRARY=str(LIB / "libpuna.so.0"),
            PYTHONDONTWRITEBYTECODE="1",
        )

    def test_06_python(self):
        python, environment = self.python()

        def check(model):
            out = self.good(run(python, ROOT / "examples/06_python.py", model, env=environment))
            self.assertIn("seed 2:", out)
            self.assertIn("same bits: True", out)

        self.each_model(check)

    def test_07_rust(self):
        if not shutil.which("cargo"):
            self.skipTest("no cargo")
        environment = dict(os.environ, PUNA_LIB_DIR=str(LIB), CARGO_TARGET_DIR=str(ROOT / "build/rust"))

        def check(model):
            done = run(
                "cargo",
                "run",
                "--offline",
                "--locked",
                "--quiet",
                "--",
                model,
                "Once upon a time",
                cwd=ROOT / "examples/07_rust",
                env=environment,
            )
            out = self.good(done)
            self.assertTrue(out.startswith("Once upon a time") and len(out) > 60, out)
            self.assertIn("tokens a second", done.stderr)

        self.each_model(check)

    def test_08_a_model_inside_a_pak(self):
        def check(model):
            with tempfile.TemporaryDirectory() as folder:
                out = self.good(run(BIN / "08_pak_file", model, pathlib.Path(folder, "game.pak")))
            self.assertIn("24 tokens from bytes 34", out)

        self.each_model(check)
        plain = run(BIN / "08_pak_file", __file__, os.devnull)
        self.assertEqual(plain.returncode, 1)
        self.assertIn("game.pak/model", plain.stderr)

    def test_17_three_characters_talk_at_once(self):
        def check(model):
            with tempfile.TemporaryDirectory() as folder:
                kept = pathlib.Path(folder, "kept.bin")
                first = self.good(run(BIN / "17_three_characters", model, kept, 8))
                again = self.good(run(BIN / "17_three_characters", model, kept, 8))
            self.assertIn("24 tokens in", first)
            lines = [text.splitlines() for text in (first, again)]
            self.assertEqual(lines[0][:-1], lines[1][:-1])  # what is said is the same
            read = [int(text.split(" prompt tokens read")[0].split()[-1]) for text in (first, again)]
            self.assertEqual(read[1], 3)  # of each prompt the last token alone

        self.each_model(check)

    def test_23_texts_of_advertisements_from_a_brief(self):
        python, environment = self.python()
        example = ROOT / "examples/23_ads_plan.py"
        out = self.good(run(python, example, BUNDLED, ROOT / "examples/ads/bakery.json", "meta.reels", env=environment))
        self.assertIn("meta.reels/1", out)
        self.assertIn("1066", out.rsplit("error", 1)[0])

    def test_18_a_batch_goes_on_where_it_was(self):
        python, environment = self.python()
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder, "in.jsonl"), pathlib.Path(folder, "out.jsonl")
            source.write_text("".join(json.dumps({"prompt": f"Number {i} is"}) + "\n" for i in range(40)))
            command = (python, ROOT / "examples/18_batch_python.py", BUNDLED, source, target, 5)
            self.assertEqual(run(*command, env=environment).returncode, 0)
            whole = sorted(target.read_text().splitlines())
            self.assertEqual(len(whole), 40)
            target.write_text("\n".join(whole[:7]) + "\n" + whole[7][:9])  # as a stopped run leaves it
            self.assertEqual(run(*command, env=environment).returncode, 0)
            self.assertEqual(sorted(target.read_text().splitlines()), whole)
            beside = pathlib.Path(folder, "shell.jsonl")
            for cut in (None, 3):
                if cut:
                    beside.write_text("\n".join(beside.read_text().splitlines()[:cut]) + '\n{"line": 3, "te')
                self.good(run(BIN / "puna", "batch", BUNDLED, "--in", source, "--out", beside, "--max-tokens", 5))
                answers = [json.loads(line) for line in beside.read_text().splitlines()]
                self.assertEqual([a["line"] for a in answers], list(range(40)))
                texts = {a["line"]: a["text"] for a in answers}
                self.assertEqual(texts, {json.loads(w)["line"]: json.loads(w)["text"] for w in whole})

    def test_21_true_labels_are_found(self):
        said = self.good(run(BIN / "21_labels", ROOT / "tests/data/eval/example/crowd.csv"))
        lines = said.splitlines()
        self.assertEqual(lines[0], "right: 0.9333 by Dawid and Skene, 0.8500 by majority")
        self.assertEqual(len([line for line in lines if "most say" in line]), 3)  # as docs/evaluation.md says
        self.assertEqual(len([line for line in lines if "is right in" in line]), 5)

    def test_15_an_answer_is_json(self):
        def check(model):
            for prompt in ("Describe a small town.", "I"):
                town = json.loads(self.good(run(BIN / "15_json", model, prompt)))
                self.assertEqual(set(town), {"name", "inhabitants", "sights"})
                self.assertTrue(
                    0 < town["inhabitants"] < 10000 and set(town["sights"]) <= {"church", "castle", "mill"}, town
                )

        self.each_model(check)

    def test_22_a_model_is_scored(self):
        def check(model):
            scores = json.loads(self.good(run(BIN / "22_evaluate", model)))
            self.assertEqual((scores["items"], scores["requests"]), (4, 8))
            acc = next(m for m in scores["metrics"] if m["metric"] == "acc")
            self.assertIn(acc["value"], (0, 0.25, 0.5, 0.75, 1))

        self.each_model(check)

    def test_16_an_answer_is_a_value_of_python(self):
        python, environment = self.python()

        def check(model):
            out = self.good(run(python, ROOT / "examples/16_json_python.py", model, env=environment))
            self.assertRegex(out, r"Guest\(title='M")
            self.assertRegex(out, r"Dinner\(guests=|pydantic is not installed")
            self.assertRegex(out, r"Tuesday: (fine|wet|very wet)\n")
            self.assertRegex(out, r"date:  [1-9] (May|June) 18[01][0-9]\n")

        self.each_model(check)


class Warnings(unittest.TestCase):
    """What opens although something about it is not so: every command says it on standard error, a line each."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = pathlib.Path(folder.name, "m")
        shutil.copytree(ROOT / "tests/data/golden/multimodal", self.model)
        (self.model / "generation_config.json").write_text('{"eos_token_id": [257, 987654321]}')
        self.sentence = "generation_config.json: eos_token_id[1] is 987654321"

    def warnings(self, *command):
        done = run(BIN / "puna", *command)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, [line for line in done.stderr.splitlines() if line.startswith("puna: warning: ")]

    def test_a_special_token_out_of_range_is_said_by_every_command(self):
        chat = self.model / "chat.json"
        chat.write_text('[{"role": "user", "content": "a"}]')
        for command in (
            ("info", self.model),
            ("tokenize", self.model, "a"),
            ("detokenize", self.model, 5),
            ("logits", self.model, "--tokens", 5, "--out", self.model / "l.npy"),
            ("generate", self.model, "--prompt", "a", "--max-tokens", 1),
            ("render", self.model, "--messages", chat),
        ):
            with self.subTest(command[0]):
                _, warnings = self.warnings(*command)
                self.assertEqual(len(warnings), 1)
                self.assertIn(self.sentence, warnings[0])
                self.assertEqual(self.warnings(command[0], ROOT / "tests/data/golden/multimodal", *command[2:])[1], [])

    def test_info_shows_the_notes_of_the_tokenizer(self):
        self.assertIn("tokenizer notes\n  " + self.sentence, self.warnings("info", self.model)[0])
        self.assertIn(self.sentence, json.loads(self.warnings("info", self.model, "--json")[0])["tokenizer_notes"][0])
        self.assertNotIn("tokenizer notes", self.warnings("info", ROOT / "tests/data/golden/multimodal")[0])


class Commands(unittest.TestCase):
    def setUp(self):
        if run(BIN / "puna", "train", "--help").returncode != 0:
            self.skipTest("built without training")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        texts = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs/decisions").glob("*.md"))]
        (self.folder / "text.txt").write_text("".join(texts)[:40000], encoding="utf-8")

    def train(self, out, *more):
        return [
            str(a)
            for a in (
                BIN / "puna",
                "train",
                BUNDLED,
                "--data",
                self.folder / "text.txt",
                "--out",
                self.folder / out,
                "--steps",
                12,
                "--step-tokens",
                256,
                "--pass-tokens",
                128,
                "--max-tokens",
                64,
                "--threads",
                1,
                *more,
            )
        ]

    def good(self, command):
        done = run(*command)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def losses(self, out):
        return [json.loads(line)["loss"] for line in (self.folder / out / "log.jsonl").read_text().splitlines()]

    def close(self, a, b, relative):
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b):
            self.assertLessEqual(abs(x - y), relative * y)

    def test_an_interrupted_training_goes_on_to_the_same_bytes(self):
        own = ("--providers", "none")
        self.good(self.train("whole", *own))
        log = self.folder / "parts/log.jsonl"
        with subprocess.Popen(
            self.train("parts", *own), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= 3):
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
        self.assertNotEqual(process.returncode, 0)
        self.assertFalse((self.folder / "parts/model.gguf").exists())
        self.good(self.train("parts", *own, "--resume"))
        self.assertEqual(
            (self.folder / "parts/model.gguf").read_bytes(), (self.folder / "whole/model.gguf").read_bytes()
        )

    def test_a_provider_learns_the_same(self):
        self.good(self.train("own", "--providers", "none"))
        own = self.losses("own")
        self.good(self.train("default"))  # where there is no provider, the same once more
        self.close(self.losses("default"), own, 1e-3)
        config = self.folder / "config.toml"
        config.write_text("providers = false\n")
        self.good(self.train("config", "--config", config))
        self.assertEqual(self.losses("config"), own)
        refused = run(*self.train("refused", "--providers", "cuda"))
        self.assertEqual(refused.returncode, 1)
        self.assertIn("expected none, f32 or bf16", refused.stderr)
        rounded = run(*self.train("rounded", "--providers", "bf16"))
        if rounded.returncode != 0:
            return self.assertIn("libpuna_providers is not here", rounded.stderr)
        self.close(self.losses("rounded"), own, 2e-2)

    def test_two_processes_learn_what_one_does(self):
        if not (LIB / "libpuna_mpi.so").exists() or not shutil.which("mpirun"):
            self.skipTest("no MPI: libopenmpi-dev and openmpi-bin")
        mpi = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2"]
        self.good(self.train("one", "--providers", "none"))
        self.good(mpi + self.train("two", "--providers", "none", "--save-every", 6))
        self.close(self.losses("two"), self.losses("one"), 1e-4)
        self.assertTrue(
            (self.folder / "two/model.gguf").exists() and (self.folder / "two/checkpoint.safetensors").exists()
        )
        self.assertNotEqual(
            run(*mpi, *self.train("none", "--data", self.folder / "missing")).returncode, 0
        )  # and does not hang


if __name__ == "__main__":
    unittest.main()
