"""A C file that defines every function of puna.h with an empty body: the library's shell. Compiled with debug information it shows libabigail
the types of the boundary and nothing of what is behind it (the compiler has compared the real definitions with the same header).

usage: make_shell.py PUNA_H OUTPUT_C
"""
import re
import sys

header = re.sub(r"/\*.*?\*/", "", open(sys.argv[1], encoding="utf-8").read(), flags=re.S)
bodies = []
for result, name, parameters in re.findall(r"^PUNA_API ([^;(]*?)\b(puna_\w+)\(([^;]*)\);", header, re.M):
    unused = "".join(f" (void){p};" for p in re.findall(r"(\w+)\s*(?:,|$)", parameters) if p != "void")
    bodies.append(f"{result}{name}({parameters}) {{{unused}{'' if result.strip() == 'void' else ' return 0;'} }}\n")
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write("#include <puna.h>\n" + "".join(bodies))
