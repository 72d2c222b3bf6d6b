"""HSTU and SASRec training steps: Puna against a plain PyTorch statement of the same models, taking turns on the same data and threads.

usage: recommenders.py PUNA ML-100K.inter --out FILE.json [--rounds 3] [--epochs 2] [--threads 2]

PyTorch runs in this script's own interpreter, each turn in a process of its own, with glibc's malloc told to keep its pages (without that it is
slower and noisier). Both do AdamW on batches of 128 users, the last 200 events each, 128 sampled negatives an event, dropout .2; a step's time is
the median of a turn's steps but the first, memory is the process's peak. Before that both compute the loss of all users with the same
weights, without dropout: where the two differ by more than drawing other negatives does (.02), nothing is measured.
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

from torch_peers import TUNED

N, D, BLOCKS, NEGATIVES, TEMPERATURE, DROPOUT, USERS = 211, 50, 2, 128, 0.05, 0.2, 128


def histories(path):
    """Users' (item, time) in order of time, without the last."""
    users = {}
    with open(path, encoding="utf-8") as f:
        next(f)
        for line in f:
            user, item, _, when = line.split("\t")
            users.setdefault(int(user), []).append((int(float(when)), int(item)))
    return [[(i, t) for t, i in sorted(h, key=lambda e: e[0])][:-1][-201:] for _, h in sorted(users.items())]


# Our parameters' names: where they are in the files of the original code.
NAMES = {"items": "_embedding_module._item_emb", "places": "_input_features_preproc._pos_emb",
         "uvqk": "_hstu._attention_layers.{}._uvqk", "positions": "_hstu._attention_layers.{}._rel_attn_bias._pos_w",
         "times": "_hstu._attention_layers.{}._rel_attn_bias._ts_w", "out": "_hstu._attention_layers.{}._o",
         "attention": "attention_layers.{}", "up": "forward_layers.{}._conv1d.0", "down": "forward_layers.{}._conv1d.3"}


def stored_name(ours):
    part = ours.split(".")
    layer, rest = (part[1], part[2:]) if part[0] == "blocks" else ("", part)
    return ".".join([NAMES[rest[0]].format(layer)] + rest[1:])


def torch_worker(model_name, path, epochs, threads, weights=None):
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
            nn.init.xavier_uniform_(self.out.weight)

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
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.xavier_normal_(p)

        def forward(self, x, keep, _bucket, _distance):
            q = F.layer_norm(x, (D,), eps=1e-8)
            h = F.layer_norm(q + self.attention(q, x, x, attn_mask=keep == 0, need_weights=False)[0], (D,), eps=1e-8)
            return F.dropout(self.down(F.dropout(F.relu(self.up(h)), DROPOUT, self.training)), DROPOUT, self.training) + h

    class Model(nn.Module):
        def __init__(self, items):
            super().__init__()
            self.items, self.places = nn.Embedding(items + 1, D), nn.Embedding(N, D)
            nn.init.trunc_normal_(self.items.weight, std=0.02, a=-0.04, b=0.04)
            nn.init.xavier_normal_(self.places.weight)
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

    def tensors_of(batch):
        ids, times, targets = (torch.zeros(len(batch), N, dtype=torch.long) for _ in range(3))
        for row, h in enumerate(batch):
            n = len(h) - 1
            ids[row, :n] = torch.tensor([i for i, _ in h[:n]])
            targets[row, :n] = torch.tensor([i for i, _ in h[1:]])
            times[row, :n + 1] = torch.tensor([t for _, t in h])
        return ids, times, targets

    if weights:
        from safetensors.torch import load_file
        stored = load_file(weights)
        model.load_state_dict({name: stored[stored_name(name)].reshape(p.shape) for name, p in model.named_parameters()}, strict=False)
        model.eval()
        with torch.no_grad():
            losses = [model.loss(*tensors_of(all_users[u:u + USERS])) for u in range(0, len(all_users), USERS)]
        print(json.dumps({"loss": sum(loss.item() * rows for loss, rows in losses) / sum(rows for _, rows in losses)}))
        return
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    seconds, losses = [], []
    for _ in range(epochs):
        order = torch.randperm(len(all_users)).tolist()
        for first in range(0, len(order), USERS):
            batch = [all_users[u] for u in order[first:first + USERS]]
            ids, times, targets = tensors_of(batch)
            start = time.perf_counter()
            optimizer.zero_grad()
            loss, _ = model.loss(ids, times, targets)
            loss.backward()
            optimizer.step()
            if len(batch) == USERS:
                seconds.append(time.perf_counter() - start)
            losses.append(loss.item())
    print(json.dumps({"seconds": statistics.median(seconds[1:]), "losses": losses, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def puna_train(puna, model, path, folder, epochs, threads, more=()):
    """Its log's steps, and the peak memory in MB."""
    child = subprocess.Popen([puna, "rec", "train", "--data", path, "--out", folder, "--model", model, "--epochs", str(epochs), "--threads", str(threads),
                              "--evaluate-every", str(epochs + 1), *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{puna} rec train ended with status {status}")
    with open(f"{folder}/log.jsonl", encoding="utf-8") as f:
        return [s for s in map(json.loads, f) if "loss" in s], usage.ru_maxrss / 1024


def puna_turn(puna, model, path, epochs, threads):
    with tempfile.TemporaryDirectory() as folder:
        steps, peak = puna_train(puna, model, path, folder, epochs, threads)
    full = [b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:]) if b["epoch"] != int(b["epoch"])]  # an epoch's last batch is smaller
    return {"seconds": statistics.median(full), "losses": [s["loss"] for s in steps], "peak_mb": peak}


def require_same_loss(puna, model, path, threads):
    """One step over all users that changes next to nothing tells the loss of new weights; PyTorch computes it from the same ones."""
    with tempfile.TemporaryDirectory() as folder:
        steps, _ = puna_train(puna, model, path, folder, 1, threads, ["--users", "100000", "--lr", "1e-12", "--dropout", "0"])
        theirs = torch_turn(model, path, 1, threads, f"{folder}/model.safetensors")["loss"]
    ours = steps[0]["loss"]
    print(f"{model}: loss of the same weights {ours:.4f}, PyTorch {theirs:.4f}", flush=True)
    if abs(ours - theirs) > 0.02:
        sys.exit(f"{model}: the two do not compute the same loss")
    return ours, theirs


def last_epoch(losses, epochs):
    return statistics.mean(losses[-len(losses) // epochs:])


def torch_turn(model, path, epochs, threads, *weights):
    command = [sys.executable, __file__, "--worker", model, path, str(epochs), str(threads), *weights]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, **TUNED)).stdout)


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
        turns = [(puna_turn(a.puna, model, a.data, a.epochs, a.threads), torch_turn(model, a.data, a.epochs, a.threads)) for _ in range(a.rounds)]
        ours, theirs = zip(*turns)
        ratios = [t["seconds"] / o["seconds"] for o, t in turns]
        report[model] = {"same_weights_losses": same, "puna_steps_per_second": [1 / o["seconds"] for o in ours], "torch_steps_per_second": [1 / t["seconds"] for t in theirs],
                         "times_faster": ratios, "puna_peak_mb": max(o["peak_mb"] for o in ours), "torch_peak_mb": max(t["peak_mb"] for t in theirs),
                         "puna_last_losses": [last_epoch(o["losses"], a.epochs) for o in ours], "torch_last_losses": [last_epoch(t["losses"], a.epochs) for t in theirs]}
        r = report[model]
        print(f"{model}: Puna {statistics.median(r['puna_steps_per_second']):.2f} steps/s, {r['puna_peak_mb']:.0f} MB; "
              f"PyTorch {statistics.median(r['torch_steps_per_second']):.2f} steps/s, {r['torch_peak_mb']:.0f} MB; "
              f"{min(ratios):.1f}x to {max(ratios):.1f}x; loss of the last epoch {statistics.mean(r['puna_last_losses']):.3f}, {statistics.mean(r['torch_last_losses']):.3f}",
              flush=True)
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)


if __name__ == "__main__":
    main()
