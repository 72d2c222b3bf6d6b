"""check_abi.py on headers that were changed in ways that break programs, and in ways that do not.

usage: test_check_abi.py ABIDW ABIDIFF CC PUNA_H
"""

import pathlib
import subprocess
import sys
import tempfile

import check_abi

HERE = pathlib.Path(__file__).parent
ABIDW, ABIDIFF, CC, HEADER = sys.argv[1:]
TEXT = pathlib.Path(HEADER).read_text(encoding="utf-8")


def shell(folder, text):
    folder.mkdir()
    for header in pathlib.Path(HEADER).parent.glob("*.h"):  # those that puna.h includes
        (folder / header.name).write_bytes(header.read_bytes())
    (folder / "puna.h").write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, HERE / "make_shell.py", folder, folder / "shell.c"], check=True)
    subprocess.run(
        [
            CC,
            "-g",
            "-shared",
            "-fPIC",
            f"-I{folder}",
            folder / "shell.c",
            "-o",
            folder / "libshell.so",
            "-Wl,-soname,libpuna.so.0",
        ],
        check=True,
    )
    return str(folder / "libshell.so"), str(folder)


def changed(old, new):
    assert TEXT.count(old) == 1, f"{TEXT.count(old)} times in puna.h: {old}"
    return TEXT.replace(old, new)


CASES = [
    ("nothing changed", TEXT, 0),
    (
        "a new function",
        TEXT.replace(
            "PUNA_API uint32_t puna_version(void);",
            "PUNA_API uint32_t puna_version(void);\nPUNA_API int32_t puna_new(void);",
        ),
        0,
    ),
    (
        "a new field at the end",
        changed(
            "  double decode_seconds;\n} puna_session_timings;",
            "  double decode_seconds;\n  double more;\n} puna_session_timings;",
        ),
        0,
    ),
    (
        "a field in the middle",
        changed(
            "  int64_t prompt_tokens;  /* appended several",
            "  int64_t first;\n  int64_t prompt_tokens;  /* appended several",
        ),
        1,
    ),
    (
        "a field of another type",
        changed("  uint64_t kv_bytes; /* memory of keys", "  uint32_t kv_bytes; /* memory of keys"),
        1,
    ),
    ("a function gone", changed("PUNA_API puna_status puna_session_cancel(puna_session* session);", ""), 1),
    (
        "a parameter of another type",
        changed(
            "puna_session_truncate(puna_session* session, int64_t length)",
            "puna_session_truncate(puna_session* session, int32_t length)",
        ),
        1,
    ),
    (
        "a parameter more",
        changed(
            "puna_session_cancel(puna_session* session)", "puna_session_cancel(puna_session* session, int32_t why)"
        ),
        1,
    ),
]

with tempfile.TemporaryDirectory() as root:
    root = pathlib.Path(root)
    baseline = str(root / "baseline.abi")
    check_abi.main(ABIDW, ABIDIFF, *shell(root / "before", TEXT), baseline, write=True)
    wrong = []
    for number, (name, text, expected) in enumerate(CASES):
        got = check_abi.main(ABIDW, ABIDIFF, *shell(root / str(number), text), baseline)
        if got != expected:
            wrong.append(f"{name}: {got}, expected {expected}")
print("\n".join(wrong) or f"{len(CASES)} cases as expected")
sys.exit(bool(wrong))
