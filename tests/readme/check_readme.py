"""The README's promises, tried: every C block compiles as strict C99, links to libpuna and nothing else, runs on a small model and prints;
it is the text of an example (so the two cannot drift apart); every ./dev command that is mentioned exists.

usage: check_readme.py --root ROOT --cc CC --library LIBPUNA
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

def tiny_model(root):
    for manifest in sorted((root / "tests/data/golden").rglob("manifest.json")):
        folder = manifest.parent
        if (folder / "config.json").exists() and (folder / "tokenizer.json").exists() and list(folder.glob("*.safetensors")):
            return folder
    sys.exit("no golden folder holds a whole model (config.json, tokenizer.json, *.safetensors)")


def run(command, **options):
    done = subprocess.run(command, capture_output=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}\n{done.stdout!r}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def check_c(block, args, model):
    if not any(block.strip() in e.read_text(encoding="utf-8") for e in (args.root / "examples").glob("*.c")):
        sys.exit("a C block of the README is in no file of examples/: change both")
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "readme.c", pathlib.Path(folder) / "readme"
        source.write_text(block, encoding="utf-8")
        library = args.library.resolve()
        run([args.cc, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{args.root / 'capi'}", source, "-o", program,
             library, f"-Wl,-rpath,{library.parent}"])
        out = run([program, model], timeout=120)
        if not out.strip():
            sys.exit("the README's C program printed nothing")
        return len(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--cc", required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    args = parser.parse_args()
    readme = (args.root / "README.md").read_text(encoding="utf-8")

    listed = set(re.findall(r"^## (\w+)", (args.root / "dev").read_text(encoding="utf-8"), re.M))
    unknown = set(re.findall(r"\./dev (\w+)", readme)) - listed
    if unknown:
        sys.exit(f"the README names ./dev commands that do not exist: {', '.join(sorted(unknown))}")

    blocks = re.findall(r"^```c\n(.*?)^```", readme, re.M | re.S)
    if not blocks:
        sys.exit("the README has no C block")
    model = tiny_model(args.root)
    for block in blocks:
        print(f"{block.count(chr(10))} lines of C compiled, linked and printed {check_c(block, args, model)} bytes on {model.name}")


if __name__ == "__main__":
    main()
