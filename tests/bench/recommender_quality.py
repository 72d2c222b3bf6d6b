"""What HSTU and SASRec reach on MovieLens-100K: Puna's training against PyTorch's of the same models, judged by the
same evaluation.

usage: recommender_quality.py PUNA ML-100K.inter --out FILE.json [--models hstu sasrec] [--seeds 42 43 44] [--epochs
101] [--workers 2]

Both do AdamW on batches of 128 users, the last 200 events each, 128 sampled negatives an event, dropout .2. PyTorch's
weights are written as a file of ours, and `puna rec eval` ranks every user's last item within the whole catalogue for
both. Two trainings of one thread run at a time.
"""

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile

from torch_peers import TUNED

METRICS = ("hr@10", "ndcg@10", "hr@50", "mrr")


def torch_worker(name, path, epochs, seed, like, out):
    import torch

    import torch_recommenders as peer

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    users = peer.histories(path)
    model = peer.Model(name, max(i for h in users for i, _ in h))
    steps_an_epoch = -(-len(users) // peer.USERS)
    for i, (_, _, loss) in enumerate(peer.train(model, users, epochs, all_items=True), 1):
        if i % (10 * steps_an_epoch) == 0:
            print(
                f"{name}, seed {seed}: epoch {i // steps_an_epoch} of {epochs}, loss {loss:.3f}",
                file=sys.stderr,
                flush=True,
            )
    model.save(out, like)


def run(command):
    return subprocess.run(
        [str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True, env=dict(os.environ, **TUNED)
    ).stdout


def puna_training(a, model, seed, folder, epochs):
    run(
        [
            a.puna,
            "rec",
            "train",
            "--data",
            a.data,
            "--out",
            folder,
            "--model",
            model,
            "--seed",
            seed,
            "--epochs",
            epochs,
            "--threads",
            1,
            "--evaluate-every",
            0,
        ]
    )
    return f"{folder}/model.safetensors"


def evaluation(a, file):
    return json.loads(run([a.puna, "rec", "eval", file, "--data", a.data, "--threads", 1]))


def one(a, engine, model, seed):
    with tempfile.TemporaryDirectory() as folder:
        if engine == "puna":
            file = puna_training(a, model, seed, folder, a.epochs)
        else:
            like, file = puna_training(a, model, seed, folder, 1), f"{folder}/torch.safetensors"
            run([sys.executable, __file__, "--worker", model, a.data, a.epochs, seed, like, file])
        return evaluation(a, file)


def main():
    if sys.argv[1:2] == ["--worker"]:
        name, path, epochs, seed, like, out = sys.argv[2:]
        return torch_worker(name, path, int(epochs), int(seed), like, out)
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("puna")
    p.add_argument("data")
    p.add_argument("--out", required=True)
    p.add_argument("--models", nargs="+", default=["hstu", "sasrec"])
    p.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44])
    p.add_argument("--epochs", type=int, default=101)
    p.add_argument("--workers", type=int, default=2)
    a = p.parse_args()
    runs = [(engine, model, seed) for model in a.models for seed in a.seeds for engine in ("torch", "puna")]
    with concurrent.futures.ThreadPoolExecutor(a.workers) as pool:
        results = list(pool.map(lambda r: one(a, *r), runs))
    report = {}
    for model in a.models:
        for engine in ("puna", "torch"):
            row = [r for (e, m, _), r in zip(runs, results) if (e, m) == (engine, model)]
            report[f"{model} {engine}"] = row
            print(
                f"{model:7} {engine:6}"
                + "".join(
                    f"  {k} {statistics.mean(r[k] for r in row):.4f} ({' '.join(f'{r[k]:.4f}' for r in row)})"
                    for k in METRICS
                ),
                flush=True,
            )
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
