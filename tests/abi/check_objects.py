"""The objects of src/ and capi/ call nothing that ends the process, prints, handles signals, reads the environment or
keeps the locale's or the process's state. check_exports.py looks at the finished library; this looks at every object,
so that a call is found with its file and also when the linker would drop it. Exceptions are listed in
allowed_symbols.txt, each with its reason, and must be in use.

usage: check_objects.py NM ALLOWED_TXT OBJECT_OR_ARCHIVE...
"""

import re
import subprocess
import sys

FORBIDDEN = re.compile(
    r"""
    abort | _?exit | _Exit | quick_exit | atexit | on_exit | __assert_fail | __stack_chk_fail_local | _ZSt9terminatev | _ZSt10unexpectedv
  | signal | sigaction | sigprocmask | sigaltstack | pthread_sigmask | raise | kill | pthread_kill | setjmp | _setjmp | longjmp
  | getenv | secure_getenv | setenv | unsetenv | putenv | clearenv | environ
  | (v|f|vf|d|vd)?printf | __(v|f|vf)?printf_chk | f?put[sc] | putchar | perror | fwrite | fflush | std(in|out|err) | syslog
  | _ZSt[34](cin|cout|cerr|clog) | _ZSt5w(cin|cerr|clog) | _ZSt4wcout | _ZNSt8ios_base4InitC1Ev
  | setlocale | newlocale | uselocale | localeconv | strtod | strtof | atof
  | fork | vfork | execv[ep]* | execl[ep]* | posix_spawnp? | system | popen | dlopen | dlsym
  | s?rand | random | time | localtime | gmtime | chdir | umask | setrlimit
""",
    re.X,
)


def main(nm, allowed_txt, objects):
    allowed, used, faults = {}, set(), []
    for line in open(allowed_txt, encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            symbol, reason = line.split(None, 1)
            allowed[symbol] = reason
    count = 0
    for line in subprocess.run(
        [nm, "-A", "-u", *objects], check=True, capture_output=True, text=True
    ).stdout.splitlines():
        if not line.strip() or line.endswith(":"):  # between the members of an archive
            continue
        where, symbol = line.rsplit(None, 1)
        symbol = symbol.split("@")[0]
        count += 1
        if not FORBIDDEN.fullmatch(symbol):
            continue
        if symbol in allowed:
            used.add(symbol)
        else:
            faults.append(f"{where.rsplit(' U', 1)[0].strip().rstrip(':')}: {symbol}")
    faults += [
        f"{allowed_txt}: {symbol} is allowed, but nothing uses it: remove the line"
        for symbol in sorted(set(allowed) - used)
    ]
    print("\n".join(faults) or f"{count} references of {len(objects)} objects and archives, none of them forbidden")
    return 1 if faults or count < 100 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
