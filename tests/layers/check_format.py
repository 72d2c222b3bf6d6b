"""Every hand-written C and C++ file is as clang-format leaves it (.clang-format); `./dev format` mends what this finds.
Markdown, CMake and Python files have at most 120 columns, but for tables, for lines without a place to break (URLs),
and for Python's strings that are no docstrings (ruff.toml: `ruff format` does the rest).

usage: check_format.py CLANG_FORMAT ROOT        prints one line a file, exit 1 when there is any
"""

import concurrent.futures
import io
import os
import pathlib
import subprocess
import sys
import tokenize

from check_layers import written_by_hand


FILES_A_RUN = 64  # starting clang-format costs as much as a file


def not_formatted(clang_format, paths):
    """Those of the files that clang-format would change: looked at one by one only where all together differ."""
    formatted = subprocess.run([clang_format, *paths], capture_output=True, check=True).stdout
    if formatted == b"".join(path.read_bytes() for path in paths):
        return []
    return paths if len(paths) == 1 else [p for path in paths for p in not_formatted(clang_format, [path])]


WIDTH = 120
NOT_OURS = {"build", "data", "node_modules", "target"}  # made by tools: builds, golden models with their model cards


def has_width(path):
    return path.suffix in (".cmake", ".md", ".py") or path.name == "CMakeLists.txt"


def lines_of_strings(text):
    """The numbers of a Python file's lines with a piece of a string that is no docstring."""
    numbers, before = set(), tokenize.NEWLINE
    for t in tokenize.generate_tokens(io.StringIO(text).readline):
        begins = before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        if t.type == tokenize.STRING and not (begins and t.string.startswith('"""')):
            numbers.update(range(t.start[0], t.end[0] + 1))
        if t.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING):
            before = t.type
    return numbers


def wide_lines(path):
    """The numbers of the lines that are too long."""
    text = path.read_text(encoding="utf-8")
    strings = lines_of_strings(text) if path.suffix == ".py" else ()
    for number, line in enumerate(text.splitlines(), 1):
        table = path.suffix == ".md" and line.lstrip().startswith("|")
        unbreakable = len(line.split()) <= 2 and "://" in line
        if len(line) > WIDTH and not table and not unbreakable and number not in strings:
            yield number


def check_width(root):
    """One message for each line that is too long."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in NOT_OURS and not f.startswith("."))
        for path in (pathlib.Path(folder) / name for name in sorted(names)):
            if has_width(path):
                yield from (f"{path.relative_to(root)}:{n}: more than {WIDTH} columns" for n in wide_lines(path))


def main(clang_format, root):
    root = pathlib.Path(root)
    files = list(written_by_hand(root))
    if not files:
        sys.exit(f"no sources in {root}")
    runs = [files[i : i + FILES_A_RUN] for i in range(0, len(files), FILES_A_RUN)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bad = pool.map(lambda paths: not_formatted(clang_format, paths), runs)
        found = [str(path.relative_to(root)) for run in bad for path in run]
    found = [f"{name}: not as clang-format leaves it; run ./dev format {name}" for name in found]
    found += check_width(root)
    print("\n".join(found) or f"{len(files)} files, all formatted")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
