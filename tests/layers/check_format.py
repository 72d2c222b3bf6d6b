"""Every hand-written C and C++ file is as clang-format leaves it (.clang-format); `./dev format` mends what this finds.
Markdown and CMake files have at most 120 columns, but for tables and for lines without a place to break (URLs).

usage: check_format.py CLANG_FORMAT ROOT        prints one line a file, exit 1 when there is any
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

from check_layers import written_by_hand


def differs(clang_format, path):
    formatted = subprocess.run([clang_format, path], capture_output=True, check=True).stdout
    return formatted != path.read_bytes()


WIDTH = 120
NOT_OURS = {"build", "data", "node_modules", "target"}  # made by tools: builds, golden models with their model cards


def has_width(path):
    return path.suffix in (".cmake", ".md") or path.name == "CMakeLists.txt"


def wide_lines(path):
    """The numbers of the lines that are too long."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        table = path.suffix == ".md" and line.lstrip().startswith("|")
        unbreakable = len(line.split()) <= 2 and "://" in line
        if len(line) > WIDTH and not table and not unbreakable:
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
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bad = pool.map(lambda p: differs(clang_format, p), files)
        found = [str(p.relative_to(root)) for p, is_bad in zip(files, bad) if is_bad]
    found = [f"{name}: not as clang-format leaves it; run ./dev format {name}" for name in found]
    found += check_width(root)
    print("\n".join(found) or f"{len(files)} files, all formatted")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
