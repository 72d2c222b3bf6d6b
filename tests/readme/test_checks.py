"""The checks of documents can fail: each rule is shown one breach and must name it, and a sound sample must pass.

usage: test_checks.py
"""

import pathlib
import tempfile
import unittest

import check_links
import check_readme

SOUND = {
    "README.md": "# Name\n\nSee [how](docs/how.md#the-first-way) and `src/a.cpp`.\n\n    ./dev test\n    puna rec train --data x \\\n        --out y\n",
    "docs/how.md": "# How\n\n## The first way\n\n```c\nint a;\n```\n\n```rust\nlet a = 1;\n```\n\n```text\nanything\n```\n\n## 5. Bits\n\n"
    "1. `src/a.cpp`: `Thing::begin` begins\n",
    "docs/decisions/README.md": "# Decisions\n\n- [01](01-first.md)\n",
    "docs/decisions/01-first.md": "# 01. First\n\nDate: 2026-11-22. Status: accepted.\n\n**Context.** None.\n",
    "src/a.cpp": "// docs/how.md, section 5; see https://example.com/docs/none.md\nvoid begin() {\n  int b;\n}\n",
    "examples/a.c": "void f(void) {\n  int a;\n}\n",
    "apps/cli/a.cpp": 'const Verb rec(app, "rec", "");\nconst Verb verb(rec, "train", "");\nverb.option("--data", a, "");\nverb.option("-o,--out", a, "");\n',
    "bindings/rust/puna/src/lib.rs": "//! # fn main() {\n//! let a = 1;\n//! # }\n",
    "CMakePresets.json": '{"configurePresets": [{"name": "release"}]}',
    "dev": '## test   run\n## bench [--quick]   fast\nbench_parts="depth"\n',
}


class Checks(unittest.TestCase):
    def breaches(self, changed=()):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            for name, text in (SOUND | dict(changed)).items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return check_links.check(root) + check_readme.check(root)

    def expect(self, phrase, name, old, new):
        self.assertIn(old, SOUND[name])
        found = self.breaches({name: SOUND[name].replace(old, new)})
        self.assertTrue(any(phrase in b for b in found), f"wanted '{phrase}', got {found}")

    def test_sound(self):
        self.assertEqual(self.breaches(), [])

    def test_links(self):
        self.expect("docs/no.md', which is not there", "README.md", "docs/how.md", "docs/no.md")
        self.expect("no heading makes that anchor", "README.md", "#the-first-way", "#the-second-way")
        self.expect("`src/b.cpp` is not there", "README.md", "src/a.cpp", "src/b.cpp")

    def test_comments(self):
        self.expect("docs/no.md, which is not there", "src/a.cpp", "docs/how.md", "docs/no.md")
        self.expect("names section 6 of docs/how.md", "src/a.cpp", "section 5", "sections 5 and 6")

    def test_steps(self):
        self.expect("a step says that src/a.cpp has 'Thing::begin'", "src/a.cpp", "begin()", "start()")

    def test_decisions(self):
        self.expect("does not list 01-first.md", "docs/decisions/README.md", "01-first", "01-second")
        self.expect("begins with '# 01. Title'", "docs/decisions/01-first.md", "accepted", "perhaps")
        self.expect("begins with '# 01. Title'", "docs/decisions/01-first.md", "# 01", "# 1")

    def test_pieces(self):
        self.expect("is a piece of none of examples/**/*.c", "docs/how.md", "int a;", "int b;")
        self.expect("is a piece of none of examples/**/*.rs", "docs/how.md", "let a", "let b")
        self.expect("knows no 'perl'", "docs/how.md", "```text", "```perl")

    def test_commands(self):
        self.expect("./dev has no command 'tset'", "README.md", "./dev test", "./dev tset")
        self.expect("./dev bench knows no 'width'", "README.md", "./dev test", "./dev bench width")
        self.expect("puna has no verb 'wreck'", "README.md", "puna rec", "puna wreck")
        self.expect("puna rec has no verb 'learn'", "README.md", "rec train", "rec learn")
        self.expect("puna has no option '--put'", "README.md", "--out", "--put")
        self.expect("no preset 'debug'", "README.md", "./dev test", "cmake --preset debug")
        self.expect("x.py is not there", "README.md", "./dev test", "python3 x.py")
        self.expect("puna has no such option", "README.md", "`src/a.cpp`", "`--none`")


if __name__ == "__main__":
    unittest.main()
