"""What README.md and docs/ show works. Every code block is run, or is a piece of something that the tests run:

  ```c       with a main(): the text of an example; compiles as strict C99, links to libpuna and nothing else, runs on a
  small model and prints
             without one: a piece of a file of examples/, which the tests build and run
  ```python  a piece of bindings/python/README.md or of an example, ```rust of an example or of the crate's doc tests,
  ```cpp of an example,
             ```cmake of the consumer's project or an example's
             (pieces are compared line by line, whatever their indentation)
  ```sh      commands, and so are indented blocks, with what they print: ./dev commands and benchmarks, verbs and
  options of `puna`, CMake presets and
             scripts that are named exist. The README's own ```sh block is run by run_hello.py. Commands in `code
             quotes` are looked at in the same way
  ```text    not looked at

usage: check_readme.py --root ROOT [--cc CC --library LIBPUNA]        without a compiler nothing is compiled
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from documents import manual

PIECES = {
    "c": ["examples/**/*.c", "examples/**/*.h"],
    "python": ["bindings/python/README.md", "examples/**/*.py"],
    "rust": ["examples/**/*.rs", "bindings/rust/puna/src/lib.rs"],
    "cpp": ["examples/**/*.cpp"],
    "cmake": ["tests/readme/consumer/CMakeLists.txt", "examples/*/CMakeLists.txt"],
}
# const Verb verb(app, "batch", ...); of a group const Verb rec(app, "rec", ...) or label_group(app, "label", ...),
# whose verbs name the variable: verb(rec, "train", ...), or a group within it, simulate(ads, "simulate", ...)
VERB = re.compile(r'Verb (\w+)\(\s*(\w+),\s*"([\w-]+)"')


def tiny_model(root):
    for manifest in sorted((root / "tests/data/golden").rglob("manifest.json")):
        folder = manifest.parent
        if (
            (folder / "config.json").exists()
            and (folder / "tokenizer.json").exists()
            and list(folder.glob("*.safetensors"))
        ):
            return folder
    sys.exit("no golden folder holds a whole model (config.json, tokenizer.json, *.safetensors)")


def run(command, **options):
    done = subprocess.run(command, capture_output=True, **options)
    if done.returncode != 0:
        sys.exit(
            f"{' '.join(map(str, command))}\nended with {done.returncode}\n{done.stdout!r}\n{done.stderr.decode(errors='replace')}"
        )
    return done.stdout


def run_c(block, args, model):
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "readme.c", pathlib.Path(folder) / "readme"
        source.write_text(block.text, encoding="utf-8")
        library = args.library.resolve()
        run(
            [
                args.cc,
                "-std=c99",
                "-pedantic",
                "-Wall",
                "-Wextra",
                "-Werror",
                f"-I{args.root / 'capi/include'}",
                source,
                "-o",
                program,
                library,
                f"-Wl,-rpath,{library.parent}",
            ]
        )
        out = run([program, model], timeout=120)
        if not out.strip():
            sys.exit(f"{block} printed nothing")
        return len(out)


def bare_lines(text):
    """Without indentation, blank lines, and what Rust's doc tests put before a line."""
    lines = (re.sub(r"^\s*//! ?(# )?", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def is_piece(piece, whole):
    return any(whole[i : i + len(piece)] == piece for i in range(len(whole) - len(piece) + 1))


class Commands:
    """What ./dev, puna and CMake take, as their sources say."""

    def __init__(self, root):
        self.root = root
        dev = (root / "dev").read_text(encoding="utf-8")
        self.dev = set(re.findall(r"^## (\w+)", dev, re.M))
        usage = re.findall(r"^## bench (.*?)(?:   |$)", dev, re.M) + re.findall(r'^bench_parts="(.*)"', dev, re.M)
        self.bench = set(re.findall(r"[a-z]\w*", " ".join(usage)))
        cli = "\n".join(
            p.read_text(encoding="utf-8") for p in sorted((root / "apps/cli").glob("*")) if p.suffix in (".cpp", ".h")
        )
        self.groups = {}  # of a group, "puna rec": its verbs, by name
        verbs, variables = VERB.findall(cli), {"app": "puna"}
        while any(group in variables for _, group, _ in verbs):
            rest = []
            for variable, group, name in verbs:
                if group not in variables:
                    rest.append((variable, group, name))
                    continue
                self.groups.setdefault(variables[group], set()).add(name)
                if variable != "verb":
                    variables[variable] = f"{variables[group]} {name}"
            verbs = rest
        self.options = {o for names in re.findall(r'"((?:-\w,)?--[a-z0-9-]+|-\w)"', cli) for o in names.split(",")} | {
            "--help"
        }
        self.presets = {
            p["name"] for p in json.loads((root / "CMakePresets.json").read_text(encoding="utf-8"))["configurePresets"]
        }

    def breaches(self, line):
        for name, rest in re.findall(r"\./dev\b ?(\w*)(.*)", line):
            if name and name not in self.dev:
                yield f"./dev has no command '{name}'"
            part = re.match(r" (--)?([a-z]\w*)", rest)
            if name == "bench" and part and part[2] not in self.bench:
                yield f"./dev bench knows no '{part[2]}'"
        for words in re.findall(r"(?:^|[\s;&|])(?:build/release/bin/)?puna ((?:[\w.~/=:-]|\"[^\"]*\"|\s)+)", line):
            words = re.sub(r'"[^"]*"', "TEXT", words).split()
            group = "puna"
            for word in words:
                if group not in self.groups or not re.fullmatch(r"[a-z][a-z-]*", word):
                    break
                if word not in self.groups[group]:
                    yield f"{group} has no verb '{word}'"
                    break
                group += f" {word}"
            for word in words:
                if re.fullmatch(r"--?[a-z].*", word) and word.split("=")[0] not in self.options:
                    yield f"puna has no option '{word}'"
        for preset in re.findall(r"--preset[ =](\S+)", line):
            if preset not in self.presets:
                yield f"CMakePresets.json has no preset '{preset}'"
        for script in re.findall(r"python3? (?:-\w+ )*(\S+\.py)", line):
            if not (self.root / script).exists():
                yield f"{script} is not there"


def check(root):
    """Everything but compiling: one line a breach."""
    documents, commands, breaches = manual(root), Commands(root), []
    sources = {
        language: [
            bare_lines(p.read_text(encoding="utf-8")) for pattern in patterns for p in sorted(root.glob(pattern))
        ]
        for language, patterns in PIECES.items()
    }
    for d in documents:
        for block in d.blocks:
            if block.language in PIECES:
                if not any(is_piece(bare_lines(block.text), whole) for whole in sources[block.language]):
                    breaches.append(f"{block} is a piece of none of {', '.join(PIECES[block.language])}: change both")
            elif block.language in ("", "sh"):
                lines = block.text.replace("\\\n", " ").splitlines()
                breaches += [f"{block}: {b}" for line in lines for b in commands.breaches(line)]
            elif block.language != "text":
                breaches.append(f"{block}: this test knows no '{block.language}'")
        for span in d.spans():
            breaches += [f"{d.name}: `{span}`: {b}" for b in commands.breaches(span)]
            if re.match(r"--[a-z]", span) and span.split()[0].split("=")[0] not in commands.options:
                breaches.append(f"{d.name}: `{span}`: puna has no such option")
    return breaches


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--cc")
    parser.add_argument("--library", type=pathlib.Path)
    args = parser.parse_args()
    breaches = check(args.root)
    if breaches:
        sys.exit("\n".join(breaches))

    blocks = [b for d in manual(args.root) for b in d.blocks]
    programs = [b for b in blocks if b.language == "c" and re.search(r"\bmain\(", b.text)]
    if not any(b.file == "README.md" for b in programs):
        sys.exit("the README has no C program")
    print(f"{len(blocks)} code blocks looked at")
    if args.cc:
        model = tiny_model(args.root)
        for block in programs:
            print(
                f"{block.text.count(chr(10))} lines of C compiled, linked and printed {run_c(block, args, model)} bytes on {model.name}"
            )


if __name__ == "__main__":
    main()
