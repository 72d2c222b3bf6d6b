"""A file of prompts answered together: a JSONL file in, a JSONL file out, a progress bar, and what a stopped run has
answered already is not asked again. `puna batch` does the same from the shell.

usage: 18_batch_python.py MODEL IN.jsonl OUT.jsonl [MAX_TOKENS]       a line of IN: {"prompt": "..."}
"""

import collections
import json
import pathlib
import sys
import time

import puna

AT_ONCE = 16


def answered(path):
    """Lines of OUT that are whole; one that a stopped run began is cut off."""
    done = {}
    whole = 0
    if path.exists():
        data = path.read_bytes()
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            done[json.loads(line)["line"]] = line
            whole += len(line)
        with path.open("r+b") as f:
            f.truncate(whole)
    return done


def main(model, source, target, max_tokens=64):
    source, target = pathlib.Path(source), pathlib.Path(target)
    prompts = [json.loads(line)["prompt"] for line in source.read_text(encoding="utf-8").splitlines()]
    done = answered(target)
    waiting = collections.deque(i for i in range(len(prompts)) if i not in done)
    running = collections.deque()
    tokens, start = 0, time.monotonic()
    with puna.Engine(puna.Model(model), max_running=AT_ONCE) as engine, target.open("ab") as out:
        while waiting or running:
            while waiting and len(running) < 2 * AT_ONCE:  # the next begin as soon as a place is free
                line = waiting.popleft()
                running.append((line, engine.submit(prompts[line], max_tokens=int(max_tokens))))
            line, request = running.popleft()
            reply = request.result()
            out.write(json.dumps({"line": line, "text": reply.text, "stop": reply.stop_reason}).encode() + b"\n")
            out.flush()
            done[line] = None
            tokens += len(reply.tokens)
            if sys.stderr.isatty():
                bar = "#" * (40 * len(done) // len(prompts))
                rate = tokens / (time.monotonic() - start)
                print(f"\r[{bar:<40}] {len(done)}/{len(prompts)}  {rate:.1f} tokens/s", end="", file=sys.stderr)
    print(f"{len(done)} answers in {target}, {tokens} tokens by this run", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command goes on")
