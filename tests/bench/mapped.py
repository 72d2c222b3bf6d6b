"""A ranker's table that is larger than memory: candidates a second from rows in the mapped file, under a memory limit,
beside a table in memory of its own.

usage: mapped.py PROGRAM --out FILE.json [--million-rows 8] [--type f32] [--limit-share 0.25] [--seconds 20] [--folder
build/bench]

PROGRAM (mapped_table.cpp) makes the file, 60 values and a weight a row, and scores batches of 100 candidates, drawn as
1 / (rank + 10). Each way is run with the file out of the page cache; the limit is a control group's (needs root) and
counts the page cache, as ./dev bench beyond's does. A table of its own under the limit is tried as well: it is killed,
which is the point.
"""

import argparse
import json
import os
import subprocess
import sys

from limits import drop_from_cache, enter, limited


def scored(program, table, memory, seconds, group):
    drop_from_cache(table)
    child = subprocess.run(
        [program, "score", table, memory, str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: enter(group)) if group else None,
    )
    return json.loads(child.stdout) if child.returncode == 0 else {"ended_with": child.returncode}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--out", required=True)
    p.add_argument("--million-rows", type=int, default=8)
    p.add_argument("--type", default="f32", choices=("f32", "f16", "i8"))
    p.add_argument("--limit-share", type=float, default=0.25)
    p.add_argument("--seconds", type=float, default=20)
    p.add_argument("--folder", default="build/bench")
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    table = f"{a.folder}/table-{a.million_rows}m-{a.type}.safetensors"
    if not os.path.exists(table):
        subprocess.run([a.program, "make", f"{table}.part", str(a.million_rows), a.type], check=True)
        os.replace(f"{table}.part", table)
    limit = int(os.path.getsize(table) * a.limit_share)
    group = limited(limit, "mapped-table")
    report = {
        "million_rows": a.million_rows,
        "type": a.type,
        "file_bytes": os.path.getsize(table),
        "limit_bytes": limit,
        "runs": [],
    }
    for memory, where in (("own", ""), ("mapped", ""), ("mapped", group), ("own", group)):
        report["runs"].append(
            {"table": memory, "limited": bool(where), **scored(a.program, table, memory, a.seconds, where)}
        )
        print(json.dumps(report["runs"][-1]), flush=True)
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
    os.rmdir(group)


if __name__ == "__main__":
    main()
