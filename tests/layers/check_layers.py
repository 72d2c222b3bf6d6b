"""The structure of the source tree, read off its #include lines; docs/architecture.md, section 2 is the rule, RANK
below is its table.

usage: check_layers.py ROOT        prints one line a breach, exit 1 when there is any

- an include points down the layers or stays in its own; never up, never sideways;
- public headers say #pragma once, include each other and the C++ standard library only (puna/eigen.h Eigen too), and
nothing heavy of it;
- src/base/json.h hides nlohmann-json; it is included by .cpp files and by the few private headers whose subject is
JSON;
- what isa_*.cpp reach is <stdint.h>, <stddef.h>, intrinsics and kernel headers (an inline function of any other header,
compiled with
  -mavx512f, may be the copy that the linker keeps for everybody);
- the library calls nothing that prints, ends the process, reads the environment or asks the locale;
- no hand-written file is longer than 600 lines, no header of the C API, which is a manual, than 800; no line, raw
strings apart, than 120.
"""

import pathlib
import re
import sys

RANK = {
    "base": 0,
    "tensor": 1,
    "kernels": 2,
    "gemm": 2,
    "ops": 3,
    "onednn": 3,
    "openblas": 3,
    "eigen": 3,
    "io": 4,
    "text": 4,
    "image": 4,
    "model": 4,
    "chat": 5,
    "grammar": 5,
    "decoders": 5,
    "runtime": 6,
    "train": 6,
    "recsys": 7,
    "ads": 7,
    "eval": 7,
    "label": 7,
    "hnsw": 8,
    "sqlite": 8,
    "eigen.h": 8,
    "capi": 8,
}
BLIND = {"chat": {"io", "image", "model"}, "grammar": {"io", "image", "model"}}  # to layers below it
COLUMNS = 120
LINES = 600
MANUAL_LINES = 800  # the headers of the C API are its manual
RAW_STRING = re.compile(r'R"(\w*)\(.*?\)\1"', re.S)
C_HEADERS = {
    "assert.h",
    "errno.h",
    "float.h",
    "inttypes.h",
    "limits.h",
    "math.h",
    "stdarg.h",
    "stdbool.h",
    "stddef.h",
    "stdint.h",
    "stdio.h",
    "stdlib.h",
    "string.h",
}
TOO_HEAVY = {"thread", "regex", "filesystem", "iostream"}
JSON_HEADERS = {
    "src/base/json_field.h",
    "src/chat/python_text.h",
    "src/grammar/json_schema/document.h",
}  # each costs every reader a second or two: think before adding
ISA_SYSTEM = re.compile(r"(stdint|stddef|\w*mmintrin|x86intrin|cpuid|arm_\w+)\.h")
ISA_OURS = {"include/puna/base/dtype.h"}  # enumerators only; check_isa_symbols.py sees it if that changes
# Words that a class of ours may well use are taken for the C function only when they are qualified.
FORBIDDEN = re.compile(
    r"(?P<name>(?<![\w.>:])(?:std::|::)?(?:abort|exit|_Exit|quick_exit|assert|getenv|setenv|setlocale|localeconv|printf|puts|"
    r"putchar|perror|strtod|strtof|atof|stod|stof|cout|cerr|clog)|(?:std|(?<!\w))::(?:terminate|system|signal|raise))"
    r"\b\s*(?=\(|<<)|\bfprintf\s*\(\s*(?P<stream>stderr|stdout)\b"
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|R"\w*\(.*?\)\w*"|"(?:\\.|[^"\\\n])*"', re.S)


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.breaches = []
        self.text = {}
        for top in ("include/puna", "src", "capi"):
            for path in sorted((self.root / top).rglob("*")):
                if path.suffix in (".h", ".cpp", ".c", ".inc"):
                    self.text[path.relative_to(self.root).as_posix()] = path.read_text(encoding="utf-8")

    def breach(self, file, what):
        self.breaches.append(f"{file}: {what}")

    def includes(self, file):
        """(angle, name, our file or None) of every include line."""
        for bracket, name in INCLUDE.findall(self.text[file]):
            here = pathlib.PurePosixPath(file).parent.as_posix()
            places = [
                f"{top}/{name}"
                for top in ((here,) if bracket == '"' else ()) + ("include", "src", "capi/include", "capi/src")
            ]
            yield bracket == "<", name, next((p for p in places if p in self.text), None)

    def check_width(self):
        for path in written_by_hand(self.root):
            text = RAW_STRING.sub(lambda m: "\n" * m.group().count("\n"), path.read_text(encoding="utf-8"))
            for number, line in enumerate(text.split("\n"), 1):
                if len(line) > COLUMNS:
                    self.breach(
                        f"{path.relative_to(self.root).as_posix()}:{number}", f"{len(line)} columns, at most {COLUMNS}"
                    )

    def check(self):
        self.check_width()
        for file, text in self.text.items():
            self.check_edges(file)
            if file.startswith("include/") or file.startswith("capi/include/"):
                self.check_public(file)
            self.check_calls(file)
            lines = text.count("\n")
            most = MANUAL_LINES if file.startswith("capi/include/") else LINES
            if lines > most and not is_generated(text):
                self.breach(file, f"{lines} lines; above {most} a file holds more than one idea")
            if re.fullmatch(r"src/kernels/isa_\w+\.cpp", file):
                self.check_isa(file)
        return self.breaches

    def check_edges(self, file):
        mine = layer(file)
        if mine not in RANK:
            return self.breach(file, f"the layer '{mine}' is not in the table of {pathlib.Path(__file__).name}")
        for angle, name, target in self.includes(file):
            if target is None:
                if not angle:
                    self.breach(file, f'#include "{name}" is not a file of ours')
                elif name.startswith("nlohmann/") and file != "src/base/json.h":
                    self.breach(file, "JSON is read through base/json.h alone")
                continue
            if ".." in name:
                self.breach(file, f'#include "{name}": write the path from src/ or include/')
            theirs = layer(target)
            if theirs != mine and (RANK.get(theirs, 99) >= RANK[mine] or theirs in BLIND.get(mine, ())):
                way = "up" if RANK.get(theirs, 99) > RANK[mine] else "sideways"
                self.breach(file, f"#include {name} points {way}: {mine} may not know {theirs}")
            if target == "src/base/json.h" and not file.endswith(".cpp") and file not in JSON_HEADERS:
                self.breach(
                    file, "base/json.h is for .cpp files: it brings nlohmann-json into every reader of this header"
                )
            if file.startswith("include/") and not target.startswith("include/"):
                self.breach(file, f"#include {name}: a public header shows a private one")

    def check_public(self, file):
        if file.startswith("include/") and "#pragma once" not in self.text[file]:
            self.breach(file, "a public header says #pragma once")
        for angle, name, target in self.includes(file):
            if file == "include/puna/eigen.h" and name.startswith("Eigen/"):
                continue
            if angle and target is None and not re.fullmatch(r"[a-z_]+", name) and name not in C_HEADERS:
                self.breach(file, f"#include <{name}>: public headers include the standard library and each other only")
            if name in TOO_HEAVY:
                self.breach(file, f"#include <{name}>: too heavy for a public header")

    def check_calls(self, file):
        # Strings and comments become blanks of the same length and line count, so that the line number is right.
        code = COMMENT_OR_TEXT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), self.text[file])
        for m in FORBIDDEN.finditer(code):
            line = code.count("\n", 0, m.start()) + 1
            self.breach(
                f"{file}:{line}",
                f"'{m.group('name') or m.group('stream')}' is not for a library: report a status, use the context's logger",
            )

    def check_isa(self, start):
        seen, todo = set(), [start]
        while todo:
            file = todo.pop()
            for angle, name, target in self.includes(file):
                if target is None:
                    if not ISA_SYSTEM.fullmatch(name):
                        self.breach(
                            file, f"#include <{name}> is reached by {start}: only stdint, stddef and intrinsics may be"
                        )
                elif not target.startswith("src/kernels/") and target not in ISA_OURS:
                    self.breach(file, f"#include {name} is reached by {start}: only kernel headers may be")
                elif target not in seen:
                    seen.add(target)
                    todo.append(target)


def is_generated(text):
    return "generated by" in "\n".join(text.split("\n", 5)[:5]).lower()


def written_by_hand(root):
    """The C and C++ files whose layout is checked: not the generated ones, nor the ABI's baseline, which is a copy."""
    for top in ("apps", "capi", "examples", "include", "src", "tests"):
        for path in sorted((root / top).rglob("*")):
            if (
                path.suffix in (".h", ".cpp", ".c")
                and "baseline" not in path.parts
                and not is_generated(path.read_text(encoding="utf-8"))
            ):
                yield path


def layer(file):
    parts = file.split("/")
    if parts[:2] == ["src", "optional"]:
        return parts[2]
    return {"include": parts[2:3], "src": parts[1:2], "capi": ["capi"]}[parts[0]][0]


def main(root):
    tree = Tree(root)
    if not tree.text:
        sys.exit(f"{root}: no sources found")
    breaches = tree.check()
    print("\n".join(breaches) or f"{len(tree.text)} files, every include points down")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
