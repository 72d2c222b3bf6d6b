"""The `puna` command and the numbered examples, run as users run them. Models are the golden folders; sizes and
tolerances come from them.

PUNA_BIN = the folder of the programs, PUNA_SOURCE_DIR = the source tree; PUNA_GOLDEN_DIR = another set of golden
folders.
"""

import array
import json
import math
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["PUNA_BIN"])
GOLDEN = pathlib.Path(
    os.environ.get("PUNA_GOLDEN_DIR") or os.path.join(os.environ["PUNA_SOURCE_DIR"], "tests/data/golden")
)
MODELS = pathlib.Path(
    os.environ.get("PUNA_MODELS")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "puna/models"
)


def folders_with(*files):
    found = [m.parent for m in sorted(GOLDEN.rglob("manifest.json")) if all((m.parent / f).exists() for f in files)]
    if not found:
        raise AssertionError(f"no golden folder under {GOLDEN} has {files}")
    return found


SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT = folders_with("config.json", "tokenizer.json", "model.safetensors")[0]
TEXT = folders_with(
    "config.json", "model.safetensors", "golden/logits.npy", "golden/input_ids.npy", "golden/greedy_tokens.npy"
)[0]


def run(*arguments, code=0, stdin=b""):
    done = subprocess.run([BIN / "puna", *map(str, arguments)], input=stdin, capture_output=True, timeout=240)
    if done.returncode != code:
        raise AssertionError(
            f"puna {arguments}: ended with {done.returncode}, expected {code}\n{done.stdout!r}\n{done.stderr.decode()}"
        )
    return done


def run_json(*arguments):
    return json.loads(run(*arguments).stdout)


def load_npy(path):
    """(shape, values) of a little-endian C-order .npy file of floats or 64-bit integers."""
    data = pathlib.Path(path).read_bytes()
    assert data[:6] == b"\x93NUMPY" and data[6] == 1, path
    (size,) = struct.unpack("<H", data[8:10])
    header = data[10 : 10 + size].decode()
    assert (10 + size) % 64 == 0 and header.endswith("\n"), "the data of a .npy file is aligned"
    shape = tuple(int(n) for n in re.search(r"\(([^)]*)\)", header).group(1).split(",") if n.strip())
    values = array.array({"<f4": "f", "<i8": "q"}[re.search(r"'descr': '([^']*)'", header).group(1)])
    values.frombytes(data[10 + size :])
    assert len(values) == math.prod(shape), path
    return shape, values


def needed(test, name):
    """A downloaded file; without it the test is skipped, or fails where PUNA_REQUIRE_MODELS=1."""
    if not (MODELS / name).exists():
        (test.fail if os.environ.get("PUNA_REQUIRE_MODELS") == "1" else test.skipTest)(f"{MODELS / name} is not there")
    return MODELS / name


def token_list(values):
    return ",".join(map(str, values))


class Text(unittest.TestCase):
    def test_tokens_and_back(self):
        text = "Hello, world! na\u00efve \U0001f999\n  two  spaces <|eot|>"
        ids = json.loads(run("tokenize", CHAT, text).stdout)
        self.assertTrue(all(isinstance(i, int) for i in ids))
        self.assertEqual(run("detokenize", CHAT, *ids).stdout, text.encode())
        self.assertEqual(run("detokenize", CHAT, token_list(ids)).stdout, text.encode())
        self.assertEqual(run_json("tokenize", CHAT, "--json", text), ids)

    def test_a_command_without_its_verb_prints_its_verbs(self):
        for words, verb in (((), "tokenize"), (("rec",), "recommend"), (("ads", "events"), "forget")):
            done = run(*words, code=2)
            self.assertEqual(done.stdout, b"")
            self.assertIn(verb.encode(), done.stderr)
            self.assertIn(b"--help", done.stderr)

    def test_an_option_that_no_command_has_is_told(self):
        self.assertIn(b"there is no option '--versoin', did you mean '--version'?", run("--versoin", code=2).stderr)
        self.assertIn(b"there is no option '-x'", run("-x", code=2).stderr)
        self.assertIn(b"there is no option '--hepl', did you mean '--help'?", run("rec", "--hepl", code=2).stderr)
        self.assertIn(
            b"a whole number of 0 or more", run("generate", CHAT, "--prompt", "a", "--seed", -1, code=2).stderr
        )

    def test_a_mistyped_option_is_told_with_the_help_of_its_verb(self):
        for words in (("chat", "m.gguf", "--promt", "x"), ("rec", "recommend", "--usr", "a")):
            said = run(*words, code=2).stderr.decode()
            self.assertRegex(said, rf"did you mean '--\w+'\? \(try: puna {words[0]} .*--help\)")

    def test_tools_that_a_template_does_not_know_are_told_of_by_a_system_message(self):
        model = needed(self, "SmolLM2-135M-Instruct.Q4_1.gguf")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump([{"name": "get_weather", "parameters": {"type": "object", "properties": {}}}], f)
            f.flush()
            plain, told = (
                run("chat", model, "--prompt", "Hi", "--max-tokens", "1", *more)
                for more in ((), ("--tools", f.name, "--system", "Be kind."))
            )
        self.assertIn(b"a system message tells of them", told.stderr)
        self.assertNotIn(b"system message", plain.stderr)

    def test_special_tokens_only_on_request(self):
        added = [t for t in json.loads((CHAT / "tokenizer.json").read_text())["added_tokens"] if t["special"]]
        for token in added[:3]:
            self.assertEqual(run_json("tokenize", CHAT, "--special", token["content"]), [token["id"]])
            self.assertGreater(len(run_json("tokenize", CHAT, token["content"])), 1)
            self.assertEqual(run("detokenize", CHAT, token["id"]).stdout, token["content"].encode())

    def test_files_standard_input_and_bare_tokenizers(self):
        text = b"line one\nline two\n\xff not UTF-8\n"
        with tempfile.NamedTemporaryFile() as f:
            f.write(text)
            f.flush()
            from_file = run("tokenize", CHAT, "--file", f.name).stdout
        self.assertEqual(from_file, run("tokenize", CHAT, stdin=text).stdout)
        self.assertEqual(from_file, run("tokenize", CHAT / "tokenizer.json", "--file", "-", stdin=text).stdout)
        self.assertEqual(run("detokenize", CHAT, from_file.decode()).stdout, text)

    def test_real_tokenizers(self):
        for path in [needed(self, n) for n in ("llama4-tokenizer.model", "llama3-tokenizer.model", SMOLLM2)]:
            ids = run_json("tokenize", path, "The puna is a high plateau.")
            self.assertLess(len(ids), 12)
            self.assertEqual(run("detokenize", path, token_list(ids)).stdout, b"The puna is a high plateau.")

    def test_render(self):
        messages = [{"role": "user", "content": "What is a puna?"}]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:

            def render(value):
                f.seek(0)
                f.truncate()
                json.dump(value, f)
                f.flush()
                return run("render", CHAT, "--messages", f.name).stdout.decode()

            bare = render(messages)
            self.assertIn("What is a puna?", bare)
            self.assertEqual(bare, render({"messages": messages, "add_generation_prompt": True}))
            closed = render({"messages": messages})
            self.assertTrue(bare.startswith(closed) and len(bare) > len(closed), (bare, closed))
            self.assertEqual(
                closed,
                render({"messages": messages, "kwargs": {"some_keyword": 1}, "tools": None, "date": "2026-01-31"}),
            )
            overridden = render({"messages": messages, "kwargs": {"bos_token": "<BOS>"}})
            self.assertIn("<BOS>", overridden)


class Chats(unittest.TestCase):
    """Templates of our own beside the golden model's weights."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = pathlib.Path(folder.name, "m")
        self.model.mkdir()
        for name in (
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "generation_config.json",
        ):
            if (CHAT / name).exists():
                shutil.copyfile(CHAT / name, self.model / name)

    def template(self, source, name="chat_template.jinja"):
        (self.model / name).parent.mkdir(exist_ok=True)
        (self.model / name).write_text(source)

    def render(self, chat, *flags, code=0):
        return run("render", self.model, "--messages", "-", *flags, stdin=json.dumps(chat).encode(), code=code)

    def test_render_prints_the_ids_that_a_session_is_given(self):
        special = next(
            t["content"] for t in json.loads((CHAT / "tokenizer.json").read_text())["added_tokens"] if t["special"]
        )
        self.template("{% for m in messages %}" + special + "{{ m.content }}{% endfor %}")
        ids = json.loads(self.render([{"role": "user", "content": "hello " + special}], "--ids").stdout)
        wanted = run_json("tokenize", self.model, "--special", special) + run_json(
            "tokenize", self.model, "hello " + special
        )
        self.assertEqual(ids, wanted)

    def test_a_template_is_named_listed_and_chosen_by_tools(self):
        self.template("D:{{ messages[0].content }}")
        self.template("T:{{ messages[0].content }}", "additional_chat_templates/tool_use.jinja")
        self.template("{% broken", "additional_chat_templates/rag.jinja")
        messages = [{"role": "user", "content": "hi"}]
        self.assertEqual(self.render(messages).stdout, b"D:hi")
        self.assertEqual(
            self.render({"messages": messages, "tools": [{"type": "function", "function": {"name": "hi"}}]}).stdout,
            b"T:hi",
        )
        self.assertEqual(self.render(messages, "--template", "tool_use").stdout, b"T:hi")
        self.assertIn(b"did you mean 'tool_use'?", self.render(messages, "--template", "tools_use", code=1).stderr)
        self.assertEqual(
            [t.split(" ")[0] for t in run_json("info", self.model, "--json")["chat_templates"]],
            ["default", "rag", "tool_use"],
        )

    def test_what_the_template_leaves_out_is_said(self):
        self.template("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}")
        done = self.render([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}])
        self.assertEqual(done.stdout, b"hello")
        self.assertIn(b"writes nothing of messages[0].content", done.stderr)
        spoken = run("chat", self.model, "--system", "Be brief.", "--max-tokens", 1, stdin=b"hello\nagain\n")
        self.assertEqual(spoken.stderr.count(b"writes nothing of messages[0].content"), 1)
        self.assertEqual(self.render([{"role": "user", "content": "hello"}]).stderr, b"")

    def test_today_is_the_date_unless_one_is_given(self):
        self.template("{{ strftime_now('%Y-%m-%d') }}")
        today = time.strftime("%Y-%m-%d").encode()
        self.assertIn(self.render([]).stdout, (today, time.strftime("%Y-%m-%d").encode()))
        self.assertEqual(self.render({"messages": [], "date": "2026-01-31"}).stdout, b"2026-01-31")
        self.assertEqual(
            self.render({"messages": [], "date": "2026-01-31"}, "--date", "2025-02-03").stdout, b"2025-02-03"
        )

    def test_integers_of_any_length_are_rendered_as_they_are(self):
        self.template("{{ kwargs_n }} {{ messages[0].tool_calls[0].function.arguments|tojson }}")
        n = 123456789012345678901234567890
        call = {"type": "function", "function": {"name": "f", "arguments": {"z": n, "a": -n}}}
        done = self.render(
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}], "kwargs": {"kwargs_n": 2**64}}
        )
        self.assertEqual(done.stdout.decode(), f'{2**64} {{"z": {n}, "a": {-n}}}')

    def test_a_key_that_is_no_part_of_a_chat_is_named(self):
        self.template("{{ messages[0].content }}")
        done = self.render({"messages": [], "add_generation_promt": True}, code=1)
        self.assertIn(
            b"'add_generation_promt' is no part of a chat, did you mean 'add_generation_prompt'?", done.stderr
        )
        self.assertIn(b"kwargs", self.render({"messages": [], "kwargs": 5}, code=1).stderr)

    def test_control_c_is_heard_while_a_long_message_is_rendered_and_tokenized(self):
        self.template("{{ messages[0].content }}")
        line = b"some words that take a while " * 600_000 + b"\n"
        started = time.monotonic()
        run("tokenize", self.model, "--file", "-", stdin=line)
        whole = time.monotonic() - started
        with subprocess.Popen(
            [BIN / "puna", "chat", self.model, "--max-tokens", "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as chat:
            chat.stdin.write(line + b"hello\n")
            chat.stdin.close()
            time.sleep(whole / 10)  # the line is read: now it is parsed, rendered or tokenized
            started = time.monotonic()
            chat.send_signal(signal.SIGINT)
            self.assertEqual(chat.wait(timeout=60), 0, chat.stderr.read())  # the next question is answered
            self.assertGreaterEqual(chat.stdout.read().count(b"\n"), 2)
        self.assertLess(time.monotonic() - started, whole / 2)


class Numbers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.ids = load_npy(TEXT / "golden/input_ids.npy")[1]

    def logits(self, *flags, tokens=None):
        out = pathlib.Path(self.folder.name) / "logits.npy"
        run("logits", TEXT, "--tokens", tokens or token_list(self.ids), "--out", out, *flags)
        self.assertEqual(
            [p.name for p in out.parent.iterdir() if p.suffix != ".txt"], ["logits.npy"], "no temporary file stays"
        )
        return out

    def test_exact_logits_are_the_references(self):
        shape, got = load_npy(self.logits("--exact"))
        want_shape, want = load_npy(TEXT / "golden/logits.npy")
        self.assertEqual(shape, want_shape[-2:])
        bound = json.loads((TEXT / "manifest.json").read_text())["arrays"]["logits"]["compare"]
        worst = max(abs(g - w) - bound["atol"] - bound["rtol"] * abs(w) for g, w in zip(got, want))
        self.assertLessEqual(worst, 0)

        shape, last = load_npy(self.logits("--exact", "--last"))
        self.assertEqual(shape, want_shape[-1:])
        self.assertEqual(last, got[-len(last) :])

    def test_bits_do_not_depend_on_threads_chunks_or_instruction_set(self):
        plain = self.logits().read_bytes()
        self.assertEqual(self.logits("--threads", 1, "--prefill-chunk", 5).read_bytes(), plain)
        self.assertEqual(self.logits("--threads", 3, "--isa", "scalar").read_bytes(), plain)
        path = pathlib.Path(self.folder.name) / "ids.txt"
        path.write_text(json.dumps(list(self.ids)))
        self.assertEqual(self.logits(tokens=f"@{path}").read_bytes(), plain)

    def test_greedy_tokens_are_the_references(self):
        wanted = list(load_npy(TEXT / "golden/greedy_tokens.npy")[1])
        out = run_json_generate_tokens(TEXT, self.ids, len(wanted), "--exact")
        self.assertEqual(out["tokens"], wanted)
        self.assertEqual(out["prompt_tokens"], len(self.ids))

    def test_interrupted_work_leaves_the_old_file(self):
        model = needed(self, SMOLLM2)
        out = pathlib.Path(self.folder.name) / "logits.npy"
        out.write_bytes(b"old")
        process = subprocess.Popen(
            [BIN / "puna", "logits", model, "--exact", "--tokens", token_list(range(2000)), "--out", out],
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 60
        while (
            len(list(out.parent.iterdir())) == 1 and time.monotonic() < deadline
        ):  # until it has begun to write beside the old file
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=60)[1].decode()
        self.assertEqual((process.returncode, message[:5]), (130, "puna:"), message)
        self.assertEqual([p.name for p in out.parent.iterdir()], ["logits.npy"])
        self.assertEqual(out.read_bytes(), b"old")


def run_json_generate_tokens(model, ids, count, *flags):
    return run_json(
        "generate", model, "--tokens", token_list(ids), "--max-tokens", count, "--ignore-eos", "--json", *flags
    )


class Generation(unittest.TestCase):
    def test_generate(self):
        common = ("generate", CHAT, "--prompt", "Hello", "--max-tokens", 8, "--ignore-eos")
        out = run_json(*common, "--json")
        self.assertEqual(len(out["tokens"]), 8)
        self.assertEqual(set(out["seconds"]), {"load", "prompt", "generate"})
        self.assertGreaterEqual(out["prompt_tokens"], 1)
        self.assertEqual(run(*common).stdout.decode(), out["text"])
        self.assertEqual(run_json(*common, "--json", "--threads", 1)["tokens"], out["tokens"])

        sampled = [
            run_json(
                *common, "--json", "--temperature", 1.5, "--top-k", 50, "--top-p", 0.95, "--min-p", 0.001, "--seed", s
            )["tokens"]
            for s in (1, 1, 2, 3)
        ]
        self.assertEqual(sampled[0], sampled[1])
        self.assertNotEqual(sampled[1:3], sampled[2:4])

    def test_drafts(self):
        common = ("generate", CHAT, "--prompt", "Hello, hello, hello", "--max-tokens", 24, "--ignore-eos")
        plain = run_json(*common, "--json")
        self.assertEqual(plain["drafts"], {"accepted": 0, "rejected": 0})
        for flags in (("--lookup", 8), ("--draft", CHAT, "--draft-tokens", 4), ("--lookup", 8, "--draft", CHAT)):
            out = run_json(*common, "--json", *flags)
            self.assertEqual(out["tokens"], plain["tokens"])
        bundled = pathlib.Path(os.environ["PUNA_SOURCE_DIR"]) / "examples" / "bundled" / "puna-austen.gguf"
        repeating = ("generate", bundled, "--prompt", "It was a truth, it was a truth, it was", "--max-tokens", 40)
        self.assertGreater(run_json(*repeating, "--json", "--lookup", 8)["drafts"]["accepted"], 10)
        drafted = run(*common, "--lookup", 8)
        self.assertEqual(drafted.stdout.decode(), plain["text"])
        self.assertRegex(drafted.stderr.decode(), r"puna: drafts: \d+ accepted, \d+ rejected")
        talk = ("chat", CHAT, "--max-tokens", 6)
        spoken = b"Hello\nAnd again?\n"
        self.assertEqual(
            run(*talk, "--lookup", 8, "--draft", CHAT, stdin=spoken).stdout, run(*talk, stdin=spoken).stdout
        )

    def test_chat(self):
        answer = run("chat", CHAT, "--prompt", "Hello", "--max-tokens", 8).stdout
        self.assertEqual(run("chat", CHAT, "--prompt", "Hello", "--max-tokens", 8).stdout, answer)
        turns = run("chat", CHAT, "--max-tokens", 4, "--system", "Be brief.", stdin=b"Hello\n\nAnd again?\n").stdout
        self.assertGreaterEqual(turns.count(b"\n"), 2)

    def test_chat_with_tools(self):
        with tempfile.TemporaryDirectory() as folder:
            tools = pathlib.Path(folder, "tools.json")
            tools.write_text('[{"name": "get_weather", "parameters": {"type": "object"}}]')
            run("chat", CHAT, "--tools", tools, "--prompt", "Hello", "--max-tokens", 4)
            said = run("chat", CHAT, "--tools", tools, "--max-tokens", 2, stdin=b"/result 21\nHello\n")
            self.assertIn(b"no call waits for a result", said.stderr)
            tools.write_text('[{"name": "get weather"}]')
            self.assertIn("/0/name", run("chat", CHAT, "--tools", tools, "--prompt", "Hello", code=1).stderr.decode())

    def test_info(self):
        config = json.loads((CHAT / "config.json").read_text())
        text = config.get("text_config", config)
        info = run_json("info", CHAT, "--json")
        self.assertEqual(
            (info["layers"], info["hidden"], info["vocabulary"]),
            (text["num_hidden_layers"], text["hidden_size"], text["vocab_size"]),
        )
        self.assertEqual(info["format"], "huggingface")
        self.assertGreater(info["parameters"], 0)
        self.assertEqual(info["file_bytes"] // 1_000_000, (CHAT / "model.safetensors").stat().st_size // 1_000_000)
        self.assertIn(b"architecture", run("info", CHAT).stdout)

    def test_bench(self):
        out = run_json("bench", CHAT, "-p", 32, "-n", 4, "-t", 2, "-r", 1, "--json")
        self.assertGreater(min(out["pp"], out["tg"], out["file_bytes"], out["peak_rss_bytes"], out["load_s"]), 0)
        self.assertEqual(out["threads"], 2)
        self.assertIn(out["isa"], ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon"))

    def test_perplexity(self):
        text = b"It is a truth universally acknowledged, that a single plateau in possession of a good altitude. " * 4
        with tempfile.NamedTemporaryFile() as f:
            f.write(text)
            f.flush()
            tokens = len(run_json("tokenize", CHAT, "--file", f.name))
            out = run_json("perplexity", CHAT, "--file", f.name, "--ctx", 50, "--exact", "--json")
            self.assertEqual(out["windows"], tokens // 50)
            self.assertEqual(out["scored_tokens"], tokens // 50 * 49)
            self.assertAlmostEqual(out["perplexity"], math.exp(out["mean_nll"]), places=3)
            self.assertEqual(
                run_json("perplexity", CHAT, "--file", f.name, "--ctx", 50, "--max-tokens", 120, "--json")["windows"], 2
            )
            self.assertIn(b"perplexity", run("perplexity", CHAT, "--file", f.name, "--ctx", 50).stdout)
            run("perplexity", CHAT, "--file", f.name, "--ctx", 100_000, code=1)


class Images(unittest.TestCase):
    def setUp(self):
        self.folder = folders_with("config.json", "model.safetensors", "golden/pixel_values_hf.npy")[0]
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        self.pictures = [self.folder / i["file"] for i in self.manifest["facts"]["images"]]
        self.pixels = self.folder / "golden/pixel_values_hf.npy"

    def same(self, name, got):
        bound = self.manifest["arrays"][name]["compare"]
        _, want = load_npy(self.folder / f"golden/{name}.npy")
        self.assertEqual(len(got), len(want))
        worst = max(abs(g - w) - bound["atol"] - bound["rtol"] * abs(w) for g, w in zip(got, want))
        self.assertLessEqual(worst, 0)

    def test_encode_image(self):
        with tempfile.TemporaryDirectory() as out:
            said = run_json("encode-image", self.folder, "--pixels", self.pixels, "--out", f"{out}/f.npy")
            shape, values = load_npy(f"{out}/f.npy")
            self.assertEqual(shape, (said["features"], said["hidden"]))
            self.same("projected_features", values)
            grids = []
            for picture in self.pictures:
                said = run_json("encode-image", self.folder, picture, "--pixels-out", f"{out}/p.npy")
                grids.append(said["grid"])
                self.assertEqual(load_npy(f"{out}/p.npy")[0][0], said["tiles"])
            self.assertEqual(grids, self.manifest["facts"]["aspect_ratios_hw"])

    def test_logits_with_pictures_and_with_pixels(self):
        ids = ",".join(map(str, load_npy(self.folder / "golden/input_ids.npy")[1]))
        pictures = [a for p in self.pictures for a in ("--image", p)]
        with tempfile.TemporaryDirectory() as out:
            run("logits", self.folder, "--tokens", ids, "--pixels", self.pixels, "--exact", "--out", f"{out}/a.npy")
            self.same("logits", load_npy(f"{out}/a.npy")[1])
            run(
                "logits",
                self.folder,
                "--tokens",
                ids,
                *pictures,
                "--exact",
                "--prefill-chunk",
                7,
                "--out",
                f"{out}/b.npy",
            )
            self.assertEqual(load_npy(f"{out}/b.npy")[0], load_npy(f"{out}/a.npy")[0])
            done = run(
                "logits", self.folder, "--tokens", ids, "--image", self.pictures[0], "--out", f"{out}/c.npy", code=1
            )
            self.assertIn(b"patches", done.stderr)

    def test_chat_with_pictures(self):
        run("chat", self.folder, "--image", self.pictures[0], "--prompt", "What is it?", "--max-tokens", 3)
        spoken = f"first\n/image {self.pictures[-1]}\nand this?\n/image /no/such/file\nbye\n".encode()
        done = run("chat", self.folder, "--max-tokens", 2, stdin=spoken)
        self.assertIn(b"/no/such/file", done.stderr)

    def test_verify_names_the_first_block_that_differs(self):
        self.assertIn(b"everything agrees", run("verify", self.folder).stdout)
        with tempfile.TemporaryDirectory() as out:
            copy = pathlib.Path(out, "reference")
            shutil.copytree(self.folder, copy, copy_function=shutil.copyfile)
            for path in copy.rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)
            layers = copy / "golden/vision_layers.npy"
            data = bytearray(layers.read_bytes())
            data[-2] ^= 0x40  # the last value of the last layer
            layers.write_bytes(data)
            done = run("verify", self.folder, "--reference", copy, code=1)
            last = self.manifest["arrays"]["vision_layers"]["shape"][0] - 1
            self.assertIn(f"the first block that differs: vision: layer {last}".encode(), done.stdout)

    def test_verify_refuses_a_manifest_that_is_wrong_in_one_place(self):
        # Missing fields were undefined behaviour, and token ids were read as they came.
        cases = [
            ("no arrays", "lists no arrays", lambda m: m.pop("arrays")),
            ("not an object", "arrays: expected an object", lambda m: m.update(arrays=[1])),
            ("no file", "arrays.logits.file: expected a string", lambda m: m["arrays"]["logits"].pop("file")),
            (
                "another folder",
                "arrays.logits.file: expected a path inside",
                lambda m: m["arrays"]["logits"].update(file="../logits.npy"),
            ),
            (
                "a root",
                "arrays.logits.file: expected a path inside",
                lambda m: m["arrays"]["logits"].update(file="/etc/passwd"),
            ),
            (
                "a tolerance",
                "compare.atol: expected a number",
                lambda m: m["arrays"]["ln_pre"].update(compare={"atol": "1"}),
            ),
            (
                "no pixels",
                "expected an array [tiles, 3, ",
                lambda m: m["arrays"]["pixel_values_hf"].update(file=m["arrays"]["ln_pre"]["file"]),
            ),
            (
                "too few logits",
                "'logits' has rows",
                lambda m: m["arrays"]["logits"].update(file=m["arrays"]["ln_pre"]["file"]),
            ),
            (
                "no integers",
                "expected a .npy file of int64",
                lambda m: m["arrays"]["input_ids"].update(file=m["arrays"]["logits"]["file"]),
            ),
            (
                "a large id",
                "special_token_ids.<|eot|>: expected a whole number",
                lambda m: m["facts"]["special_token_ids"].update({"<|eot|>": 1e300}),
            ),
        ]
        for what, words, change in cases:
            with self.subTest(what), tempfile.TemporaryDirectory() as out:
                manifest = json.loads((self.folder / "manifest.json").read_text())
                change(manifest)
                pathlib.Path(out, "manifest.json").write_text(json.dumps(manifest))
                pathlib.Path(out, "golden").symlink_to((self.folder / "golden").resolve())
                done = run("verify", self.folder, "--reference", out, code=1)
                self.assertTrue(done.stderr.startswith(b"puna: "), done.stderr)
                self.assertIn(words.encode(), done.stderr)

    def test_verify_refuses_token_ids_that_the_model_does_not_have(self):
        with tempfile.TemporaryDirectory() as out:
            copy = pathlib.Path(out, "reference")
            shutil.copytree(self.folder, copy, copy_function=shutil.copyfile)
            for path in copy.rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)
            ids = copy / "golden/input_ids.npy"
            data = bytearray(ids.read_bytes())
            data[-8:] = struct.pack("<q", 1 << 40)
            ids.write_bytes(data)
            done = run("verify", self.folder, "--reference", copy, code=1)
            self.assertIn(b"input_ids.npy: token id 1099511627776", done.stderr)


class Errors(unittest.TestCase):
    def says(self, words, *arguments, code=1):
        message = run(*arguments, code=code).stderr.decode()
        self.assertTrue(message.startswith("puna: "), message)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertIn(words, message)

    def test_failures_are_one_sentence_and_exit_1(self):
        self.says("/no/such/file", "info", "/no/such/file")
        self.says("README.md", "info", pathlib.Path(os.environ["PUNA_SOURCE_DIR"]) / "README.md")
        self.says("not supported", "info", CHAT, "--isa", "mmx")
        self.says("not a number", "logits", TEXT, "--tokens", "1,x", "--out", "/tmp/never.npy")
        self.says("token", "logits", TEXT, "--tokens", "1,999999999", "--out", "/tmp/never.npy")
        self.says("/no/such/folder", "logits", TEXT, "--tokens", "1", "--out", "/no/such/folder/x.npy")
        self.says("tokenizer", "generate", TEXT, "--prompt", "x")
        self.assertFalse(os.path.exists("/tmp/never.npy"))

    def test_wrong_usage_is_exit_2(self):
        for arguments in (
            ("frobnicate",),
            ("info",),
            ("info", CHAT, "--nonsense"),
            ("generate", CHAT),
            ("bench", CHAT, "-p", "many"),
            ("generate", CHAT, "--prompt", "a", "--tokens", "1"),
        ):
            with self.subTest(arguments):
                self.says("", *arguments, code=2)

    def test_help_and_version(self):
        self.assertIn(b"perplexity", run("--help").stdout)
        self.assertIn(b"--prefill-chunk", run("logits", "--help").stdout)
        self.assertRegex(run("--version").stdout, rb"\d+\.\d+\.\d+")


class Examples(unittest.TestCase):
    def example(self, name, *arguments):
        return subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, timeout=240)

    def test_hello(self):
        done = self.example("01_hello", CHAT, "Once upon a time")
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = run("generate", CHAT, "--prompt", "Once upon a time", "--max-tokens", 64).stdout
        self.assertEqual(done.stdout, expected)
        failed = self.example("01_hello", "/no/such/model")
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn(b"/no/such/model", failed.stderr)

    def test_chat(self):
        done = self.example("02_stream_chat", CHAT, 'Say "hi"\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, rb"\d+ tokens in")


class Recommenders(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = self.folder / "walks.csv"
        rows = [f"{u},item{(u + i) % 12:02},{100 * i}" for u in range(60) for i in range(8)]
        self.data.write_text("user_id,item_id,timestamp\n" + "\n".join(rows) + "\n")

    def train(self, *more, **options):
        return run(
            "rec",
            "train",
            "--data",
            self.data,
            "--out",
            self.folder / "run",
            "--users",
            16,
            "--negatives",
            8,
            "--max-sequence",
            8,
            "--lr",
            "3e-3",
            *more,
            **options,
        )

    def test_trained_evaluated_and_asked(self):
        path = self.train("--epochs", 60, "--evaluate-every", 30).stdout.decode().strip()
        log = [json.loads(line) for line in (self.folder / "run/log.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in log if "loss" in line], list(range(1, 241)))
        self.assertEqual([line["epoch"] for line in log if "hr@10" in line], [30, 60])
        scores = run_json("rec", "eval", path, "--data", self.data)
        self.assertEqual((scores["users"], scores["targets_seen_before"]), (60, 0))
        self.assertGreater(scores["hr@1"], 0.9)
        self.assertLess(run_json("rec", "eval", "--data", self.data, "--baseline", "popularity")["hr@1"], 0.5)
        best = run("rec", "recommend", path, "--data", self.data, "--user", 3, "-n", 2).stdout.decode().splitlines()
        self.assertEqual((len(best), best[0].split("\t")[0]), (2, "item11"))
        self.assertIn(b"no user '99'", run("rec", "recommend", path, "--data", self.data, "--user", 99, code=1).stderr)

    def test_a_resumed_run_ends_with_the_same_file(self):
        whole = pathlib.Path(self.train("--epochs", 12, "--evaluate-every", 3).stdout.decode().strip()).read_bytes()
        command = [
            BIN / "puna",
            "rec",
            "train",
            "--data",
            self.data,
            "--out",
            self.folder / "run",
            "--users",
            "16",
            "--negatives",
            "8",
            "--max-sequence",
            "8",
            "--lr",
            "3e-3",
            "--epochs",
            "12",
            "--evaluate-every",
            "3",
        ]
        shutil.rmtree(self.folder / "run")
        child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(1000):
            if (self.folder / "run/log.jsonl").exists() and "loss" in (self.folder / "run/log.jsonl").read_text():
                break
            time.sleep(0.005)
        child.send_signal(signal.SIGINT)
        error = child.communicate(timeout=60)[1]
        if child.returncode != 0:  # it may have been done before the signal came
            self.assertEqual(child.returncode, 130, error)
            self.assertIn(b"--resume", error)
            again = self.train("--epochs", 12, "--evaluate-every", 3, "--resume").stdout.decode().strip()
            self.assertEqual(pathlib.Path(again).read_bytes(), whole)

    def test_a_ranker_by_recipe(self):
        """Users like the items of their own kind; the kind is a column of another table."""
        rows = [f"{u}\t{i}\t{5 if u % 3 == i % 3 else 2}\t{u * 40 + i}" for u in range(60) for i in range(30)]
        (self.folder / "e.tsv").write_text(
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + "\n".join(rows) + "\n"
        )
        (self.folder / "i.tsv").write_text(
            "item_id\tkinds\n" + "\n".join(f"{i}\tk{i % 3} x{i % 2}" for i in range(30)) + "\n"
        )
        recipe = {
            "events": "e.tsv",
            "tables": [{"file": "i.tsv", "key": "item_id"}],
            "time": "timestamp",
            "features": [{"column": "user_id"}, {"column": "item_id"}, {"column": "kinds", "many": True}],
            "surfaces": {"column": "kinds", "groups": [{"name": "even", "any": ["x0"]}], "otherwise": "odd"},
            "tasks": [
                {"name": "like", "column": "rating", "at_least": 4},
                {"name": "watched", "column": "rating", "divide": 5, "kind": "fraction"},
            ],
            "model": {"dim": 4, "hidden": [8], "cross_layers": 1},
        }
        (self.folder / "recipe.json").write_text(json.dumps(recipe))
        command = [
            "rec",
            "rank",
            self.folder / "recipe.json",
            "--data",
            self.folder,
            "--out",
            self.folder / "run",
            "--batch",
            256,
            "--lr",
            "1e-2",
            "--table-lr",
            "0.1",
            "--table-decay",
            0,
        ]
        reports = run_json(*command, "--epochs", 8, "--apart")
        self.assertEqual(reports, json.loads((self.folder / "run/report.json").read_text()))
        self.assertGreater(reports[0]["unified"]["like"]["all"]["auc"], 0.95)
        self.assertEqual(sorted(reports[0]["apart"]["like"]), ["even", "odd"])
        for plot in ("calibration.svg", "surfaces.svg"):
            self.assertIn("</svg>", (self.folder / "run" / plot).read_text())
        self.assertTrue((self.folder / "run/ranker.safetensors").exists())
        linear = run_json(*command, "--overwrite", "--epochs", 3, "--interaction", "linear", "--split", "time")
        self.assertLess(linear[0]["unified"]["like"]["all"]["auc"], 0.7)
        recipe["features"][0]["column"] = "usher"
        (self.folder / "recipe.json").write_text(json.dumps(recipe))
        self.assertIn(b"no table has a column 'usher'", run(*command, code=1).stderr)

    def cold(self, *more, share=0.3, **options):
        return run(
            "rec",
            "cold",
            self.folder / "recipe.json",
            "--data",
            self.folder,
            "--cold",
            share,
            "--batch",
            256,
            "--lr",
            "1e-2",
            "--table-lr",
            "0.1",
            "--table-decay",
            0,
            "--epochs",
            8,
            *more,
            **options,
        )

    def test_items_that_nobody_took_are_placed_by_their_texts(self):
        """Users like the items of their own kind, and only an item's text says which kind that is."""
        kinds = ("river boats at dawn", "the queen of spades", "seven hungry robots")
        rows = [f"{u}\t{i}\t{5 if u % 3 == i % 3 else 2}" for u in range(60) for i in range(60)]
        (self.folder / "e.tsv").write_text("user_id\titem_id\trating\n" + "\n".join(rows) + "\n")
        (self.folder / "i.tsv").write_text(
            "item_id\ttitle\n" + "\n".join(f"{i}\t{i} {kinds[i % 3]}" for i in range(60)) + "\n"
        )
        recipe = {
            "events": "e.tsv",
            "tables": [{"file": "i.tsv", "key": "item_id"}],
            "content": {"feature": "item_id", "columns": ["title"]},
            "features": [{"column": "user_id"}, {"column": "item_id"}],
            "tasks": [{"name": "like", "column": "rating", "at_least": 4}],
            "model": {"dim": 4, "hidden": [8], "cross_layers": 1},
        }
        (self.folder / "recipe.json").write_text(json.dumps(recipe))
        for model in (["--model", CHAT], []):  # a language model of random weights tells words apart as well
            with self.subTest(model=model):
                done = self.cold(*model, "--seeds", 2)
                runs = json.loads(done.stdout)
                self.assertEqual([r["seed"] for r in runs], [42, 43])
                self.assertIn(b"by the content tower", done.stderr)
                for r in runs:
                    self.assertTrue(5 < r["cold_items"] < 35, r)
                    self.assertTrue(
                        r["cold_items"] * 3 < r["cold_events"] < r["cold_items"] * 9, r
                    )  # a tenth of their 60
                    self.assertGreater(r["tower"]["auc"], 0.9)
                    self.assertLess(r["tower"]["ne"], 0.8)
                    for unknown in ("mean", "zero"):
                        self.assertLess(r[unknown]["auc"], r["tower"]["auc"] - 0.2)
                    self.assertGreater(r["learned"]["auc"], 0.95)
                    self.assertGreater(r["known_items"]["auc"], 0.95)
        self.assertIn(b"nothing to judge", self.cold(share=0, code=1).stderr)
        recipe["content"]["feature"] = "kind"
        (self.folder / "recipe.json").write_text(json.dumps(recipe))
        self.assertIn(b"the content's feature 'kind'", self.cold(code=1).stderr)
        del recipe["content"]
        (self.folder / "recipe.json").write_text(json.dumps(recipe))
        self.assertIn(b"says nothing of content", self.cold(code=1).stderr)

    def test_one_ranker_is_no_worse_than_one_a_surface(self):
        """MovieLens-100K, few epochs (./dev movielens rank has the whole of it): on every surface, for every task; and
        it orders well."""
        data, recipe = (
            needed(self, "ml-100k.inter").parent,
            pathlib.Path(__file__).resolve().parents[2] / "examples/recommend/movielens_surfaces.json",
        )
        report = run_json(
            "rec", "rank", recipe, "--data", data, "--out", self.folder / "run", "--epochs", 5, "--apart"
        )[0]
        for task, surfaces in report["apart"].items():
            for surface, apart in surfaces.items():
                with self.subTest(task=task, surface=surface):
                    self.assertLess(report["unified"][task][surface]["ne"], apart["ne"])
        self.assertGreater(report["unified"]["like"]["all"]["auc"], 0.7828 - 0.002)
        self.assertLess(report["unified"]["like"]["all"]["ece"], 0.02)

    def test_what_is_wrong_is_said(self):
        self.assertIn(b"hstu, hstu-large or sasrec", self.train("--model", "lstm", code=1).stderr)
        self.assertIn(b"MODEL or --baseline", run("rec", "eval", "--data", self.data, code=2).stderr)
        self.data.write_text("user_id,item_id,timestamp\n1,2\n")
        self.assertIn(b"line 2", self.train(code=1).stderr)


if __name__ == "__main__":
    unittest.main()
