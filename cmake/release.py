"""Packs what `./dev release` has built, once: Debian packages, a .tar.gz and a wheel, with their sizes and SHA256SUMS.

The version is CMakeLists.txt's project(VERSION); its date is that of CHANGELOG.md's heading. Every other place that
states the version must agree. Times inside the archives are that date, so that the same files give the same archives.

usage: release.py --check                                       compare the places that state the version
       release.py --build build/release --out FOLDER --python build/python/bin/python
"""

import argparse
import calendar
import gzip
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Whose code is inside libpuna and the portable command, and by which Debian package's copyright file. The wheel carries
# the picture libraries as well.
LINKED = {"nlohmann-json": "nlohmann-json3-dev", "libstdc++": "libstdc++6"}
PICTURES = {
    "libpng": "libpng16-16",
    "libjpeg-turbo": "libjpeg62-turbo",
    "libwebp": "libwebp7",
    "stb": "libstb-dev",
    "zlib": "zlib1g",
}
COMMAND = {"CLI11": "libcli11-dev", "hnswlib": "libhnswlib-dev", "sqlite": "libsqlite3-0"}


def found(pattern, path):
    match = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.M)
    if not match:
        sys.exit(f"release: {path} has no {pattern!r}")
    return ".".join(match.groups())


def version_and_date():
    """The version, when it was released, and complaints about places that say otherwise."""
    version = found(r"^project\(puna VERSION ([\d.]+)", "CMakeLists.txt")
    places = {
        "capi/include/puna.h": found(
            r"_MAJOR (\d+)\n#define PUNA_VERSION_MINOR (\d+)\n#define PUNA_VERSION_PATCH (\d+)", "capi/include/puna.h"
        ),
        "bindings/rust/Cargo.toml": found(r'^version = "([\d.]+)"', "bindings/rust/Cargo.toml"),
        "bindings/rust/puna/Cargo.toml": found(
            r'path = "../puna-sys", version = "([\d.]+)"', "bindings/rust/puna/Cargo.toml"
        ),
        "CHANGELOG.md": found(r"^## ([\d.]+) \(", "CHANGELOG.md"),
    }
    wrong = [f"{place} says {says}, CMakeLists.txt says {version}" for place, says in places.items() if says != version]
    date = found(r"^## [\d.]+ \((\d{4}-\d\d-\d\d)\)", "CHANGELOG.md")
    return version, calendar.timegm(time.strptime(date, "%Y-%m-%d")), wrong


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, errors="replace", **options)
    if done.returncode != 0:
        sys.exit(f"release: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def copy_notices(folder, packages):
    folder.mkdir(parents=True)
    for name, package in packages.items():
        notice = pathlib.Path("/usr/share/doc", package, "copyright")
        if not notice.is_file():
            sys.exit(f"release: {notice} is not here; {name} is linked in and its licence wants to be told")
        shutil.copyfile(notice, folder / f"{name}.txt")


def needs_of(file, libraries):
    """The newest versions of glibc's and libstdc++'s symbols that a file uses. It may need `libraries`, which every
    system has by these names."""
    dynamic = run("objdump", "-p", file)
    strange = [n for n in re.findall(r"NEEDED +(\S+)", dynamic) if not re.match(rf"({libraries})\.so\.", n)]
    if strange:
        sys.exit(
            f"release: {file} needs {', '.join(strange)}, which other systems have under other names or not at all"
        )
    newest = {
        name: max(re.findall(rf"{name}_([\d.]+)", dynamic), key=lambda v: [int(n) for n in v.split(".")], default="")
        for name in ("GLIBC", "GLIBCXX")
    }
    return ", ".join(f"{name}_{version}" for name, version in newest.items() if version)


def make_archive(build, stage, out, version, when):
    """<out>/puna-VERSION-linux-MACHINE.tar.gz: libraries, headers, command, for any distribution with a glibc as new as
    they need.

    The library's C++ runtime is the system's: where it is a C++ host's as well, that counts the exceptions which
    callbacks throw and the library catches."""
    name = f"puna-{version}-linux-{platform.machine()}"
    tree = stage / name
    run("cmake", "--install", build, "--prefix", tree, "--strip")
    run("strip", "-o", tree / "bin" / "puna", build / "portable/puna_cli_portable")
    run("strip", "--strip-debug", tree / "lib" / "libpuna_static.a")
    copy_notices(tree / "share/doc/puna/third-party", {**LINKED, **PICTURES, **COMMAND})
    shutil.copyfile(ROOT / "CHANGELOG.md", tree / "share/doc/puna/CHANGELOG.md")

    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = when
        return entry

    with (
        open(out / f"{name}.tar.gz", "wb") as file,
        gzip.GzipFile("", "wb", 9, file, when) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted([tree, *tree.rglob("*")]):
            tar.add(path, str(path.relative_to(stage)), recursive=False, filter=plain)
    system = "libc|libm|libgcc_s|ld-linux[-a-z0-9_]*"
    print(f"  the archive's command needs {needs_of(tree / 'bin' / 'puna', system)}")
    print(f"  the archive's library needs {needs_of(tree / 'lib' / f'libpuna.so.{version}', system + '|libstdc..')}")


def make_debian_packages(build, out):
    """Linked to Debian's own libraries, in Debian's places. The folder is configured for those meanwhile; nothing is
    compiled anew."""
    places = run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
    run("cmake", f"-DCMAKE_INSTALL_LIBDIR=lib/{places}", build)
    try:
        run("cpack", "-G", "DEB", "-B", out.resolve(), cwd=build)
    finally:
        run("cmake", "-UCMAKE_INSTALL_LIBDIR", build)
    shutil.rmtree(out / "_CPack_Packages")


def make_wheel(build, stage, out, python):
    """The libraries of the portable build, and beside them what libpuna_decode needs. auditwheel names the oldest glibc
    that will do."""
    notices = stage / "notices"
    copy_notices(notices, {**LINKED, **PICTURES})
    for library in ("libpuna", "libpuna_decode"):
        shutil.copyfile(build / "portable" / f"{library}_portable.so", stage / f"{library}.so.0")
    environment = {
        **os.environ,
        "PUNA_LIBRARY": str((stage / "libpuna.so.0").resolve()),
        "PUNA_NOTICES": str(notices.resolve()),
    }
    run(
        python,
        "-m",
        "pip",
        "-q",
        "wheel",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        stage,
        ROOT / "bindings/python",
        env=environment,
    )
    for left in ("build", "puna.egg-info"):
        shutil.rmtree(ROOT / "bindings/python" / left, ignore_errors=True)
    tools = pathlib.Path(python).absolute().parent
    run(
        tools / "auditwheel",
        "repair",
        "--strip",
        "-w",
        out,
        next(stage.glob("puna-*.whl")),
        env={**environment, "PATH": f"{tools}:{os.environ['PATH']}"},
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--python")
    args = parser.parse_args()
    version, when, wrong = version_and_date()
    if wrong:
        sys.exit("release: " + "\n         ".join(wrong))
    if args.check:
        print(
            f"{version}, {time.strftime('%Y-%m-%d', time.gmtime(when))}: CMakeLists.txt, puna.h, CHANGELOG.md and the crates agree"
        )
        return

    os.environ["SOURCE_DATE_EPOCH"] = str(when)
    stage = args.out / "stage"
    shutil.rmtree(args.out, ignore_errors=True)
    stage.mkdir(parents=True)
    make_archive(args.build, stage, args.out, version, when)
    make_debian_packages(args.build, args.out)
    make_wheel(args.build, stage, args.out, args.python)
    shutil.rmtree(stage)
    sums = []
    for file in sorted(f for f in args.out.iterdir() if f.is_file()):
        sums.append(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
        print(f"  {file.stat().st_size / 1e6:6.2f} MB  {file.name}")
    (args.out / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
