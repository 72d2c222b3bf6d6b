"""Many clients at once for a while: streams, tools, schemas, pictures (to a second model), random disconnects. Prints
what it took, and fails on an error, a request that does not end, or memory that grows.

soak.py [--clients 24] [--requests 200] [--model PATH] [--seconds-limit 3600]"""

import argparse
import base64
import collections
import json
import pathlib
import random
import re
import socket
import sys
import threading
import time

from served import MODEL, ROOT, Served
from test_serve import SCHEMA, WEATHER

EYES = ROOT / "tests/data/golden/multimodal"
SAID = re.compile(rb'"(content|arguments)":"[^"]')
WORDS = "the sea was grey and Anne walked to the house where her sister had been waiting since the morning".split()


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


class Soak:
    def __init__(self, server, clients, requests):
        self.server, self.clients, self.requests = server, clients, requests
        self.first, self.gaps, self.whole = [], [], []
        self.counts, self.errors = collections.Counter(), []  # counts: by status, and who left
        self.lock = threading.Lock()
        self.seen = 0  # answers about pictures
        files = sorted(EYES.glob("image_*.png"))
        self.pictures = [f"data:image/png;base64,{base64.b64encode(f.read_bytes()).decode()}" for f in files]

    def picture(self, r):
        """A question about a picture, to the model with eyes."""
        file = r.choice(self.pictures)
        parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": file}}]
        body = {"model": "eyes", "messages": [{"role": "user", "content": parts[:: r.choice([1, -1])]}]}
        return body | {"max_tokens": r.choice([4, 12]), "seed": r.randrange(99), "stream": r.random() < 0.7}

    def body(self, r):
        if r.random() < 0.1:
            return self.picture(r)
        text = " ".join(r.choices(WORDS, k=r.choice([5, 20, 80])))
        body = {
            "messages": [{"role": "user", "content": text}],
            "max_tokens": r.choice([4, 12, 32]),
            "seed": r.randrange(99),
        }
        kind = r.randrange(6)
        if kind == 1:
            body |= {"tools": [WEATHER], "tool_choice": r.choice(["auto", "required"]), "max_tokens": 64}
        if kind == 2:
            body |= {
                "response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA}},
                "max_tokens": 96,
            }
        if kind == 3:
            body |= {"logprobs": True, "top_logprobs": 3, "n": 2}
        if kind == 4:
            body |= {"stop": ["the"], "temperature": 0}
        body["stream"] = r.random() < 0.7
        return body

    def client(self, number):
        r = random.Random(number)
        for _ in range(self.requests):
            try:
                self.ask(r)
            except Exception as e:  # noqa: BLE001: every failure is reported
                with self.lock:
                    self.errors.append(f"{type(e).__name__}: {e}")

    def ask(self, r):
        body, leave = self.body(r), r.random() < 0.1
        start = time.monotonic()
        s = self.server.send("/v1/chat/completions", body)
        s.settimeout(60)
        with s:
            if leave:
                time.sleep(r.random() * 0.2)
                with self.lock:
                    self.counts["left"] += 1
                return
            data, times = b"", []
            while not self.ended(data):
                piece = s.recv(1 << 16)
                if not piece:
                    break
                if SAID.search(piece):
                    times.append(time.monotonic())
                data += piece
        status = int(data[9:12] or 0)
        with self.lock:
            self.counts[status] += 1
            if status == 200:
                self.whole.append(time.monotonic() - start)
                if body["stream"]:
                    self.first += [t - start for t in times[:1]]
                    self.gaps += [b - a for a, b in zip(times[1:], times[2:])]
                    if b"data: [DONE]" not in data or b'"error"' in data:
                        self.errors.append(f"a stream ended with {data[-300:]!r}")
                self.seen += body.get("model") == "eyes"
            elif status != 503:
                self.errors.append(data[:600].decode("utf-8", "replace"))

    @staticmethod
    def ended(data):
        head, _, rest = data.partition(b"\r\n\r\n")
        if not _:
            return False
        if b"chunked" in head:
            return rest.endswith(b"0\r\n\r\n")
        length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        return len(rest) >= int(length)

    def run(self):
        threads = [threading.Thread(target=self.client, args=(i,)) for i in range(self.clients)]
        start, samples = time.monotonic(), []
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            time.sleep(0.5)
            samples.append((memory(self.server.process.pid), self.server.metric("puna_cache_bytes")))
        self.server.wait_for("puna_requests_running", 0)
        return time.monotonic() - start, samples


def at(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000 if values else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--clients", type=int, default=24)
    p.add_argument("--requests", type=int, default=200)
    p.add_argument("--model", default=str(MODEL))
    p.add_argument("--memory-limit", default="600M")  # the cache of prompts takes a quarter and is then full
    p.add_argument("--out")
    a = p.parse_args()
    with Served("--memory-limit", a.memory_limit, "--ctx", "1024", models=(a.model, f"eyes={EYES}")) as server:
        for _ in range(20):
            server.chat()
        soak = Soak(server, a.clients, a.requests)
        took, samples = soak.run()
        idle = [float(x) for x in pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().split()[13:15]]
        time.sleep(2)
        after = [float(x) for x in pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().split()[13:15]]
        half = samples[len(samples) // 2]
        report = {
            "requests": sum(soak.counts.values()),
            "statuses": {str(k): v for k, v in soak.counts.items()},
            "about_pictures": soak.seen,
            "errors": len(soak.errors),
            "seconds": round(took, 1),
            "requests_a_second": round(sum(soak.counts.values()) / took, 1),
            "first_token_ms": {"p50": round(at(soak.first, 0.5), 1), "p99": round(at(soak.first, 0.99), 1)},
            "between_tokens_ms": {"p50": round(at(soak.gaps, 0.5), 2), "p99": round(at(soak.gaps, 0.99), 2)},
            "memory_MB": {"half way": round(half[0] / 1e6), "end": round(samples[-1][0] / 1e6)},
            "allocated_MB": round(server.metric("puna_memory_bytes") / 1e6),
            "cache_MB": {"half way": round(half[1] / 1e6), "end": round(samples[-1][1] / 1e6)},
            "idle_cpu_percent": round((sum(after) - sum(idle)) / 2, 1),
        }
    print(json.dumps(report, indent=1))
    if a.out:
        pathlib.Path(a.out).write_text(json.dumps(report, indent=1) + "\n")
    for e in soak.errors[:5]:
        print(e, file=sys.stderr)
    # A short run ends while the cache of prompts still fills: what counts is what is held beside it.
    grown = samples[-1][0] - samples[-1][1] > 1.1 * (half[0] - half[1]) + (32 << 20)
    if grown:
        print("memory grew", file=sys.stderr)
    return bool(soak.errors) or grown


if __name__ == "__main__":
    sys.exit(main())
