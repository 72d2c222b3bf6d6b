"""A server for the tests, and a client of the standard library: whole answers, streams, raw sockets."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(os.environ.get("PUNA_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
PUNA = pathlib.Path(os.environ.get("PUNA_BIN", ROOT / "build/release/bin")) / "puna"
MODEL = ROOT / "examples/bundled/puna-austen.gguf"
NAME = "puna-austen"
KEY = {"Content-Type": "application/json"}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Served:
    """`puna serve` as a process: with Served("--ctx", "256") as server: server.post("/v1/...", {...})"""

    def __init__(self, *options, models=(MODEL,), log=False):
        self.log = tempfile.TemporaryFile("w+")
        self.keep_log = log
        command = [PUNA, "serve", *map(str, models), "--port", "0", *map(str, options)]
        if not log:
            command += ["--log", "none"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"http://(.*):(\d+)$", line.strip())
        if not found:
            self.process.wait(10)
            said = self.logged()
            self.process.stdout.close()
            self.log.close()
            raise RuntimeError(f"the server said {line!r}, and {said!r}")
        self.port = int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, seconds=30):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(seconds)
        self.process.stdout.close()
        if not self.keep_log:
            self.log.close()

    def logged(self):
        self.log.seek(0)
        return self.log.read()

    def ask(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
            connection.request(
                method, path, data, headers if headers is not None else (KEY if body is not None else {})
            )
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode())
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.ask("GET", path, headers=headers or {})

    def post(self, path, body, headers=None, timeout=60):
        return self.ask("POST", path, body, {**KEY, **(headers or {})}, timeout)

    def chat(self, content="It was", **more):
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": 12, "temperature": 0, **more}
        return self.post("/v1/chat/completions", body)

    def events(self, path, body, headers=None):
        """The (event, data) of a stream; data parsed, "[DONE]" as it is."""
        answer = self.post(path, {**body, "stream": True}, headers)
        assert answer.status == 200, (answer.status, answer.body)
        assert answer.headers["content-type"] == "text/event-stream", answer.headers
        out = []
        for block in answer.body.split("\n\n")[:-1]:
            name, data = "", None
            for line in block.split("\n"):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = line[6:] if line == "data: [DONE]" else json.loads(line[6:])
            if data is not None:
                out.append((name, data))
        return out

    def chunks(self, **more):
        body = {"messages": [{"role": "user", "content": "It was"}], "max_tokens": 12, "temperature": 0, **more}
        events = [data for _, data in self.events("/v1/chat/completions", body)]
        assert events[-1] == "[DONE]"
        return events[:-1]

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def send(self, path, body):
        """A request whose answer nobody reads yet."""
        s = self.raw()
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        s.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        return s

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").body, re.M)
        return float(found[1]) if found else None

    def wait_for(self, metric, value, seconds=10):
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if self.metric(metric) == value:
                return time.monotonic() - start
            time.sleep(0.005)
        raise AssertionError(f"{metric} is {self.metric(metric)} after {seconds} s, expected {value}")


def join_calls(chunks, answer=0):
    """What OpenAI's client makes of a stream: texts of equal keys are concatenated."""
    content, calls, finish = "", [], None
    for chunk in chunks:
        for choice in chunk["choices"]:
            if choice["index"] != answer:
                continue
            finish = choice["finish_reason"] or finish
            content += choice["delta"].get("content") or ""
            for delta in choice["delta"].get("tool_calls", []):
                if delta["index"] == len(calls):
                    calls.append({"id": "", "type": "", "name": "", "arguments": ""})
                call = calls[delta["index"]]
                call["id"] += delta.get("id", "")
                call["type"] += delta.get("type", "")
                call["name"] += delta.get("function", {}).get("name", "")
                call["arguments"] += delta.get("function", {}).get("arguments", "")
    return content, calls, finish
