"""Prints how each golden file was made: the folder's description and versions, then every file with its "how" and how
it is compared."""

import json
import pathlib
import sys

for path in sorted(pathlib.Path(sys.argv[1]).rglob("manifest.json")):
    m = json.loads(path.read_text(encoding="utf-8"))
    print(f"\n{path.parent}\n  {m['description']}")
    print("  made with " + ", ".join(f"{name} {version}" for name, version in m.get("versions", {}).items()))
    for kind in ("arrays", "groups"):
        for name, entry in m.get(kind, {}).items():
            compare = entry.get("compare", "exact")
            bound = (
                compare
                if isinstance(compare, str)
                else f"atol {compare.get('atol', 0):g} rtol {compare.get('rtol', 0):g}"
            )
            print(f"  {entry['file']}  [{bound}]  {entry.get('how', '')}")
