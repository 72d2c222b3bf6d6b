"""Time and memory as a catalogue grows to a million items and its log to ten million events: making the events, reading
them, an epoch of training, a graph.

usage: scale.py PUNA --out FILE.json [--items 1000000 --events 10000000] [--seconds S] [--threads 2] [--folder
build/bench/scale]

Without --items three sizes grow by ten: 10000:100000, 100000:1000000, 1000000:10000000 (or --sizes). Each trains HSTU
for one epoch (batches of 128 users), or for --seconds, then builds a graph of its items; a line every ten seconds says
how far it is and how much memory it holds. What was done stays done: sizes that FILE.json has are left out, stages that
--folder has reports of are not run again, a training that was stopped (Ctrl-C) goes on from its checkpoint.
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


def log_of(folder):
    log = folder / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")] if log.exists() else []


def held_mb(pid):
    try:
        return next(
            int(line.split()[1]) / 1024
            for line in open(f"/proc/{pid}/status", encoding="ascii")
            if line.startswith("VmRSS")
        )
    except (OSError, StopIteration):  # it has just ended
        return 0.0


def watched(command, stage, steps=lambda: None, most_seconds=0.0):
    """Runs it, says every ten seconds how it does, stops it (Ctrl-C) when it has trained for most_seconds. (seconds,
    peak in MB, [[second, step, MB], ...])"""
    start, trained_since, growth = time.monotonic(), None, []
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    stopped = False
    while True:  # a Ctrl-C reaches the child as well: it ends by itself, and keeps what it has done
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            break
        step = steps()
        trained_since = trained_since or (now if step else None)
        if now - start >= (growth[-1][0] + 10 if growth else 1):
            growth.append([round(now - start, 1), step, round(held_mb(child.pid))])
            print(
                f"  {stage}: {growth[-1][0]:.0f} s" + (f", step {step}" if step else "") + f", {growth[-1][2]} MB",
                file=sys.stderr,
                flush=True,
            )
        if most_seconds and trained_since and now - trained_since > most_seconds and not stopped:
            child.send_signal(signal.SIGINT)
            stopped = True
        try:
            time.sleep(0.2)
        except KeyboardInterrupt:
            child.wait()
            raise
    if os.waitstatus_to_exitcode(status) not in ((0, 130) if stopped else (0,)):
        sys.exit(f"{stage}: {child.stderr.read().strip()}")
    return round(now - start, 1), round(usage.ru_maxrss / 1024), growth


def once(path, work):
    """What work() reports, kept in a file, so that it is not done again."""
    if not path.exists():
        report = work()
        path.write_text(json.dumps(report), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def make_events(items, events, data):
    start = time.monotonic()
    made_up_events.main(items, events, data)
    return {"seconds": round(time.monotonic() - start, 1), "file_mb": round(os.path.getsize(data) / 1e6)}


def train(a, folder):
    going_on = (folder / "checkpoint.safetensors").exists()
    if not going_on:
        (folder / "log.jsonl").unlink(missing_ok=True)
    before = len(log_of(folder))
    command = [
        a.puna,
        "rec",
        "train",
        "--data",
        folder / "events.csv",
        "--out",
        folder,
        "--epochs",
        "1",
        "--evaluate-every",
        "0",
        "--threads",
        str(a.threads),
    ]
    seconds, peak, growth = watched(
        command + (["--resume"] if going_on else []), "training", lambda: len(log_of(folder)) - before, a.seconds
    )
    steps = log_of(folder)
    took = [
        later["seconds"] - sooner["seconds"]
        for sooner, later in zip(steps, steps[1:])
        if later["seconds"] > sooner["seconds"]
    ]  # not where it was resumed
    return {
        "seconds": seconds,
        "resumed": going_on,
        "steps": len(steps),
        "epochs": steps[-1]["epoch"],
        "seconds_to_first_step": round(steps[min(before, len(steps) - 1)]["seconds"], 1),
        "steps_per_second": round(1 / statistics.median(took), 3),
        "events_per_second": round(statistics.mean(s["rows"] for s in steps) / statistics.median(took)),
        "first_loss": steps[0]["loss"],
        "last_loss": steps[-1]["loss"],
        "peak_mb": peak,
        "growth_s_step_mb": growth,
    }


def build_graph(a, folder):
    seconds, peak, growth = watched(
        [a.puna, "rec", "index", folder / "model.safetensors", "--out", folder / "graph", "--threads", str(a.threads)],
        "graph",
    )
    return {
        "seconds": seconds,
        "peak_mb": peak,
        "file_mb": round((folder / "graph").stat().st_size / 1e6),
        "growth_s_step_mb": growth,
    }


def run_size(a, items, events):
    folder = pathlib.Path(a.folder, f"{items}-{events}")
    folder.mkdir(parents=True, exist_ok=True)
    report = {"items": items, "events": events, "threads": a.threads}
    report["made"] = once(folder / "made.json", lambda: make_events(items, events, folder / "events.csv"))
    report["train"] = once(folder / "train.json", lambda: train(a, folder))
    if (folder / "model.safetensors").exists():
        report["graph"] = once(folder / "graph.json", lambda: build_graph(a, folder))
    return report


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("puna")
    p.add_argument("--out", required=True)
    p.add_argument("--folder", default="build/bench/scale")
    p.add_argument("--items", type=int)
    p.add_argument("--events", type=int)
    p.add_argument("--seconds", type=float, default=0)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--sizes", default="10000:100000,100000:1000000,1000000:10000000")
    a = p.parse_args()
    sizes = (
        [(a.items, a.events or 10 * a.items)]
        if a.items
        else [tuple(map(int, size.split(":"))) for size in a.sizes.split(",")]
    )
    out = pathlib.Path(a.out)
    reports = json.loads(out.read_text()) if out.exists() else []
    for items, events in sizes:
        if any((r["items"], r["events"]) == (items, events) for r in reports):
            print(f"{items} items, {events} events: in {out} already", file=sys.stderr)
            continue
        try:
            reports.append(run_size(a, items, events))
        except KeyboardInterrupt:
            sys.exit("stopped; the same command goes on")
        print(json.dumps(reports[-1]), flush=True)
        out.with_suffix(".part").write_text(json.dumps(reports, indent=1), encoding="utf-8")
        os.replace(out.with_suffix(".part"), out)


if __name__ == "__main__":
    main()
