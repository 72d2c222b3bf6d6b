"""`puna serve` beside llama-cpp-python's server: the same model, machine and load (`puna bench --serve`), in turns, so
that what else the machine does falls on both. One server computes at a time; the other sleeps.

usage: serve.py PUNA MODEL.gguf [--clients N] [--requests N] [--rounds N] [--peer PYTHON] [--out F.json]
"""

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

RATIO_GOAL = 1.5


@contextlib.contextmanager
def process(command, log, environment=None):
    """It and its children end with the block."""
    p = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True, env=environment
    )
    try:
        yield p
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGTERM)
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
        p.stdout.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url, p, log, seconds=120):
    for _ in range(seconds * 10):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(url, timeout=5).read()
        if p.poll() is not None:
            break
        time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"no server at {url}: {log.read()[-2000:]}")


def load(a, url):
    command = [a.puna, "bench", "--serve", url, "--json", "--endpoint", a.endpoint, "--clients", str(a.clients)]
    command += ["-r", str(a.requests), "-n", str(a.tokens), "-p", str(a.words)]
    run = subprocess.run(command, capture_output=True, text=True)
    if not run.stdout:
        raise RuntimeError(f"{url}: {run.stderr}")
    return json.loads(run.stdout)


def median(results, key):
    return statistics.median(r[key] for r in results)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("puna")
    p.add_argument("model")
    p.add_argument("--clients", type=int, default=8)
    p.add_argument("--requests", type=int, default=3)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--tokens", type=int, default=32)
    p.add_argument("--words", type=int, default=64)
    p.add_argument("--endpoint", default="chat")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--peer", help="a Python with llama-cpp-python[server]; without it only ours is measured")
    p.add_argument("--out")
    a = p.parse_args()
    ours, theirs = [], []
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2)]
        command = [a.puna, "serve", f"model={a.model}", "--port", "0", "--ctx", "2048", "--log", "none"]
        server = stack.enter_context(process([*command, "--threads", str(a.threads)], logs[0]))
        own = re.match(r"http://\S+", server.stdout.readline())
        if not own:
            logs[0].seek(0)
            raise RuntimeError(f"puna serve: {logs[0].read()}")
        urls = [(ours, own[0])]
        if a.peer:
            port = free_port()
            command = [a.peer, "-m", "llama_cpp.server", "--model", a.model, "--host", "127.0.0.1", "--port", str(port)]
            # Without this it stops a stream when another request comes (interrupt_requests).
            command += ["--n_ctx", "2048", "--n_threads", str(a.threads), "--n_threads_batch", str(a.threads)]
            command += ["--interrupt_requests", "False", "--verbose", "False"]
            peer = stack.enter_context(process(command, logs[1]))
            wait_for(f"http://127.0.0.1:{port}/v1/models", peer, logs[1])
            urls.append((theirs, f"http://127.0.0.1:{port}"))
        for number in range(a.rounds):
            for results, url in urls[:: 1 if number % 2 == 0 else -1]:
                results.append(load(a, url))
    report = {"clients": a.clients, "requests": a.clients * a.requests, "tokens": a.tokens, "words": a.words}
    for name, results in (("puna", ours), ("llama-cpp-python", theirs)):
        if not results:
            continue
        row = {k: median(results, k) for k in results[0] if isinstance(results[0][k], float) and k != "seconds"}
        report[name] = row | {"errors": sum(r["errors"] for r in results), "pieces": median(results, "pieces")}
        row = report[name]
        print(
            f"{name:17} {row['requests_a_second']:7.2f} requests/s  {row['pieces_a_second']:7.1f} tokens/s  "
            f"first token p50 {row['first_token_p50_s'] * 1e3:.0f} p99 {row['first_token_p99_s'] * 1e3:.0f} ms  "
            f"between p50 {row['between_tokens_p50_s'] * 1e3:.1f} p99 {row['between_tokens_p99_s'] * 1e3:.1f} ms  "
            f"whole p99 {row['whole_p99_s'] * 1e3:.0f} ms  errors {row['errors']}"
        )
    if theirs:
        ratios = [o["requests_a_second"] / t["requests_a_second"] for o, t in zip(ours, theirs)]
        report["ratio"] = statistics.median(ratios)
        keys = ("first_token_p99_s", "between_tokens_p99_s", "whole_p99_s")
        report["p99_ratios"] = {k: statistics.median(o[k] / t[k] for o, t in zip(ours, theirs)) for k in keys}
        print(
            f"requests a second: {report['ratio']:.2f}x (median of {len(ratios)} pairs, goal {RATIO_GOAL}x); "
            "p99 of ours "
            + ", ".join(f"{k[:-6]} {v:.2f}x" for k, v in report["p99_ratios"].items())
            + " (goal at most 1x each)"
        )
    if a.out:
        with open(a.out, "w", encoding="utf-8") as f:
            json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
