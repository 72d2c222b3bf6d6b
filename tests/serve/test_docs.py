"""The curl lines of docs/serving.md print what stands behind them. `test_docs.py --write` writes that down anew."""

import json
import re
import subprocess
import sys
import unittest

from served import ROOT, Served

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


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        main(True)
    else:
        unittest.main()
