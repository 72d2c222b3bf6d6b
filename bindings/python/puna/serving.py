"""A server beside a notebook: `puna serve` as a process of its own, which ends with this one.

with puna.serve("model.gguf") as server:
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none")
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import threading
from typing import Any, Iterable, Optional, Sequence, Union

from .errors import Error, InvalidArgument

Path = Union[str, "os.PathLike[str]"]


class Server:
    """Made by serve(). It answers until close(), the end of its `with` block, or the end of this program."""

    def __init__(self, command: Sequence[str]) -> None:
        self._lines: list[str] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self.close)
        assert self._process.stdout and self._process.stderr
        line = self._process.stdout.readline().strip()
        # What it writes is read all the time: a pipe that is full would stop it.
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()
        if not re.match(r"http://\S+:\d+$", line):
            self._process.wait()
            self._reader.join(5)
            self.close()
            raise Error("puna serve did not start: " + ("\n".join(self._lines) or line or "it said nothing"))
        self.url = line

    def _read(self, stream: Iterable[str]) -> None:
        for line in stream:
            self._lines.append(line.rstrip("\n"))
            del self._lines[:-1000]

    @property
    def log(self) -> list[str]:
        """Its last lines, at most 1,000: one a request, without what was said."""
        return list(self._lines)

    def close(self, seconds: float = 30) -> None:
        """Answers under way may take so long; then they are cut."""
        atexit.unregister(self.close)
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(5)
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<puna.Server {getattr(self, 'url', 'that did not start')}>"


def serve(
    *models: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    adapters: Optional[dict[str, Path]] = None,
    options: Iterable[str] = (),
    program: Optional[Path] = None,
) -> Server:
    """Starts a server of these models, files or "NAME=FILE", and returns when it is ready.

    port: 0 = any that is free. adapters: names to folders. options: more of `puna serve`, as "--ctx", "2048".
    program: the `puna` command; by default the one on the PATH.
    """
    if not models:
        raise InvalidArgument("serve: no model is given")
    found = os.fspath(program) if program is not None else shutil.which("puna")
    if not found:
        raise Error("the puna command is not on the PATH: install it, or name it by program=")
    command = [found, "serve", *map(os.fspath, models), "--host", host, "--port", str(port)]
    for name, folder in (adapters or {}).items():
        command += ["--adapter", f"{name}={os.fspath(folder)}"]
    return Server([*command, *options])
