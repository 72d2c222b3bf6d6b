"""The six novels of Jane Austen (public domain) as one text, out of Debian's r-cran-janeaustenr (MIT): paragraphs on
one line each.

usage: austen_text.py R-CRAN-JANEAUSTENR.deb OUT.txt       (apt-get download r-cran-janeaustenr)

The package keeps each novel as an R character vector of lines in a lazy-load database: entries of a length and a
compressed XDR serialisation, in which a string is the type 9, a length and its bytes.
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib


def entries(database):
    at = 0
    while at < len(database):
        inflate = zlib.decompressobj()
        yield inflate.decompress(database[at + 4 :])
        at = len(database) - len(inflate.unused_data)


def strings(entry):
    at = 0
    while (at := entry.find(b"\x00\x09", at)) >= 0:
        length = struct.unpack(">i", entry[at + 2 : at + 6])[0] if at + 6 <= len(entry) else -1
        if 0 <= length < 400 and at + 6 + length <= len(entry):
            yield entry[at + 6 : at + 6 + length].decode("utf-8", "replace")
            at += 6 + length
        else:
            at += 1


def paragraphs(lines):
    text = []
    for line in [*lines, ""]:
        line = line.strip()
        if line:
            text.append(line)
        elif text:
            yield re.sub(r"\s+", " ", " ".join(text)).replace("_", "").replace("--", " -- ")
            text = []


def main(package, out):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        database = next(pathlib.Path(folder).rglob("data/Rdata.rdb")).read_bytes()
    novels = []
    for entry in entries(database):
        lines = list(strings(entry))
        if len(lines) > 1000:
            novels.append("\n".join(p for p in paragraphs(lines) if len(p) > 60))
    if len(novels) != 6:
        sys.exit(f"{package}: found {len(novels)} novels, expected 6")
    pathlib.Path(out).write_text("\n".join(novels) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
