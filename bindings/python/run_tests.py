"""The Python tests from ctest: with the interpreter that has cffi, numpy and pytest, on the library that was built;
exit code 77 (skipped) with a reason where there is none. `./dev python` makes one.

usage: run_tests.py LIBPUNA [VENV]
"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def usable(python):
    return subprocess.run([python, "-c", "import cffi, numpy, pytest"], capture_output=True).returncode == 0


def main(library, venv=None):
    candidates = (
        [str(pathlib.Path(venv, "bin", "python"))] if venv and pathlib.Path(venv, "bin", "python").exists() else []
    )
    for python in [*candidates, sys.executable]:
        if usable(python):
            break
    else:
        print("skipped: no Python with cffi, numpy and pytest; ./dev python makes one")
        return 1 if os.environ.get("PUNA_REQUIRE_PYTHON") == "1" else 77
    environment = dict(os.environ, PUNA_LIBRARY=library, PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run(
        [python, "-m", "pytest", "-q", "-c", HERE / "pyproject.toml", "--rootdir", HERE], cwd=HERE, env=environment
    ).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
