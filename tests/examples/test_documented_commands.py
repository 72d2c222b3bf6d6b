"""Runs the commands of a page of the manual, indented lines that begin with "$ ", one after the other in a copy of a
folder, and compares what they print with the lines below them.

usage: test_documented_commands.py PUNA PAGE FOLDER [NAME=FILE ...] [--write]
--write: put what they print into the page; NAME=FILE: stands in the folder as well
"""

import difflib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

INDENT = "    "


def run(command, folder, puna):
    paths = os.pathsep.join([str(pathlib.Path(puna).resolve().parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    return [INDENT + line if line else line for line in done.stdout.decode().splitlines()]


def shown(text, folder, puna):
    """The page as it is when every command has been run."""
    lines, out, commands = text.split("\n"), [], 0
    i = 0
    while i < len(lines):
        out.append(lines[i])
        is_command = lines[i].startswith(INDENT + "$ ")
        i += 1
        if not is_command:
            continue
        commands += 1
        while i < len(lines) and lines[i].startswith(INDENT) and not lines[i].startswith(INDENT + "$ "):
            i += 1  # what it printed when the page was written
        out += run(out[-1][len(INDENT) + 2 :], folder, puna)
    if commands == 0:
        sys.exit("the page has no commands")
    return "\n".join(out)


def main(puna, page, folder, *more, write=False):
    text = pathlib.Path(page).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        copy = pathlib.Path(scratch) / "copy"
        shutil.copytree(folder, copy)
        for name, file in (m.split("=", 1) for m in more):
            (copy / name).symlink_to(pathlib.Path(file).resolve())
        now = shown(text, copy, puna)
    if write:
        pathlib.Path(page).write_text(now, encoding="utf-8")
    elif now != text:
        sys.exit("\n".join(difflib.unified_diff(text.split("\n"), now.split("\n"), page, "now", lineterm="")))


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    main(*arguments, write=len(arguments) < len(sys.argv) - 1)
