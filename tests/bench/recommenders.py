"""HSTU and SASRec training steps: Puna against a plain PyTorch statement of the same models, taking turns on the same
data and threads.

usage: recommenders.py PUNA ML-100K.inter --out FILE.json [--rounds 3] [--epochs 2] [--threads 2]

PyTorch runs in this script's own interpreter, each turn in a process of its own, with glibc's malloc told to keep its
pages (without that it is slower and noisier). Both do AdamW on batches of 128 users, the last 200 events each, 128
sampled negatives an event, dropout .2; a step's time is the median of a turn's steps but the first, memory is the
process's peak. Before that both compute the loss of all users with the same weights, without dropout: where the two
differ by more than drawing other negatives does (.02), nothing is measured.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

from torch_peers import TUNED


def torch_worker(model_name, path, epochs, threads, weights=None):
    import torch

    import torch_recommenders as peer

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    users = peer.histories(path)
    model = peer.Model(model_name, max(i for h in users for i, _ in h))
    if weights:
        model.load(weights)
        model.eval()
        with torch.no_grad():
            losses = [model.loss(*peer.tensors_of(users[u : u + peer.USERS])) for u in range(0, len(users), peer.USERS)]
        print(json.dumps({"loss": sum(loss.item() * rows for loss, rows in losses) / sum(rows for _, rows in losses)}))
        return
    steps = list(peer.train(model, users, epochs))
    seconds = [s for users_of_it, s, _ in steps if users_of_it == peer.USERS]
    print(
        json.dumps(
            {
                "seconds": statistics.median(seconds[1:]),
                "losses": [loss for _, _, loss in steps],
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def puna_train(puna, model, path, folder, epochs, threads, more=()):
    """Its log's steps, and the peak memory in MB."""
    child = subprocess.Popen(
        [
            puna,
            "rec",
            "train",
            "--data",
            path,
            "--out",
            folder,
            "--model",
            model,
            "--epochs",
            str(epochs),
            "--threads",
            str(threads),
            "--evaluate-every",
            str(epochs + 1),
            *more,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{puna} rec train ended with status {status}")
    with open(f"{folder}/log.jsonl", encoding="utf-8") as f:
        return [s for s in map(json.loads, f) if "loss" in s], usage.ru_maxrss / 1024


def puna_turn(puna, model, path, epochs, threads):
    with tempfile.TemporaryDirectory() as folder:
        steps, peak = puna_train(puna, model, path, folder, epochs, threads)
    full = [
        b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:]) if b["epoch"] != int(b["epoch"])
    ]  # an epoch's last batch is smaller
    return {"seconds": statistics.median(full), "losses": [s["loss"] for s in steps], "peak_mb": peak}


def require_same_loss(puna, model, path, threads):
    """One step over all users that changes next to nothing tells the loss of new weights; PyTorch computes it from the
    same ones."""
    with tempfile.TemporaryDirectory() as folder:
        steps, _ = puna_train(
            puna, model, path, folder, 1, threads, ["--users", "100000", "--lr", "1e-12", "--dropout", "0"]
        )
        theirs = torch_turn(model, path, 1, threads, f"{folder}/model.safetensors")["loss"]
    ours = steps[0]["loss"]
    print(f"{model}: loss of the same weights {ours:.4f}, PyTorch {theirs:.4f}", flush=True)
    if abs(ours - theirs) > 0.02:
        sys.exit(f"{model}: the two do not compute the same loss")
    return ours, theirs


def last_epoch(losses, epochs):
    return statistics.mean(losses[-len(losses) // epochs :])


def torch_turn(model, path, epochs, threads, *weights):
    command = [sys.executable, __file__, "--worker", model, path, str(epochs), str(threads), *weights]
    return json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, **TUNED)).stdout
    )


def main():
    if sys.argv[1:2] == ["--worker"]:
        return torch_worker(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), *sys.argv[6:])
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("puna")
    p.add_argument("data")
    p.add_argument("--out", required=True)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--epochs", type=int, default=2)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    report = {}
    for model in ("hstu", "sasrec"):
        same = require_same_loss(a.puna, model, a.data, a.threads)
        turns = [
            (puna_turn(a.puna, model, a.data, a.epochs, a.threads), torch_turn(model, a.data, a.epochs, a.threads))
            for _ in range(a.rounds)
        ]
        ours, theirs = zip(*turns)
        ratios = [t["seconds"] / o["seconds"] for o, t in turns]
        report[model] = {
            "same_weights_losses": same,
            "puna_steps_per_second": [1 / o["seconds"] for o in ours],
            "torch_steps_per_second": [1 / t["seconds"] for t in theirs],
            "times_faster": ratios,
            "puna_peak_mb": max(o["peak_mb"] for o in ours),
            "torch_peak_mb": max(t["peak_mb"] for t in theirs),
            "puna_last_losses": [last_epoch(o["losses"], a.epochs) for o in ours],
            "torch_last_losses": [last_epoch(t["losses"], a.epochs) for t in theirs],
        }
        r = report[model]
        print(
            f"{model}: Puna {statistics.median(r['puna_steps_per_second']):.2f} steps/s, {r['puna_peak_mb']:.0f} MB; "
            f"PyTorch {statistics.median(r['torch_steps_per_second']):.2f} steps/s, {r['torch_peak_mb']:.0f} MB; "
            f"{min(ratios):.1f}x to {max(ratios):.1f}x; loss of the last epoch {statistics.mean(r['puna_last_losses']):.3f}, {statistics.mean(r['torch_last_losses']):.3f}",
            flush=True,
        )
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
