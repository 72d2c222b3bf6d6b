#!/bin/sh
# The files of a release in a clean Debian, as root of it: what a user does first with each. `./dev release` calls it by chroot; /release holds the
# packages, /puna some of the sources' examples, /wheels what the wheel depends on.
# shellcheck disable=SC2046,SC2015  # pkg-config gives several words; cat comes after either failure
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
model=/puna/puna-austen.gguf
work=$(mktemp -d)
cd "$work"

said() {  # what file: a program that printed words
  [ "$(wc -w <"$2")" -gt 4 ] || { echo "$1 printed nothing to speak of:"; cat "$2"; exit 1; }
  echo "  $1: $(tr '\n' ' ' <"$2" | cut -c 1-70)..."
}

echo "the packages, by apt"
apt-get -qq -y --purge remove puna libpuna-dev libpuna0 >/dev/null 2>&1 || true
apt-get -qq -y --no-install-recommends install /release/*.deb >apt.log 2>&1 || { tail -n 15 apt.log; exit 1; }
puna --version
puna generate "$model" --prompt "It was a fine morning, and Emma" --max-tokens 24 >said 2>/dev/null
said "puna generate" said
# As the container does: its RUN line has been tried above, this is its ENTRYPOINT, as its USER and with no more rights.
python3 - "$model" /usr/share/doc/puna/Containerfile <<'PYTHON'
import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

lines = open(sys.argv[2]).read().splitlines()
command = json.loads(next(line for line in lines if line.startswith("ENTRYPOINT"))[len("ENTRYPOINT ") :])
user = next(line for line in lines if line.startswith("USER")).split()[1]
keys = tempfile.NamedTemporaryFile("w", suffix=".keys")
keys.write("smoke sk-0123456789abcdef\n")
keys.flush()
subprocess.run(["chmod", "644", keys.name], check=True)
at = {"/models/model.gguf": sys.argv[1], "/run/secrets/puna-keys": keys.name}
command = [at.get(word, word) for word in command] + ["--port", "0"]
rights = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
server = subprocess.Popen([*rights, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
try:
    url = server.stdout.readline().strip().replace("0.0.0.0", "127.0.0.1")

    def ask(headers):
        body = json.dumps({"messages": [{"role": "user", "content": "It was"}], "max_tokens": 8}).encode()
        headers = {"Content-Type": "application/json", **headers}
        with urllib.request.urlopen(urllib.request.Request(url + "/v1/chat/completions", body, headers), timeout=60) as a:
            return json.load(a)["choices"][0]["message"]["content"]

    said = ask({"Authorization": "Bearer sk-0123456789abcdef"})
    assert said.strip(), "the answer is empty"
    try:
        ask({})
        raise SystemExit("it answers without a key")
    except urllib.error.HTTPError as e:
        assert e.code == 401, e.code
    print("  the container's server:", said.replace("\n", " "))
finally:
    server.terminate()
    assert server.wait(30) == 0, server.returncode
PYTHON
cc -std=c99 -Wall -Werror /puna/01_hello.c $(pkg-config --cflags --libs puna) -o hello
./hello "$model" >said
said "hello.c, by pkg-config" said
cmake -S /puna/consumer -B with-packages >cmake.log && cmake --build with-packages >>cmake.log || { cat cmake.log; exit 1; }
echo "  by CMake: $(with-packages/with_shared), $(with-packages/with_static)"
apt-get -qq -y --purge remove puna libpuna-dev libpuna0 >apt.log 2>&1 || { tail -n 15 apt.log; exit 1; }
[ ! -e /usr/bin/puna ] && [ ! -e /usr/include/puna.h ] || { echo "the packages leave files behind"; exit 1; }

echo "the archive"
tar xzf /release/puna-*.tar.gz
mv puna-* moved  # it may lie anywhere
moved/bin/puna --version
moved/bin/puna generate "$model" --prompt "It was a fine morning, and Emma" --max-tokens 24 >said 2>/dev/null
said "puna generate" said
export PKG_CONFIG_PATH="$work/moved/lib/pkgconfig"
cc -std=c99 -Wall -Werror /puna/01_hello.c $(pkg-config --cflags --libs puna) -Wl,-rpath,"$(pkg-config --variable=libdir puna)" -o hello
./hello "$model" >said
said "hello.c, by pkg-config" said
cmake -S /puna/consumer -B with-archive -DCMAKE_PREFIX_PATH="$work/moved" >cmake.log && cmake --build with-archive >>cmake.log || { cat cmake.log; exit 1; }
echo "  by CMake: $(with-archive/with_shared), $(with-archive/with_static)"

echo "the wheel"
python3 -m venv python
python/bin/pip -q install --disable-pip-version-check --no-index --find-links /wheels --find-links /release puna
python/bin/python - "$model" >said <<'PYTHON'
import ctypes
import sys

import puna
from puna.native import beside_library

print("".join(puna.Model(sys.argv[1]).session().generate("It was a fine morning, and Emma", max_tokens=24)))
ctypes.CDLL(beside_library("libpuna_decode.so.0"))  # finds the libraries that the wheel brings
PYTHON
said "python" said
rm -rf "$work"
