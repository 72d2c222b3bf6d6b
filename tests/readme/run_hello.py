"""The README's first program, built and run as the README says: its ```c block is hello.c, then its ```sh block, word
for word, but for the line that builds and installs the library, which has been done: PREFIX is where. The model is the
one in this repository.

usage: run_hello.py --root ROOT --prefix PREFIX --cc CC [--pkgconfig lib/pkgconfig]
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

from documents import Document


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--prefix", type=pathlib.Path, required=True)
    parser.add_argument("--cc", required=True)
    parser.add_argument(
        "--pkgconfig", default="lib/pkgconfig", help="below PREFIX; the README says that it may be another"
    )
    args = parser.parse_args()
    blocks = Document(args.root, args.root / "README.md").blocks
    source = next(b.text for b in blocks if b.language == "c")
    lines = next(b.text for b in blocks if b.language == "sh").splitlines()
    if not lines[0].startswith("cmake ") or "~/puna" not in lines[0]:
        sys.exit("the README's sh block begins with the line that installs to ~/puna")
    script = "\n".join(lines[1:]).replace("puna/lib/pkgconfig", f"puna/{args.pkgconfig}")

    with tempfile.TemporaryDirectory() as folder:
        home, tools = pathlib.Path(folder), pathlib.Path(folder) / "tools"
        tools.mkdir()
        (tools / "cc").symlink_to(args.cc)
        (home / "puna").symlink_to(args.prefix.resolve(), target_is_directory=True)
        (home / "model.gguf").symlink_to((args.root / "examples/bundled/puna-austen.gguf").resolve())
        (home / "hello.c").write_text(source, encoding="utf-8")
        script += "\nc++ -x c++ -std=c++20 -fsyntax-only $(pkg-config --cflags puna) hello.c"  # as the README says
        environment = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PKG_CONFIG_PATH")}
        environment |= {"HOME": folder, "PATH": f"{tools}:{environment['PATH']}"}
        done = subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=240,
        )
    if done.returncode != 0 or not done.stdout.strip():
        sys.exit(f"{script}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    print(f"hello: {done.stdout.strip()[:60]} ...")


if __name__ == "__main__":
    main()
