"""Puts libpuna and its header into the package. The library is $PUNA_LIBRARY, or is built from the sources two folders
up, with CMake and a C++ compiler."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

ROOT = pathlib.Path(__file__).resolve().parents[2]
if not (ROOT / "CMakeLists.txt").exists():
    sys.exit(f"puna: Puna's sources, which this package is made from, are not in {ROOT}")
VERSION = re.search(r"^project\(puna VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"), re.M)[1]


def build_library(folder):
    try:
        subprocess.run(
            [
                "cmake",
                "-S",
                ROOT,
                "-B",
                folder,
                "-G",
                "Ninja",
                "-DCMAKE_BUILD_TYPE=Release",
                "-DPUNA_BUILD_TESTS=OFF",
                "-DPUNA_BUILD_EXAMPLES=OFF",
                "-DPUNA_PROVIDERS=OFF",
            ],
            check=True,
        )
        subprocess.run(["cmake", "--build", folder, "--target", "puna", "puna_decode"], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(
            f"puna: libpuna could not be built ({error}). It needs g++ 12 or clang 16 and nlohmann-json (Debian: g++ nlohmann-json3-dev); "
            "or set PUNA_LIBRARY to a libpuna.so.0 that exists"
        )
    return pathlib.Path(folder, "lib", "libpuna.so.0")


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        package = pathlib.Path(self.build_lib, "puna")
        package.mkdir(parents=True, exist_ok=True)
        for header in (
            "puna.h",
            "puna_chat.h",
            "puna_grammar.h",
            "puna_train.h",
            "puna_engine.h",
            "puna_label.h",
            "puna_eval.h",
            "puna_vision.h",
            "puna_recsys.h",
            "puna_ads.h",
            "puna_gemm.h",
            "puna_decode.h",
            "puna_providers.h",
        ):
            shutil.copy(ROOT / "capi" / "include" / header, package / header)
        shutil.copy(ROOT / "LICENSE", package / "LICENSE")
        if "PUNA_NOTICES" in os.environ:  # of what is linked in: cmake/release.py
            shutil.copytree(os.environ["PUNA_NOTICES"], package / "third-party")
        with tempfile.TemporaryDirectory() as folder:
            library = pathlib.Path(os.environ.get("PUNA_LIBRARY") or build_library(folder))
            shutil.copy(library, package / "libpuna.so.0")
            if (
                library.parent / "libpuna_decode.so.0"
            ).exists():  # needs libpng, libjpeg, libwebp; without them, Pillow decodes
                shutil.copy(library.parent / "libpuna_decode.so.0", package / "libpuna_decode.so.0")


class AnyPython(bdist_wheel):
    """One wheel a platform, for every Python: the library does not link to it."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class WithBinary(Distribution):
    def has_ext_modules(self):
        return True


setup(version=VERSION, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": AnyPython}, distclass=WithBinary)
