"""What the built library shows the world, against what it promised: the exported names are those of capi/symbols.txt,
each under the version node of the release that brought it; puna.h declares the same names; nothing else is needed but
the C and C++ runtimes; and no function is imported that would print, end the process, handle signals or read the
environment.

usage: check_exports.py LIBRARY SYMBOLS_TXT HEADER_FOLDER NM READELF
"""

import pathlib
import re
import subprocess
import sys

ALLOWED_LIBRARIES = re.compile(r"(libstdc\+\+|libm|libgcc_s|libc|libpthread|libdl|ld-linux-[\w-]+)\.so\.\d+")
FORBIDDEN = {
    "exit",
    "_exit",
    "_Exit",
    "quick_exit",
    "signal",
    "sigaction",
    "raise",
    "kill",
    "printf",
    "puts",
    "putchar",
    "perror",
    "vprintf",
    "getenv",
    "secure_getenv",
    "setenv",
    "putenv",
    "setlocale",
    "uselocale",
    "system",
    "popen",
    "fork",
    "execve",
    "stdout",
    "stderr",
    "__assert_fail",
}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def difference(left, right, left_name, right_name):
    for name in sorted(left - right):
        yield f"{name} is in {left_name} and not in {right_name}"
    for name in sorted(right - left):
        yield f"{name} is in {right_name} and not in {left_name}"


def main(library, symbols_txt, headers, nm, readelf):
    promised = {}
    for line in open(symbols_txt, encoding="utf-8"):
        if not line.startswith("#") and line.strip():
            name, since, _state = line.split()
            promised[name] = f"{name}@@PUNA_{since}"
    exported = {
        line.split()[-1] for line in output(nm, "-D", "--defined-only", "--with-symbol-versions", library).splitlines()
    }
    exported = {
        name for name in exported if not re.fullmatch(r"PUNA_[\d.]+(@@PUNA_[\d.]+)?", name)
    }  # the version nodes themselves
    text = "".join(
        h.read_text(encoding="utf-8")
        for h in pathlib.Path(headers).glob("puna*.h")
        if h.name not in ("puna_decode.h", "puna_providers.h")
    )
    declared = set(re.findall(r"^PUNA_API [^;(]*?\b(puna_\w+)\(", text, re.M))

    faults = list(difference(exported, set(promised.values()), "the library", "symbols.txt"))
    faults += difference(declared, set(promised), "the headers", "symbols.txt")
    imported = {line.split()[-1].split("@")[0] for line in output(nm, "-D", "--undefined-only", library).splitlines()}
    faults += [f"{name} is imported: a library does not do that" for name in sorted(imported & FORBIDDEN)]
    dynamic = output(readelf, "-d", library)
    faults += [
        f"{name} is needed at run time"
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        if not ALLOWED_LIBRARIES.fullmatch(name)
    ]
    if not re.search(r"\(SONAME\).*\[libpuna\.so\.0\]", dynamic):
        faults.append("the SONAME is not libpuna.so.0")
    print("\n".join(faults) or f"{len(promised)} functions, exported as promised")
    return 1 if faults or not promised else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
