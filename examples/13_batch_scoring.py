"""Recommendations for many users at once, by Ray Data: each worker opens the model once and answers batches of
histories.

usage: 13_batch_scoring.py MODEL.safetensors INTERACTIONS.csv OUT_FOLDER [--workers 2] [--count 10]

INTERACTIONS has the columns user_id, item_id, timestamp, items numbered as the model was trained (a file of numbers 1,
2, ... is). Written are Parquet files with a row a user: user, items, scores. On a cluster the same program runs on all
of it: ray.init() finds it. Needs `pip install ray[data]`.
"""

import argparse
import csv

import numpy as np
import ray


class Answers:
    def __init__(self, model, count):
        import puna

        self.recommender, self.count = puna.Recommender(model, puna.Context(threads=1)), count

    def __call__(self, batch):
        items, scores = [], []
        for history, times in zip(batch["items"], batch["times"]):
            user = self.recommender.user()
            for item, time in zip(history, times):
                user.append(int(item), int(time))
            best = user.recommend(int(times[-1]), self.count)
            items.append([b.item for b in best])
            scores.append([b.score for b in best])
        return {"user": batch["user"], "best": np.array(items), "scores": np.array(scores, np.float32)}


def histories(path):
    users = {}
    with open(path, encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            users.setdefault(int(row["user_id"]), []).append((int(row["timestamp"]), int(row["item_id"])))
    for user, events in users.items():
        events.sort(key=lambda e: e[0])
        yield {"user": user, "items": [i for _, i in events], "times": [t for t, _ in events]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("interactions")
    p.add_argument("out")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--count", type=int, default=10)
    a = p.parse_args()
    users = ray.data.from_items(list(histories(a.interactions)), override_num_blocks=4 * a.workers)
    answers = users.map_batches(Answers, fn_constructor_args=(a.model, a.count), batch_size=64, concurrency=a.workers)
    answers.write_parquet(a.out)


if __name__ == "__main__":
    main()
