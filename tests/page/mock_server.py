"""A stand-in for `puna serve`: serves apps/page with the server's Content-Security-Policy and speaks the part of the
OpenAI protocol that the page uses, with answers made up from words in the question. Requests are checked to the letter,
so that a field which is wrong is a 400 here as it would be there.

usage: mock_server.py [--port N] [--key KEY] [--delay SECONDS]     prints the address; ends with its standard input
GET /mock/requests: the bodies of chat requests so far, and how many of their clients went away in the middle.
"""

import argparse
import json
import math
import pathlib
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = pathlib.Path(__file__).resolve().parents[2] / "apps" / "page"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MODELS = ["SmolLM2-360M-Instruct", "SmolLM2-360M-Instruct:pirate", "SmolLM2-360M-Instruct:notary", "tiny:q4"]
CONTEXT = 8192

MARKDOWN = """## What a puna is

A **puna** is a *high grassland* of the Andes, between the tree line and the snow. It is cold, dry and `windy`:

| Kind | Rain | Height |
| :-- | :-: | --: |
| Moist puna | 800 mm | 3,900 m |
| Dry puna | 200 mm | 4,300 m |

1. Grass grows in tufts, called *ichu*.
2. Animals are
   - vicuñas, and
   - viscachas 🐾.

> Nights freeze all year.

```python
def height(metres: int) -> str:
    return f"{metres:,} m"
```

More at https://example.org/puna, or in [an atlas](https://example.org/atlas_(book)). <b>Not markup</b>
![seen](https://example.org/track.png) ~~old~~"""

FIELDS = {
    "model": str,
    "messages": list,
    "stream": bool,
    "stream_options": dict,
    "temperature": (int, float),
    "top_p": (int, float),
    "min_p": (int, float),
    "max_completion_tokens": int,
    "seed": int,
    "logprobs": bool,
    "top_logprobs": int,
    "response_format": dict,
    "tools": list,
    "tool_choice": (str, dict),
    "parallel_tool_calls": bool,
}


class Refused(Exception):
    def __init__(self, status, message, param=None, code=None, headers=()):
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.headers = status, message, param, code, headers


# ---- what is asked ----------------------------------------------------------------------------------------------


def check(body):
    for name, value in body.items():
        if name not in FIELDS:
            raise Refused(400, f"unknown field '{name}'", name)
        if not isinstance(value, FIELDS[name]):
            raise Refused(400, f"'{name}' has the wrong type", name)
    if body.get("model") not in MODELS:
        raise Refused(404, f"there is no model '{body.get('model')}'", "model", "model_not_found")
    if body.get("stream") is not True or body.get("stream_options") != {"include_usage": True}:
        raise Refused(400, "this server only streams, with usage", "stream")
    if "top_logprobs" in body and not (body.get("logprobs") and 0 <= body["top_logprobs"] <= 20):
        raise Refused(400, "'top_logprobs' is 0 to 20 and needs 'logprobs'", "top_logprobs")
    calls = []
    for i, message in enumerate(body["messages"]):
        check_message(message, f"messages[{i}]", calls)
    if calls:
        raise Refused(400, f"calls without results: {calls}", "messages")


def check_message(message, where, calls):
    role, content = message.get("role"), message.get("content")
    if role not in ("system", "user", "assistant", "tool"):
        raise Refused(400, f"{where}: the role '{role}' is unknown", "messages")
    if calls and role != "tool":
        raise Refused(400, f"{where}: results of {calls} come first", "messages")
    if role == "tool":
        if message.get("tool_call_id") not in calls or not isinstance(content, str):
            raise Refused(400, f"{where}: a result of no call", "messages")
        calls.remove(message["tool_call_id"])
    if role == "assistant":
        for call in message.get("tool_calls", []):
            json.loads(call["function"]["arguments"])
            calls.append(call["id"])
        if "tool_calls" in message and not message["tool_calls"]:
            raise Refused(400, f"{where}: tool_calls is empty", "messages")
    for part in content if isinstance(content, list) else []:
        if part["type"] == "image_url" and not re.match(r"data:image/(png|jpeg);base64,", part["image_url"]["url"]):
            raise Refused(400, f"{where}: an image that is no data: URL of PNG or JPEG", "messages")


def words_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(p.get("text", "") for p in content)


def refuse_by_words(words):
    if "too long" in words:
        message = f"the prompt has 9,310 tokens and the model's context is {CONTEXT}: nothing was cut"
        raise Refused(400, message, "messages", "context_length_exceeded")
    if "be busy" in words:
        raise Refused(429, "32 requests wait already", None, "overloaded", [("Retry-After", "7")])
    if "bad temperature" in words:
        raise Refused(400, "temperature 1.9 is outside what this model allows, 0 to 1.5", "temperature")
    if "break down" in words:
        raise Refused(500, "the engine stopped: not enough memory for 4,096 keys")


# ---- what is answered -------------------------------------------------------------------------------------------


def answer_to(body):
    """The text of the answer and its tool calls."""
    last = body["messages"][-1]
    words = words_of(last)
    if last["role"] == "tool":
        results = "; ".join(m["content"] for m in body["messages"] if m["role"] == "tool")
        return f"The functions say: {results}.", []
    if "tools" in body and body["tool_choice"] != "none" and "weather" in words:
        cities = ["La Paz", "Juliaca"] if "both" in words and body["parallel_tool_calls"] else ["La Paz"]
        name = body["tools"][0]["function"]["name"]
        return "", [(name, json.dumps({"city": city, "unit": "celsius"})) for city in cities]
    if "response_format" in body:
        population = '"many"' if "break the schema" in words else "1836000"
        return '{"city": "La Paz",\n "country": "Bolivia",\n "population": ' + population + "}", []
    if isinstance(last["content"], list):
        return f"I see {sum(p['type'] == 'image_url' for p in last['content'])} image(s).", []
    if "slowly" in words:
        return " ".join(f"Word {i} of a long answer." for i in range(1, 121)), []
    if "markdown" in words or "puna" in words:
        return MARKDOWN, []
    return f"You said: {words}", []


def pieces_of(text):
    """Tokens as bytes; characters of more than one byte are sometimes cut in two."""
    for piece in re.findall(r"\s?\w+|\s|[^\w\s]", text):
        data = piece.encode()
        if len(data) > 3:
            middle = len(data) - 2 if data[-1] > 127 else len(data)
            yield data[:middle]
            data = data[middle:]
        if data:
            yield data


def logprob_of(piece, i):
    token = piece.decode(errors="replace")
    chance = [0.99, 0.8, 0.45, 0.95, 0.2, 0.07][(i * 7 + len(piece)) % 6]
    log = [-0.01, -0.22, -0.8, -0.05, -1.61, -2.66][(i * 7 + len(piece)) % 6]
    others = [(" the", (1 - chance) * 0.7), (" a", (1 - chance) * 0.2), ("\n", (1 - chance) * 0.08)]
    top = [(token, log)] + [(word, max(-20, math.log(p))) for word, p in others]
    entry = lambda word, value: {"token": word, "logprob": value, "bytes": list(word.encode())}  # noqa: E731
    top = [entry(*t) for t in sorted(top, key=lambda t: -t[1])]
    return {"token": token, "logprob": log, "bytes": list(piece), "top_logprobs": top}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests, gone, lock = [], 0, threading.Lock()

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/health":
            return self.send(200, {"status": "ok"})
        if path == "/mock/requests":
            return self.send(200, {"requests": Handler.requests, "gone": Handler.gone})
        if path == "/v1/models":
            if not self.allowed():
                return self.send_error_body(Refused(401, "this server asks for an API key", None, "invalid_api_key"))
            entry = {"object": "model", "created": 1700000000, "owned_by": "puna", "max_model_len": CONTEXT}
            return self.send(200, {"object": "list", "data": [{"id": name, **entry} for name in MODELS]})
        return self.send_file(path)

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if not self.allowed():
                raise Refused(401, "this server asks for an API key", None, "invalid_api_key")
            if self.path != "/v1/chat/completions":
                raise Refused(404, f"there is no {self.path}")
            if self.headers.get("Content-Type") != "application/json":
                raise Refused(400, "the body must be application/json")
            body = json.loads(data)
            with Handler.lock:
                Handler.requests.append(body)
            check(body)
            refuse_by_words(words_of(body["messages"][-1]))
        except Refused as refused:
            return self.send_error_body(refused)
        try:
            self.stream(body)
        except (BrokenPipeError, ConnectionResetError):
            with Handler.lock:
                Handler.gone += 1
            self.close_connection = True

    def stream(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        words = words_of(body["messages"][-1])
        text, calls = answer_to(body)
        time.sleep(self.server.delay * (20 if "think" in words else 4))
        self.event({"role": "assistant", "content": ""})
        if "think" in words:
            for word in "The question is about grass. I shall be short.".split():
                self.event({"reasoning_content": word + " "})
        done, held = 0, b""
        pause = self.server.delay * (20 if "very slowly" in words else 1)
        for piece in pieces_of(text):
            held += piece
            logprobs = {"content": [logprob_of(piece, done)], "refusal": None} if body.get("logprobs") else None
            done += 1
            try:
                content, held = held.decode(), b""
            except UnicodeDecodeError:
                content = ""
            self.event({"content": content}, logprobs)
            if "midway" in words and done == 5:
                return self.data(
                    {
                        "error": {
                            "message": "the engine ran out of memory",
                            "type": "server_error",
                            "param": None,
                            "code": None,
                        }
                    }
                )
            if "drop the line" in words and done == 5:
                self.close_connection = True
                return self.connection.shutdown(2)
            if done == body.get("max_completion_tokens"):
                break
            time.sleep(pause)
        for index, (name, arguments) in enumerate(calls):
            call = {
                "index": index,
                "id": f"call_{index}",
                "type": "function",
                "function": {"name": name, "arguments": ""},
            }
            self.event({"tool_calls": [call]})
            for at in range(0, len(arguments), 6):
                self.event({"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + 6]}}]})
                time.sleep(self.server.delay)
            done += 10
        reason = "tool_calls" if calls else "length" if done == body.get("max_completion_tokens") else "stop"
        self.event({}, finish=reason)
        prompt = 12 + sum(len(words_of(m)) // 4 + 5 for m in body["messages"])
        details = {"prompt_tokens_details": {"cached_tokens": 0}}
        usage = {"prompt_tokens": prompt, "completion_tokens": done, "total_tokens": prompt + done, **details}
        self.data({**self.chunk_head(), "choices": [], "usage": usage})
        self.write_chunk(b"data: [DONE]\n\n")
        self.write_chunk(b"")

    def chunk_head(self):
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": MODELS[0]}

    def event(self, delta, logprobs=None, finish=None):
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        self.data({**self.chunk_head(), "choices": [choice], "usage": None})

    def data(self, value):
        self.write_chunk(b": ping\n\ndata: " + json.dumps(value).encode() + b"\n\n")
        if "error" in value:
            self.write_chunk(b"")

    def write_chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def allowed(self):
        return not self.server.key or self.headers.get("Authorization") == f"Bearer {self.server.key}"

    def send_file(self, path):
        file = PAGE / (path.lstrip("/") or "chat.html")
        if ".." in path or file.suffix not in TYPES or not file.is_file():
            return self.send_error_body(Refused(404, f"there is no {path}"))
        headers = [
            ("Content-Security-Policy", CSP),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-cache"),
        ]
        return self.send_bytes(200, file.read_bytes(), TYPES[file.suffix], headers)

    def send_error_body(self, refused):
        kind = "invalid_request_error" if refused.status < 500 else "server_error"
        error = {"message": refused.message, "type": kind, "param": refused.param, "code": refused.code}
        self.send(refused.status, {"error": error}, refused.headers)

    def send(self, status, value, headers=()):
        self.send_bytes(status, json.dumps(value).encode(), "application/json", headers)

    def send_bytes(self, status, data, kind, headers):
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(data))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="")
    parser.add_argument("--delay", type=float, default=0.01)
    args = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
    server.daemon_threads = True
    server.key, server.delay = args.key, args.delay
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
