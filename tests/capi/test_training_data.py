"""Training data through the `puna` command, run as users run it: what is read, what is said, what is refused. A golden
model with templates made here.

PUNA_BIN = the folder of the programs, PUNA_SOURCE_DIR = the source tree; PUNA_GOLDEN_DIR = another set of golden
folders.
"""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ["PUNA_BIN"])
SOURCE = pathlib.Path(os.environ["PUNA_SOURCE_DIR"])
GOLDEN = pathlib.Path(os.environ.get("PUNA_GOLDEN_DIR") or SOURCE / "tests/data/golden")
MODEL = next(
    m.parent
    for m in sorted(GOLDEN.rglob("manifest.json"))
    if all((m.parent / f).exists() for f in ("config.json", "tokenizer.json", "model.safetensors"))
)
TEMPLATE = """{% if tools %}{{ tools|tojson }}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content or '' }}{% for c in m.tool_calls or [] %}{{
c.function.arguments|tojson }}{% endfor %}
{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"""
CHAT = {"messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": "gone"}]}
CALLS = {
    "messages": [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "function": {"name": "zoom", "arguments": {"zulu": "1", "alpha": "22"}}}
            ],
        },
    ]
}
TOOLS = [{"type": "function", "function": {"name": "f", "description": "does", "parameters": {}}}]


class TrainingData(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def model(self, template=TEMPLATE):
        copy = self.folder / "model"
        if not copy.exists():
            shutil.copytree(MODEL, copy, ignore=shutil.ignore_patterns("golden"))
        for old in copy.glob("chat_template.*"):
            old.unlink()
        (copy / "chat_template.jinja").write_text(template)
        return copy

    def file(self, name, content):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        return path

    def puna(self, verb, data, *more, model=None, code=0, stdin=None):
        """What a run of one step said, and its losses."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        done = subprocess.run(
            [
                BIN / "puna",
                verb,
                model or self.model(),
                "--data",
                data,
                "--out",
                out,
                "--steps",
                "1",
                "-t",
                "1",
                *map(str, more),
            ],
            capture_output=True,
            timeout=240,
            input=stdin,
        )
        said = done.stderr.decode()
        self.assertEqual(done.returncode, code, said)
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()] if code == 0 else []
        return said, log

    def loss(self, data, *more, **options):
        return self.puna("finetune", data, "--providers", "none", *more, **options)[1][0]["loss"]

    def test_gzip_pipes_and_names_change_nothing(self):
        rows = [CHAT, {"prompt": "Q: one?", "completion": " two"}]
        plain = self.file("t.jsonl", rows)
        want = self.loss(plain)
        text = plain.read_bytes()
        lines = text.splitlines(keepends=True)
        same = {
            "T.JSONL": text,
            "t.txt": text,
            "t.jsonl.gz": gzip.compress(text),
            "noname": gzip.compress(lines[0]) + gzip.compress(lines[1]),
            "t.json": json.dumps(rows, indent=1).encode(),
            "bom.jsonl": b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
        }
        for name, content in same.items():
            with self.subTest(name):
                self.assertEqual(self.loss(self.file(name, content)), want)
        self.assertEqual(self.loss("-", stdin=text), want)

    def test_broken_and_foreign_files_are_refused(self):
        packed = gzip.compress(b'{"text": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n' * 100)
        cases = {
            "cut.gz": (packed[:-20], "cut off"),
            "wrong.gz": (packed[:30] + b"\xff\xff" + packed[32:], "gz"),
            "t.parquet": (b"PAR1\x15\x04" + bytes(100) + b"PAR1", "Parquet"),
            "t.csv": (b"prompt,completion\na,b\n", "to_json"),
            "empty.jsonl": (b"", "empty"),
            "latin.txt": (b"caf\xe9", "UTF-8"),
            "none.json": (b"[]", "no sequences"),
        }
        for name, (content, words) in cases.items():
            with self.subTest(name):
                said, _ = self.puna("finetune", self.file(name, content), code=1)
                self.assertIn(name, said)
                self.assertIn(words, said)
        self.assertIn("is a folder", self.puna("finetune", self.folder, code=1)[0])

    def test_a_chat_is_learned_as_it_is_rendered(self):
        want = self.file(
            "written.jsonl",
            [{"messages": [CALLS["messages"][0], {"role": "assistant", "content": '{"zulu": "1", "alpha": "22"}'}]}],
        )
        self.assertEqual(self.loss(self.file("calls.jsonl", [CALLS])), self.loss(want))
        said, with_tools = self.puna("finetune", self.file("with.jsonl", [dict(CALLS, tools=TOOLS)]))
        self.assertNotEqual(with_tools[0]["loss"], self.loss(self.file("without.jsonl", [CALLS])))
        self.assertNotIn("not used", said)

    def test_the_date_is_today_or_what_is_said(self):
        model = self.model("{{ strftime_now('%Y-%m-%d') }} " + TEMPLATE)
        data = self.file("t.jsonl", [CHAT])
        said, _ = self.puna("finetune", data, model=model)
        self.assertIn("what day it is", said)
        one, other = (
            self.loss(data, "--date", "2001-02-03", model=model),
            self.loss(data, "--date", "2019-12-31", model=model),
        )
        self.assertNotEqual(one, other)
        self.assertEqual(self.loss(self.file("own.jsonl", [dict(CHAT, date="2001-02-03")]), model=model), one)

    def test_what_is_not_used_or_not_written_is_said(self):
        model = self.model("{% for m in messages %}{{ m.content }}\n{% endfor %}")
        said, _ = self.puna(
            "finetune",
            self.file("t.jsonl", [dict(CHAT, id=1, source="x"), dict(CHAT), dict(CALLS, tools=TOOLS)]),
            model=model,
        )
        self.assertIn("columns not used: id, source\n", said)
        self.assertRegex(said, r"does not write 'tool_calls' of messages \(\S*t.jsonl, line 3\)")
        self.assertRegex(said, r"no place for tools \(\S*t.jsonl, line 3\)")

    def test_what_is_read_stands_in_the_help_and_in_the_error(self):
        said, _ = self.puna("finetune", self.file("t.jsonl", [{"title": "x"}]), code=1)
        text = subprocess.run([BIN / "puna", "finetune", "--help"], capture_output=True, check=True).stdout.decode()
        for form in ('{"text"}', '"completion"', '"messages"', '"instruction"', '"conversations"'):
            self.assertIn(form, said)
            self.assertIn(form, " ".join(text.split()))

    def test_held_out_pairs_are_measured_as_pairs(self):
        pairs = self.file(
            "pairs.jsonl", [{"prompt": f"Price {i}?", "chosen": " Aye.", "rejected": " No."} for i in range(8)]
        )
        said, log = self.puna("dpo", pairs, "--held-out", pairs, "--lr", "1e-2")
        measures = [line for line in log if "held_out" in line]
        self.assertEqual([line["step"] for line in measures], [0, 1])
        self.assertAlmostEqual(measures[0]["held_out"], 0.6931472, 6)
        self.assertLess(measures[1]["held_out"], measures[0]["held_out"])
        self.assertGreater(measures[1]["held_out_margin"], 0)
        self.assertIn("held-out pairs: loss", said)
        chats = self.file("chats.jsonl", [CHAT])
        self.assertIn("no pair of answers", self.puna("dpo", pairs, "--held-out", chats, code=1)[0])
        self.assertIn("puna dpo", self.puna("finetune", chats, "--held-out", pairs, code=1)[0])


if __name__ == "__main__":
    unittest.main()
