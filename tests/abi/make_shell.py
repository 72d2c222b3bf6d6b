"""A C file that defines every function of the headers with an empty body: the library's shell. Compiled with debug
information it shows libabigail the types of the boundary and nothing of what is behind it (the compiler has compared
the real definitions with the same header).

usage: make_shell.py HEADER_FOLDER OUTPUT_C
"""

import pathlib
import re
import sys

headers = sorted(
    h for h in pathlib.Path(sys.argv[1]).glob("puna*.h") if h.name not in ("puna_decode.h", "puna_providers.h")
)
header = re.sub(r"/\*.*?\*/", "", "".join(h.read_text(encoding="utf-8") for h in headers), flags=re.S)
bodies = []
for result, name, parameters in re.findall(r"^PUNA_API ([^;(]*?)\b(puna_\w+)\(([^;]*)\);", header, re.M):
    unused = "".join(f" (void){p};" for p in re.findall(r"(\w+)\s*(?:,|$)", parameters) if p != "void")
    bodies.append(f"{result}{name}({parameters}) {{{unused}{'' if result.strip() == 'void' else ' return 0;'} }}\n")
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write("".join(f"#include <{h.name}>\n" for h in headers) + "".join(bodies))
