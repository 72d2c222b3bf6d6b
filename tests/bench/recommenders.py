"""HSTU and SASRec training steps: Puna against a plain PyTorch statement of the same models, taking turns on the same data and threads.

usage: recommenders.py PUNA ML-100K.inter --out FILE.json [--rounds 3] [--epochs 2] [--threads 2]

PyTorch runs in this script's own interpreter, each turn in a process of its own, with glibc's malloc told to keep its pages (without that it is
slower and noisier). Both do AdamW on batches of 128 users, the last 200 events each, 128 sampled negatives an event, dropout .2; a step's time is
the median of a turn's steps but the first, memory is the process's peak.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

N, D, BLOCKS, NEGATIVES, TEMPERATURE, DROPOUT, USERS = 211, 50, 2, 128, 0.05, 0.2, 128
TUNED = {"MALLOC_MMAP_THRESHOLD_": "34359738368", "MALLOC_TRIM_THRESHOLD_": "34359738368", "MALLOC_TOP_PAD_": "268435456"}


def histories(path):
    """Users' (item, time) in order of time, without the last."""
    users = {}
    with open(path, encoding="utf-8") as f:
        next(f)
        for line in f:
            user, item, _, when = line.split("\t")
            users.setdefault(int(user), []).append((int(float(when)), int(item)))
    return [[(i, t) for t, i in sorted(h, key=lambda e: e[0])][:-1][-201:] for _, h in sorted(users.items())]


def torch_worker(model_name, path, epochs, threads):
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    class Hstu(nn.Module):
        def __init__(self):
            super().__init__()
            self.uvqk = nn.Parameter(torch.randn(D, 4 * D) * 0.02)
            self.positions = nn.Parameter(torch.randn(2 * N - 1) * 0.02)
            self.times = nn.Parameter(torch.randn(129) * 0.02)
            self.out = nn.Linear(D, D)

        def forward(self, x, keep, bucket, distance):
            n = F.layer_norm(x, (D,), eps=1e-6)
            u, v, q, k = F.silu(n @ self.uvqk).split(D, dim=-1)
            weights = F.silu(q @ k.transpose(1, 2) + self.positions[distance] + self.times[bucket]) / N * keep
            return F.dropout(u * F.layer_norm(weights @ v, (D,), eps=1e-6), DROPOUT, self.training) @ self.out.weight.T + self.out.bias + x

    class SasRec(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(D, 1, dropout=DROPOUT, batch_first=True)
            self.up, self.down = nn.Linear(D, D), nn.Linear(D, D)

        def forward(self, x, keep, _bucket, _distance):
            q = F.layer_norm(x, (D,), eps=1e-8)
            h = F.layer_norm(q + self.attention(q, x, x, attn_mask=keep == 0, need_weights=False)[0], (D,), eps=1e-8)
            return F.dropout(self.down(F.dropout(F.relu(self.up(h)), DROPOUT, self.training)), DROPOUT, self.training) + h

    class Model(nn.Module):
        def __init__(self, items):
            super().__init__()
            self.items, self.places = nn.Embedding(items + 1, D), nn.Embedding(N, D)
            nn.init.trunc_normal_(self.items.weight, std=0.02)
            self.blocks = nn.ModuleList([(Hstu if model_name == "hstu" else SasRec)() for _ in range(BLOCKS)])
            self.register_buffer("keep", torch.tril(torch.ones(N, N)))
            self.register_buffer("distance", torch.arange(N)[None, :] - torch.arange(N)[:, None] + N - 1)

        def forward(self, ids, times):
            valid = (ids != 0).unsqueeze(-1)
            x = F.dropout(self.items(ids) * D**0.5 + self.places.weight, DROPOUT, self.training) * valid
            bucket = None
            if model_name == "hstu":
                ahead = torch.cat([times[:, 1:], times[:, -1:]], 1).unsqueeze(2) - times.unsqueeze(1)
                bucket = (torch.log(ahead.abs().clamp(min=1).float()) / 0.301).long().clamp(0, 128)
            for block in self.blocks:
                x = block(x, self.keep, bucket, self.distance) * valid
            return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-6)

        def loss(self, ids, times, targets):
            rows = targets != 0
            e, target = self(ids, times)[rows], targets[rows]
            drawn = torch.randint(1, self.items.num_embeddings, (len(target), NEGATIVES))
            unit = F.normalize(self.items(torch.cat([target.unsqueeze(1), drawn], 1)), dim=-1, eps=1e-6)
            logits = torch.einsum("td,tmd->tm", e, unit) / TEMPERATURE
            hit = torch.cat([torch.zeros_like(target, dtype=torch.bool).unsqueeze(1), drawn == target.unsqueeze(1)], 1)
            return F.cross_entropy(logits.masked_fill(hit, -5e4), torch.zeros_like(target)), len(target)

    all_users = histories(path)
    model = Model(max(i for h in all_users for i, _ in h))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    seconds, losses = [], []
    for _ in range(epochs):
        order = torch.randperm(len(all_users)).tolist()
        for first in range(0, len(order), USERS):
            batch = [all_users[u] for u in order[first:first + USERS]]
            ids, times, targets = (torch.zeros(len(batch), N, dtype=torch.long) for _ in range(3))
            for row, h in enumerate(batch):
                n = len(h) - 1
                ids[row, :n] = torch.tensor([i for i, _ in h[:n]])
                targets[row, :n] = torch.tensor([i for i, _ in h[1:]])
                times[row, :n + 1] = torch.tensor([t for _, t in h])
            start = time.perf_counter()
            optimizer.zero_grad()
            loss, _ = model.loss(ids, times, targets)
            loss.backward()
            optimizer.step()
            if len(batch) == USERS:
                seconds.append(time.perf_counter() - start)
            losses.append(loss.item())
    print(json.dumps({"seconds": statistics.median(seconds[1:]), "losses": losses, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def puna_turn(puna, model, path, epochs, threads):
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen([puna, "rec", "train", "--data", path, "--out", folder, "--model", model, "--epochs", str(epochs), "--threads", str(threads),
                                  "--evaluate-every", str(epochs + 1)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit(f"{puna} rec train ended with status {status}")
        with open(f"{folder}/log.jsonl", encoding="utf-8") as f:
            steps = [s for s in map(json.loads, f) if "loss" in s]
    full = [b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:]) if b["epoch"] != int(b["epoch"])]  # an epoch's last batch is smaller
    return {"seconds": statistics.median(full), "losses": [s["loss"] for s in steps], "peak_mb": usage.ru_maxrss / 1024}


def torch_turn(model, path, epochs, threads):
    command = [sys.executable, __file__, "--worker", model, path, str(epochs), str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, **TUNED)).stdout)


def main():
    if sys.argv[1:2] == ["--worker"]:
        return torch_worker(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
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
        turns = [(puna_turn(a.puna, model, a.data, a.epochs, a.threads), torch_turn(model, a.data, a.epochs, a.threads)) for _ in range(a.rounds)]
        ours, theirs = zip(*turns)
        ratios = [t["seconds"] / o["seconds"] for o, t in turns]
        report[model] = {"puna_steps_per_second": [1 / o["seconds"] for o in ours], "torch_steps_per_second": [1 / t["seconds"] for t in theirs],
                         "times_faster": ratios, "puna_peak_mb": max(o["peak_mb"] for o in ours), "torch_peak_mb": max(t["peak_mb"] for t in theirs),
                         "puna_last_losses": [o["losses"][-2] for o in ours], "torch_last_losses": [t["losses"][-2] for t in theirs]}
        r = report[model]
        print(f"{model}: Puna {statistics.median(r['puna_steps_per_second']):.2f} steps/s, {r['puna_peak_mb']:.0f} MB; "
              f"PyTorch {statistics.median(r['torch_steps_per_second']):.2f} steps/s, {r['torch_peak_mb']:.0f} MB; "
              f"{min(ratios):.1f}x to {max(ratios):.1f}x")
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
