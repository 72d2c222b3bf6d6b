"""torch_recommenders.py -- HSTU and SASRec stated plainly in PyTorch, their batches of MovieLens-100K, and the names of
their parameters in our files."""

import time

import torch
from torch import nn
from torch.nn import functional as F

N, D, BLOCKS, NEGATIVES, TEMPERATURE, DROPOUT, USERS = 211, 50, 2, 128, 0.05, 0.2, 128

# Our parameters' names: where they are in the files of the original code.
NAMES = {
    "items": "_embedding_module._item_emb",
    "places": "_input_features_preproc._pos_emb",
    "uvqk": "_hstu._attention_layers.{}._uvqk",
    "positions": "_hstu._attention_layers.{}._rel_attn_bias._pos_w",
    "times": "_hstu._attention_layers.{}._rel_attn_bias._ts_w",
    "out": "_hstu._attention_layers.{}._o",
    "attention": "attention_layers.{}",
    "up": "forward_layers.{}._conv1d.0",
    "down": "forward_layers.{}._conv1d.3",
}


def stored_name(ours):
    part = ours.split(".")
    layer, rest = (part[1], part[2:]) if part[0] == "blocks" else ("", part)
    return ".".join([NAMES[rest[0]].format(layer)] + rest[1:])


def histories(path):
    """Users' (item, time) in order of time, without the last."""
    users = {}
    with open(path, encoding="utf-8") as f:
        next(f)
        for line in f:
            user, item, _, when = line.split("\t")
            users.setdefault(int(user), []).append((int(float(when)), int(item)))
    return [[(i, t) for t, i in sorted(h, key=lambda e: e[0])][:-1][-201:] for _, h in sorted(users.items())]


def tensors_of(batch):
    """ids, times, targets: [users, N], zeros behind the last event."""
    ids, times, targets = (torch.zeros(len(batch), N, dtype=torch.long) for _ in range(3))
    for row, h in enumerate(batch):
        n = len(h) - 1
        ids[row, :n] = torch.tensor([i for i, _ in h[:n]])
        targets[row, :n] = torch.tensor([i for i, _ in h[1:]])
        times[row, : n + 1] = torch.tensor([t for _, t in h])
    return ids, times, targets


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
        return (
            F.dropout(u * F.layer_norm(weights @ v, (D,), eps=1e-6), DROPOUT, self.training) @ self.out.weight.T
            + self.out.bias
            + x
        )


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
    def __init__(self, name, items):
        super().__init__()
        self.items, self.places = nn.Embedding(items + 1, D), nn.Embedding(N, D)
        nn.init.trunc_normal_(self.items.weight, std=0.02, a=-0.04, b=0.04)
        nn.init.xavier_normal_(self.places.weight)
        self.blocks = nn.ModuleList([(Hstu if name == "hstu" else SasRec)() for _ in range(BLOCKS)])
        self.timed = name == "hstu"
        self.register_buffer("keep", torch.tril(torch.ones(N, N)))
        self.register_buffer("distance", torch.arange(N)[None, :] - torch.arange(N)[:, None] + N - 1)

    def forward(self, ids, times):
        valid = (ids != 0).unsqueeze(-1)
        x = F.dropout(self.items(ids) * D**0.5 + self.places.weight, DROPOUT, self.training) * valid
        bucket = None
        if self.timed:
            ahead = torch.cat([times[:, 1:], times[:, -1:]], 1).unsqueeze(2) - times.unsqueeze(1)
            bucket = (torch.log(ahead.abs().clamp(min=1).float()) / 0.301).long().clamp(0, 128)
        for block in self.blocks:
            x = block(x, self.keep, bucket, self.distance) * valid
        return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-6)

    def loss(self, ids, times, targets, all_items=False):
        """(mean, rows). all_items: drawn items' scores are picked from those of the whole catalogue, which is faster
        where that is small."""
        rows = targets != 0
        e, target = self(ids, times)[rows], targets[rows]
        drawn = torch.randint(1, self.items.num_embeddings, (len(target), NEGATIVES))
        candidates = torch.cat([target.unsqueeze(1), drawn], 1)
        if all_items:
            logits = (e @ F.normalize(self.items.weight, dim=-1, eps=1e-6).T).gather(1, candidates) / TEMPERATURE
        else:
            logits = torch.einsum("td,tmd->tm", e, F.normalize(self.items(candidates), dim=-1, eps=1e-6)) / TEMPERATURE
        hit = torch.cat([torch.zeros_like(target, dtype=torch.bool).unsqueeze(1), drawn == target.unsqueeze(1)], 1)
        return F.cross_entropy(logits.masked_fill(hit, -5e4), torch.zeros_like(target)), len(target)

    def load(self, path):
        from safetensors.torch import load_file

        stored = load_file(path)
        self.load_state_dict(
            {name: stored[stored_name(name)].reshape(p.shape) for name, p in self.named_parameters()}, strict=False
        )

    def save(self, path, like):
        """In the shapes and with the metadata and items' names of `like`, a file of ours of the same model."""
        from safetensors import safe_open
        from safetensors.torch import save_file

        with safe_open(like, "pt") as f:
            metadata, names = f.metadata(), {"item_names": f.get_tensor("item_names")}
            shapes = {name: f.get_slice(name).get_shape() for name in f.keys() if name not in names}
        ours = {stored_name(name): p.detach() for name, p in self.named_parameters()}
        save_file(
            {name: ours[name].reshape(shape).contiguous() for name, shape in shapes.items()} | names, path, metadata
        )


def train(model, users, epochs, all_items=False):
    """Yields (users, seconds, loss) of each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    for _ in range(epochs):
        order = torch.randperm(len(users)).tolist()
        for first in range(0, len(order), USERS):
            batch = [users[u] for u in order[first : first + USERS]]
            ids, times, targets = tensors_of(batch)
            start = time.perf_counter()
            optimizer.zero_grad()
            loss, _ = model.loss(ids, times, targets, all_items)
            loss.backward()
            optimizer.step()
            yield len(batch), time.perf_counter() - start, loss.item()
