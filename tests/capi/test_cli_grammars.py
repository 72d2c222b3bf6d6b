"""Grammars of the `puna` command: answers by them, and `puna grammar`. PUNA_BIN = the folder of the programs,
PUNA_SOURCE_DIR = the source tree."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BIN, ROOT = pathlib.Path(os.environ["PUNA_BIN"]), pathlib.Path(os.environ["PUNA_SOURCE_DIR"])
MODEL = ROOT / "examples/bundled/puna-austen.gguf"
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 1, "maximum": 99}, "ok": {"type": "boolean"}},
    "required": ["age", "ok"],
    "additionalProperties": False,
}


def run(*arguments, code=0, stdin=b""):
    done = subprocess.run([BIN / "puna", *map(str, arguments)], input=stdin, capture_output=True, timeout=240)
    if done.returncode != code:
        raise AssertionError(
            f"puna {arguments}: ended with {done.returncode}, expected {code}\n{done.stdout!r}\n{done.stderr.decode()}"
        )
    return done


class Grammars(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def generate(self, *flags, verb="generate", most=200, **options):
        return run(
            verb,
            MODEL,
            "--prompt",
            "It is a truth",
            "--max-tokens",
            most,
            "--temperature",
            0.9,
            "--seed",
            3,
            *flags,
            **options,
        )

    def test_answers_are_what_was_asked_for(self):
        schema = self.file("s.json", json.dumps(SCHEMA))
        for verb in ("generate", "chat"):
            with self.subTest(verb):
                for done in (
                    self.generate("--json-schema", schema, verb=verb),
                    self.generate("--json-schema", "-", stdin=schema.read_bytes(), verb=verb),
                ):
                    self.assertEqual(set(json.loads(done.stdout)), {"age", "ok"})
                    self.assertEqual(done.stderr, b"")
                self.assertRegex(self.generate("--regex", "[a-c]{4}", verb=verb).stdout.decode().strip(), r"^[a-c]{4}$")
                self.assertIn(
                    self.generate("--choices", "Mr. Darcy,Jane", verb=verb).stdout.strip(), (b"Mr. Darcy", b"Jane")
                )
                gbnf, ebnf = self.file("g.gbnf", 'root ::= "so" "!"{2}\n'), self.file("g.ebnf", 'a = "so", { "?" } ;')
                self.assertEqual(self.generate("--grammar", gbnf, verb=verb).stdout.strip(), b"so!!")
                self.assertRegex(
                    self.generate("--grammar", ebnf, most=9, verb=verb).stdout.decode().strip(), r"^so\?*$"
                )
        out = json.loads(self.generate("--json-schema", schema, "--json").stdout)
        self.assertEqual((out["incomplete"], set(json.loads(out["text"]))), (False, {"age", "ok"}))

    def test_a_batch_holds_each_line_to_its_own_grammar(self):
        lines = [
            {"prompt": "It is", "json_schema": SCHEMA, "id": "a", "max_tokens": 60},
            {"prompt": "It is", "regex": "[a-c]{4}", "id": {"b": [1]}},
            {"prompt": "It is", "regex": "[a-c]{4}", "json_schema": SCHEMA, "id": 3},
            {"prompt": "It is", "json_shema": SCHEMA, "id": 4},
            {"prompt": "It is", "tools": [], "id": 5},
            {"prompt": "It is", "max_tokens": 3},
            "It is",
        ]
        out = self.folder / "out.jsonl"
        given = self.file("in.jsonl", "".join(json.dumps(line) + "\n" for line in lines) + '{"prompt": \n')
        run("batch", MODEL, "--in", given, "--out", out, "--temperature", 0.9, "--seed", 3)
        answers = [json.loads(line) for line in out.read_text().splitlines()]
        self.assertEqual([a["line"] for a in answers], list(range(8)))
        self.assertEqual([a.get("id") for a in answers], ["a", {"b": [1]}, 3, 4, 5, None, None, None])
        self.assertEqual(set(json.loads(answers[0]["text"])), {"age", "ok"})
        self.assertRegex(answers[1]["text"], r"^[a-c]{4}$")
        self.assertEqual((answers[5]["generated_tokens"], "id" in answers[5]), (3, False))
        for number, sentence in (
            (2, "an answer is held to one of the two"),
            (3, "\"json_shema\" is not known here, did you mean 'json_schema'?"),
            (4, '"tools" without "messages"'),
            (6, "expected an object"),
            (7, "line: "),
        ):
            self.assertIn(sentence, answers[number]["error"])
            self.assertNotIn("text", answers[number])

    def test_a_file_that_a_batch_did_not_write_is_not_cut(self):
        given = self.file("in.jsonl", json.dumps({"prompt": "It is", "max_tokens": 1}) + "\n")
        out = self.file("mine.txt", "a note without an end of its line")
        message = run("batch", MODEL, "--in", given, "--out", out, code=1).stderr.decode()
        self.assertIn("line 1 is not an answer of this batch", message)
        self.assertEqual(pathlib.Path(out).read_text(), "a note without an end of its line")
        pathlib.Path(out).write_text('{"line":0,"te')  # what a kill leaves of ours
        run("batch", MODEL, "--in", given, "--out", out)
        self.assertEqual(len(pathlib.Path(out).read_text().splitlines()), 1)

    def test_a_conversation_is_constrained_in_every_turn(self):
        done = run("chat", MODEL, "--choices", "yes,no", stdin=b"Is it?\nAnd now?\n")
        self.assertTrue(set(done.stdout.split()) <= {b"yes", b"no"} and len(done.stdout.split()) == 2, done.stdout)

    def test_an_answer_that_is_cut_says_so(self):
        schema = self.file("s.json", json.dumps(SCHEMA))
        for verb in ("generate", "chat"):
            done = self.generate("--json-schema", schema, most=2, verb=verb, code=1)
            self.assertIn(b"the answer is incomplete: --max-tokens cut it", done.stderr)
        closed = self.generate("--json-schema", schema, "--close-answer", most=2, code=1)
        self.assertIn(b"so few tokens do not hold the shortest answer", closed.stderr)
        # Nothing asks that it be whole: a warning where somebody was promised an answer.
        self.assertIn(b"--max-tokens cut it", self.generate(most=2, verb="chat").stderr)
        self.assertNotIn(b"--max-tokens", self.generate(most=2).stderr)
        self.assertIn(b"the context is full (--ctx)", self.generate("--ctx", 40, most=0, verb="chat").stderr)
        self.assertTrue(json.loads(self.generate("--json-schema", schema, "--json", most=2).stdout)["incomplete"])

    def test_an_answer_is_closed_in_time(self):
        schema = self.file("s.json", json.dumps(SCHEMA))
        for verb in ("generate", "chat"):
            for most in (20, 24):
                done = self.generate("--json-schema", schema, "--close-answer", most=most, verb=verb)
                self.assertEqual((set(json.loads(done.stdout)), done.stderr), ({"age", "ok"}, b""))

    def test_answers_are_held_to_tools(self):
        tools = self.file("t.json", json.dumps([{"name": "forecast", "parameters": SCHEMA}, {"name": "now"}]))
        done = self.generate("--tools", tools, "--tool-choice", "now", "--close-answer", verb="chat", most=60)
        self.assertRegex(done.stdout.decode(), r"^(now \{\s*\}\n)+$")
        done = self.generate("--tools", tools, "--tool-choice", "forecast", "--close-answer", verb="chat", most=60)
        calls = re.split(r"^forecast ", done.stdout.decode(), flags=re.M)[1:]
        self.assertTrue(calls and all(set(json.loads(c)) == {"age", "ok"} for c in calls), done.stdout)
        self.assertNotIn(b"now {}", self.generate("--tools", tools, "--tool-choice", "none", verb="chat").stdout)
        done = self.generate("--tools", tools, "--tool-choice", "later", verb="chat", code=1)
        self.assertIn(b"no tool 'later'", done.stderr)
        for flags in (("--tool-choice", "auto"), ("--tools", tools, "--tool-choice", "auto", "--choices", "a,b")):
            self.assertIn(b"--tool-choice", self.generate(*flags, verb="chat", code=2).stderr)

    def test_notes_and_errors_are_one_sentence(self):
        noted = self.generate("--json-schema", self.file("s.json", '{"type": "boolean", "titel": "x"}'))
        self.assertRegex(noted.stderr.decode(), r"^puna: warning: .*titel.*\n$")
        for flags, word in (
            (("--json-schema", self.file("w.json", '{"properties": {"a": {"type": "strin"}}}')), "/properties/a/type"),
            (("--json-schema", self.folder / "none.json"), "none.json"),
            (("--regex", "(a"), "regular expression"),
            (("--grammar", self.file("w.gbnf", "root ::= item\n")), "item"),
            (("--choices", ""), "empty answer"),
        ):
            done = self.generate(*flags, code=1)
            self.assertEqual(done.stdout, b"")
            self.assertEqual(done.stderr.count(b"\n"), 1)
            self.assertIn(word, done.stderr.decode())
        self.assertIn(b"ignore_eos", self.generate("--regex", "a", "--ignore-eos", code=1).stderr)
        self.generate("--regex", "a", "--choices", "a,b", code=2)

    def check(self, file, *flags, code=0, **options):
        return run("grammar", file, "--tokenizer", MODEL, *flags, code=code, **options).stdout.decode()

    def test_a_grammar_is_checked(self):
        schema = self.file("s.json", json.dumps(SCHEMA))
        self.assertEqual(self.check(schema), "compiles as json-schema\n")
        self.assertIn("accepted\n", self.check(schema, "--accept", '{"age": 12, "ok": true}'))
        refused = self.check(schema, "--accept", '{"age": 12, "on": true}', code=1)
        self.assertIn("refused at byte 14: 'n' comes after", refused)
        self.assertIn("could come there: 'k'\n", refused)
        self.assertIn('shortest completion: "k\\":true}"', refused)
        incomplete = self.check(schema, "--accept", '{"age": 1', code=1)
        self.assertIn("incomplete: more has to come", incomplete)
        self.assertRegex(incomplete, r"could come there: .*'0' to '9'")
        self.assertIn("accepted", self.check("-", "--kind", "regex", "--accept", "ab", stdin=b"ab?\n"))
        self.assertIn(
            "could come there: 'b', the end",
            self.check("-", "--kind", "regex", "--accept", "ac", stdin=b"ab?\n", code=1),
        )
        self.assertIn("accepted", self.check("-", "--kind", "choices", "--accept", "", stdin=b'["", "b"]'))
        self.assertIn("accepted", self.check(self.file("g.ebnf", 'a = "x" ;'), "--accept", "x"))

    def test_what_a_grammar_costs(self):
        out = self.check(self.file("s.json", json.dumps(SCHEMA)), "--stats", "--accept", '{"age": 12, "ok": true}')
        self.assertRegex(out, r"compiled in [0-9.]+ ms; vocabulary of 4096 tokens indexed in [0-9.]+ ms\n")
        counts = re.findall(
            r"masks, met (first|again): (\d+), mean [0-9.]+ us, median [0-9.]+ us, longest [0-9.]+ us\n", out
        )
        self.assertEqual([kind for kind, _ in counts], ["first", "again"])
        self.assertTrue(int(counts[0][1]) > 3 and counts[0][1] == counts[1][1], out)
        self.assertIn("masks, met first: 1,", self.check("-", "--kind", "regex", "--stats", stdin=b"a"))

    def test_a_grammar_that_is_wrong_is_an_error(self):
        for arguments, stdin, word in (
            (("-", "--kind", "regexp"), b"a", "json-schema, regex"),
            (("-",), b"a", "--kind"),
            (("-", "--kind", "gbnf"), b"root = 3", "line 1"),
            (("-", "--kind", "choices"), b"[1]", "expected a string"),
        ):
            done = run("grammar", *arguments, "--tokenizer", MODEL, code=1, stdin=stdin)
            self.assertIn(word, done.stderr.decode())
        run("grammar", "-", code=2)


if __name__ == "__main__":
    unittest.main()
