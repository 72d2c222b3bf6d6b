"""Every hand-written source file is as clang-format leaves it (.clang-format). `./dev format` mends what this finds.

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


def main(clang_format, root):
    root = pathlib.Path(root)
    files = list(written_by_hand(root))
    if not files:
        sys.exit(f"no sources in {root}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [str(p.relative_to(root)) for p, bad in zip(files, pool.map(lambda p: differs(clang_format, p), files)) if bad]
    print("\n".join(f"{name}: not as clang-format leaves it; run ./dev format {name}" for name in found) or f"{len(files)} files, all formatted")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
