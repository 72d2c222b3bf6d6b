"""Time and memory as a catalogue grows to a million items and its log to ten million events: making the events, reading them, an epoch of training, a graph.

usage: scale.py PUNA --out FILE.json [--items 1000000 --events 10000000] [--seconds S] [--threads 2] [--folder build/bench/scale]

Without --items three sizes grow by ten: 10000:100000, 100000:1000000, 1000000:10000000 (or --sizes). Each trains HSTU for one epoch (batches of 128 users),
or for --seconds, then builds a graph of its items; a line every ten seconds says how far it is and how much memory it holds. What was done stays done: sizes that
FILE.json has are left out, a training that was stopped (Ctrl-C) goes on from its checkpoint, the events are made once.
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
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status", encoding="ascii") if line.startswith("VmRSS"))
    except (OSError, StopIteration):  # it has just ended
        return 0.0


def watched(command, stage, steps=lambda: None, most_seconds=0.0):
    """Runs it, says every ten seconds how it does, stops it (Ctrl-C) when it has trained for most_seconds. (seconds, peak in MB, [[second, step, MB], ...])"""
    start, trained_since, growth = time.monotonic(), None, []
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    stopped = False
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        now = time.monotonic()
        if pid:
            break
        step = steps()
        trained_since = trained_since or (now if step else None)
        if not growth or now - start - growth[-1][0] >= 10:
            growth.append([round(now - start, 1), step, round(held_mb(child.pid))])
            print(f"  {stage}: {growth[-1][0]:.0f} s" + (f", step {step}" if step else "") + f", {growth[-1][2]} MB", file=sys.stderr, flush=True)
        if most_seconds and trained_since and now - trained_since > most_seconds and not stopped:
            child.send_signal(signal.SIGINT)
            stopped = True
        time.sleep(0.2)
    if os.waitstatus_to_exitcode(status) not in ((0, 130) if stopped else (0,)):
        sys.exit(f"{stage}: {child.stderr.read().strip()}")
    return round(now - start, 1), round(usage.ru_maxrss / 1024), growth


def run_size(a, items, events):
    folder = pathlib.Path(a.folder, f"{items}-{events}")
    data, model = folder / "events.csv", folder / "model.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    made = None
    if not data.exists():
        start = time.monotonic()
        made_up_events.main(items, events, f"{data}.part")
        os.rename(f"{data}.part", data)
        made = round(time.monotonic() - start, 1)
    report = {"items": items, "events": events, "threads": a.threads, "events_mb": round(data.stat().st_size / 1e6), "events_made_s": made}
    going_on = (folder / "checkpoint.safetensors").exists() and not model.exists()
    if not going_on:
        (folder / "log.jsonl").unlink(missing_ok=True)
    command = [a.puna, "rec", "train", "--data", data, "--out", folder, "--epochs", "1", "--evaluate-every", "0", "--threads", str(a.threads)]
    before = len(log_of(folder))
    seconds, peak, growth = watched(command + (["--resume"] if going_on else []), "training", lambda: len(log_of(folder)) - before, a.seconds)
    steps = log_of(folder)
    took = [b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:]) if b["seconds"] > a["seconds"]]
    report["train"] = {"seconds": seconds, "resumed": going_on, "to_first_step_s": round(steps[before]["seconds"], 1) if before < len(steps) else None, "steps": len(steps),
                       "epochs": steps[-1]["epoch"], "steps_per_second": round(1 / statistics.median(took), 3) if took else None,
                       "events_per_second": round(sum(s["rows"] for s in steps[1:]) / sum(took)) if took else None, "first_loss": steps[0]["loss"],
                       "last_loss": steps[-1]["loss"], "peak_mb": peak, "growth_s_step_mb": growth}
    if model.exists():
        seconds, peak, growth = watched([a.puna, "rec", "index", model, "--out", folder / "graph", "--threads", str(a.threads)], "graph")
        report["graph"] = {"seconds": seconds, "peak_mb": peak, "file_mb": round((folder / "graph").stat().st_size / 1e6), "growth_s_step_mb": growth}
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
    sizes = [(a.items, a.events or 10 * a.items)] if a.items else [tuple(map(int, size.split(":"))) for size in a.sizes.split(",")]
    out = pathlib.Path(a.out)
    reports = json.loads(out.read_text()) if out.exists() else []
    for items, events in sizes:
        if any((r["items"], r["events"]) == (items, events) for r in reports):
            print(f"{items} items, {events} events: in {out} already", file=sys.stderr)
            continue
        reports.append(run_size(a, items, events))
        print(json.dumps(reports[-1]), flush=True)
        out.with_suffix(".part").write_text(json.dumps(reports, indent=1), encoding="utf-8")
        os.replace(out.with_suffix(".part"), out)


if __name__ == "__main__":
    main()
