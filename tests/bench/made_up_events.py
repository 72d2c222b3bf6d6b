"""Interactions of a made-up service, as CSV: user_id,item_id,timestamp.

usage: made_up_events.py ITEMS EVENTS OUT.csv [SEED]

A user has a hundred events on average (log-normal, 5 to 1000) and three interests of a hundred; an item belongs to one,
and within it the n-th most popular is taken in proportion to 1 / (n + 10); one event in ten is a chance find. Time
passes in sessions. The same arguments give the same file.
"""

import sys

import numpy as np

INTERESTS, MEAN = 100, 100


def main(items, events, path, seed=1):
    random = np.random.default_rng(seed)
    lengths, left = [], events
    while left > 0:
        n = min(left, int(np.clip(random.lognormal(np.log(MEAN) - 0.5, 1), 5, 1000)))
        lengths.append(n)
        left -= n
    of_interest = [
        np.arange(1 + i, items + 1, INTERESTS) for i in range(INTERESTS)
    ]  # items by interest, the popular ones first
    cumulative = [np.cumsum(1 / (np.arange(len(of)) + 10)) for of in of_interest]
    with open(path, "w", encoding="utf-8") as out:
        out.write("user_id,item_id,timestamp\n")
        for user, n in enumerate(lengths):
            interests = random.choice(INTERESTS, 3, replace=False)
            which = random.choice(interests, n, p=(0.6, 0.3, 0.1))
            taken = np.empty(n, np.int64)
            for i in interests:
                at = which == i
                taken[at] = of_interest[i][np.searchsorted(cumulative[i], random.random(at.sum()) * cumulative[i][-1])]
            chance = random.random(n) < 0.1
            taken[chance] = random.integers(1, items + 1, chance.sum())
            pauses = np.where(random.random(n) < 0.1, random.exponential(86400, n), random.exponential(60, n))
            times = 1_700_000_000 + np.cumsum(pauses).astype(np.int64)
            out.write("".join(f"{user},{i},{t}\n" for i, t in zip(taken.tolist(), times.tolist())))
            if user % 5000 == 4999:
                print(f"  making events: {user + 1} of {len(lengths)} users", file=sys.stderr, flush=True)
    print(f"{len(lengths)} users, {items} items, {events} events: {path}", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
