"""The curl lines of docs/serving.md print what stands behind them. `test_docs.py --write` writes that down anew."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from served import PUNA, ROOT, Served

DOCUMENT = ROOT / "docs/serving.md"
PAIR = re.compile(r"```sh\n(curl .*?)```\n(?:\n```text\n(.*?)```\n)?", re.S)
# What differs from run to run, or is too long to read.
VARYING = [
    (r'"(chatcmpl|cmpl|resp|msg|call|fc)(-|_)[A-Za-z0-9]{24}"', r'"\1\2..."'),
    (r'"(created|created_at)": ?\d+', r'"\1": 0'),
]


def run(command, port):
    out = subprocess.run(
        ["bash", "-c", command.replace("127.0.0.1:8080", f"127.0.0.1:{port}")],
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    if out.startswith("data: "):
        text = out.rstrip("\n")
    else:
        value = json.loads(out)
        for item in value.get("data", []):
            if "embedding" in item:
                item["embedding"] = [round(x, 4) for x in item["embedding"][:3]] + ["..."]
        text = json.dumps(value, ensure_ascii=False)
    for pattern, to in VARYING:
        text = re.sub(pattern, to, text)
    return wrapped(text)


def wrapped(text):
    """Lines of at most 118 columns, broken behind commas, so that people can read it."""
    lines = []
    for line in text.split("\n"):
        while len(line) > 118:
            cut = line.rfind(", ", 0, 117) + 1 or line.rfind(",", 0, 117) + 1 or 118
            lines.append(line[:cut])
            line = line[cut:].lstrip(" ")
        lines.append(line)
    return "\n".join(lines) + "\n"


def main(write):
    text = DOCUMENT.read_text(encoding="utf-8")
    wrong, pairs = [], PAIR.findall(text)
    with Served() as server:
        outputs = [run(command, server.port) for command, _ in pairs]
    if write:
        new = iter(outputs)
        text = PAIR.sub(lambda m: f"```sh\n{m[1]}```\n\n```text\n{next(new)}```\n", text)
        DOCUMENT.write_text(text, encoding="utf-8")
        return []
    for (command, expected), output in zip(pairs, outputs):
        if output != expected:
            wrong.append(f"{command}printed\n{output}expected\n{expected}")
    return wrong


class Documentation(unittest.TestCase):
    def test_curl_lines_print_what_stands_there(self):
        self.assertGreater(len(PAIR.findall(DOCUMENT.read_text(encoding="utf-8"))), 14)
        wrong = main(False)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_the_unit_and_the_container_file_are_those_that_are_shipped(self):
        text = DOCUMENT.read_text(encoding="utf-8")
        for name in ("puna.service", "Containerfile"):
            lines = (ROOT / "apps/server/deploy" / name).read_text(encoding="utf-8").splitlines()
            self.assertIn("\n".join("    " + line if line else "" for line in lines), text, name)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd here")
    def test_systemd_finds_nothing_wrong_with_the_unit(self):
        unit = (ROOT / "apps/server/deploy/puna.service").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "puna.service"
            for text, wrong in ((unit.replace("/usr/bin/puna", str(PUNA)), False), (unit + "\nNonsense=1\n", True)):
                file.write_text(text, encoding="utf-8")
                run = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)
                ours = [line for line in run.stderr.splitlines() if "puna.service" in line]
                self.assertEqual(bool(ours), wrong, run.stderr)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        main(True)
    else:
        unittest.main()
