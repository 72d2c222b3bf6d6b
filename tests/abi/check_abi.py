"""The library's types and functions against the committed baseline, by libabigail: whatever is not a mere addition
fails, with the report. Allowed: new functions, and fields added at the end of structs (struct_size says how long the
caller's is).

usage: check_abi.py ABIDW ABIDIFF SHELL HEADER_FOLDER BASELINE          compares (SHELL: see make_shell.py)
       check_abi.py ABIDW ABIDIFF SHELL HEADER_FOLDER BASELINE --write  makes the baseline
"""

import pathlib
import re
import subprocess
import sys
import tempfile

HARMLESS = re.compile(
    r"\s*|.* summary: .*|'struct \w+' changed:|  \d+ data member insertions?:|  \d+ impacted interfaces?.*"
)


def breaks(report):
    """The lines of abidiff's leaf report that are not about fields added behind all others."""
    old_size = None
    for line in report.splitlines():
        if HARMLESS.fullmatch(line):
            continue
        if grown := re.fullmatch(r"  type size changed from (\d+) to (\d+) \(in bits\)", line):
            old_size = int(grown[1])
            if int(grown[2]) > old_size:
                continue
        if (
            (added := re.fullmatch(r"    '.*', at offset (\d+) \(in bits\)", line))
            and old_size is not None
            and int(added[1]) >= old_size
        ):
            continue
        yield line


def main(abidw, abidiff, library, headers, baseline, write=False):
    def describe(path):
        subprocess.run(
            [
                abidw,
                "--headers-dir",
                headers,
                "--drop-private-types",
                "--no-show-locs",
                "--no-corpus-path",
                "--no-comp-dir-path",
                "--no-elf-needed",
                "--out-file",
                path,
                library,
            ],
            check=True,
        )

    if write:
        describe(baseline)
        print(f"{baseline}: {pathlib.Path(baseline).stat().st_size} bytes")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        now = pathlib.Path(folder, "now.abi")
        describe(now)
        done = subprocess.run(
            [abidiff, "--no-added-syms", "--leaf-changes-only", baseline, now], capture_output=True, text=True
        )
    functions = pathlib.Path(baseline).read_text(encoding="utf-8").count("<elf-symbol ")
    broken = list(breaks(done.stdout)) if done.returncode in (0, 4) else ["abidiff found an incompatible change"]
    if broken:
        print(done.stdout, done.stderr, sep="")
    print(
        f"{functions} symbols of the baseline compared; abidiff's code {done.returncode}; {len(broken)} lines of its report are no additions"
    )
    return 1 if broken or functions <= 30 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6], write="--write" in sys.argv))
