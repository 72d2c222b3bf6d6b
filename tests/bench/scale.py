"""Time and memory as a catalogue grows to a million items and its log to ten million events: reading, training steps, a model's answer.

usage: scale.py PUNA --out FILE.json [--seconds 60] [--threads 2] [--folder build/bench/scale] [--sizes 10000:100000,100000:1000000,1000000:10000000]

Each size trains HSTU (batches of 128 users) until --seconds have passed since the first step, then is stopped as a user would (Ctrl-C) and trained to
the end of one step only, to have a model that can be asked. Memory is the process's peak.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

import made_up_events


def peak_of(child):
    _, status, usage = os.wait4(child.pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024


def log_of(folder):
    log = pathlib.Path(folder, "log.jsonl")
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")] if log.exists() else []


def train(puna, data, folder, seconds, threads):
    start = time.monotonic()
    for old in pathlib.Path(folder).glob("*"):
        old.unlink()
    child = subprocess.Popen([puna, "rec", "train", "--data", data, "--out", folder, "--epochs", "1000", "--evaluate-every", "1000", "--threads", str(threads)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not log_of(folder):
        if child.poll() is not None:
            sys.exit(child.stderr.read())
        time.sleep(0.1)
    first = time.monotonic() - start
    time.sleep(seconds)
    child.send_signal(signal.SIGINT)
    _, peak = peak_of(child)
    steps = log_of(folder)
    took = [b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:])]
    return {"seconds_to_first_step": round(first, 1), "steps_per_second": 1 / statistics.median(took), "events_per_second": steps[-1]["rows"] / statistics.median(took),
            "steps": len(steps), "first_loss": steps[0]["loss"], "last_loss": steps[-1]["loss"], "peak_mb": round(peak), "file_mb": round(os.path.getsize(data) / 1e6)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("puna")
    p.add_argument("--out", required=True)
    p.add_argument("--folder", default="build/bench/scale")
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--sizes", default="10000:100000,100000:1000000,1000000:10000000")
    a = p.parse_args()
    report = []
    for size in a.sizes.split(","):
        items, events = map(int, size.split(":"))
        os.makedirs(f"{a.folder}/run", exist_ok=True)
        data = f"{a.folder}/{items}-{events}.csv"
        if not os.path.exists(data):
            made_up_events.main(items, events, data)
        report.append({"items": items, "events": events, **train(a.puna, data, f"{a.folder}/run", a.seconds, a.threads)})
        print(json.dumps(report[-1]), flush=True)
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
