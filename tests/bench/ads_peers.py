"""Choice and off-policy evaluation beside Python packages, on the same worlds, streams and logs: one table each.

  choice   mabwiser (Thompson sampling a segment, LinUCB, LinTS; the numbers of ADS.md) learns every
           `--batch` impressions of the same simulated streams as `puna ads simulate choice`; clicks over the oracle's
  ope      obp 0.4.1's estimators on the Open Bandit logs beside `puna ads ope`: the same figures, seconds, MB. obp
           imports torch for its types: an empty module stands in where there is none. --obp is the unpacked wheel

usage: ads_peers.py PUNA [--seeds 0,1] [--count 300000] [--batch 3000] [--obp-python PYTHON --obp FOLDER --log LOG.csv]
needs: pip install mabwiser cffi numpy, and PUNA_LIBRARY and PYTHONPATH=bindings/python
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np


def played(name, seeds, show, learn, world, stream, batch):
    """Clicks over the oracle's, and seconds of the algorithm alone. show(segments) -> variants of a batch."""
    p, (segments, u) = world, stream
    got, start, spent = 0.0, 0.0, 0.0
    for begin in range(0, len(segments), batch):
        s = segments[begin : begin + batch]
        start = time.process_time()
        k = np.asarray(show(s))
        spent += time.process_time() - start
        clicked = (u[begin : begin + batch] < p[s, k]).astype(float)
        got += p[s, k].sum()
        start = time.process_time()
        learn(s, k, clicked)
        spent += time.process_time() - start
    return got / p.max(axis=1)[segments].sum(), spent


def mabwiser_players(segments, variants):
    from mabwiser.mab import MAB, LearningPolicy

    arms = list(range(variants))
    one_hot = np.eye(segments)

    def thompson():
        of = [MAB(arms, LearningPolicy.ThompsonSampling(), seed=s) for s in range(segments)]
        for mab in of:  # Beta(1, 1), which it begins with
            mab.fit(arms, [0] * variants)

        def show(s):
            return [of[x].predict() for x in s]

        def learn(s, k, clicked):
            for x in range(segments):
                if (s == x).any():
                    of[x].partial_fit(k[s == x].tolist(), clicked[s == x].astype(int).tolist())

        return show, learn

    def linear(policy):
        mab = MAB(arms, policy, seed=1)
        mab.fit(arms, [0.0] * variants, one_hot[[0] * variants])

        def show(s):
            return mab.predict(one_hot[s])

        def learn(s, k, clicked):
            mab.partial_fit(k.tolist(), clicked.tolist(), one_hot[s])

        return show, learn

    return {
        "mabwiser, Thompson a segment": thompson,
        "mabwiser, LinUCB (.1)": lambda: linear(LearningPolicy.LinUCB(alpha=0.1)),
        "mabwiser, LinTS (.05)": lambda: linear(LearningPolicy.LinTS(alpha=0.05)),
    }


def choice(a):
    from puna import ads

    segments, variants = 6, 8
    rows, shown = {}, ("segment Thompson", "hierarchical, tempered (default)", "LinUCB", "LinTS")
    for seed in map(int, a.seeds.split(",")):
        p, _ = ads.simulate_world(seed=seed, segments=segments, variants=variants)
        stream = ads.simulate_stream(seed=seed, segments=segments, count=a.count)
        with tempfile.TemporaryDirectory() as folder:
            world, table = pathlib.Path(folder, "world.json"), pathlib.Path(folder, "stream.csv")
            world.write_text(json.dumps({"p": p.tolist()}))
            lines = [f"{s},{float(u)!r}" for s, u in zip(*stream)]
            table.write_text("segment,u\n" + "\n".join(lines) + "\n")
            done = subprocess.run(
                [a.puna, "ads", "simulate", "choice", "--world", world, "--stream", table, "--batch", str(a.batch)]
                + ["--seeds", str(seed), "--json"],
                capture_output=True,
                text=True,
                check=True,
            )
        for algorithm in json.loads(done.stdout)["algorithms"]:
            if algorithm["name"] in shown:
                rows.setdefault(f"puna, {algorithm['name']}", []).append((algorithm["clicks_over_oracle"], None))
        chooser = ads.Chooser(variants, segments)  # the default, from Python, timed
        numbers = iter(range(a.count))

        def show(s, chooser=chooser, numbers=numbers, seed=seed):
            return [chooser.choose(int(x), seed, next(numbers))[0] for x in s]

        def learn(s, k, clicked, chooser=chooser):
            chooser.update([(int(x), int(v), 1, c) for x, v, c in zip(s, k, clicked)])

        rows.setdefault("puna.ads.Chooser from Python", []).append(
            played("chooser", seed, show, learn, p, stream, a.batch)
        )
        for name, make in mabwiser_players(segments, variants).items():
            rows.setdefault(name, []).append(played(name, seed, *make(), p, stream, a.batch))
    print(f"| choice, seeds {a.seeds}, {a.count} impressions | clicks / oracle | least | CPU seconds a seed |")
    print("|---|---|---|---|")
    for name, of in sorted(rows.items(), key=lambda r: -np.mean([x for x, _ in r[1]])):
        seconds = [t for _, t in of if t is not None]
        print(
            f"| {name} | {np.mean([x for x, _ in of]):.4f} | {min(x for x, _ in of):.4f} | {np.mean(seconds):.1f} |"
            if seconds
            else f"| {name} | {np.mean([x for x, _ in of]):.4f} | {min(x for x, _ in of):.4f} | |"
        )


OBP = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
import types
import numpy as np, pandas as pd
try:
    import torch
except ImportError:  # obp imports it to name its types: an empty one does
    torch = sys.modules["torch"] = types.ModuleType("torch")
    torch.Tensor = type("Tensor", (), {})
begin = time.process_time()
for package in ("obp", "obp.ope"):  # its estimators alone, without the networks of its policies
    sys.modules[package] = types.ModuleType(package)
    sys.modules[package].__path__ = [sys.argv[1] + "/" + package.replace(".", "/")]
from obp.ope.estimators import DirectMethod, DoublyRobust, InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting
loaded = time.process_time()
log = pd.read_csv(sys.argv[2])
actions = sorted(log.item_id.unique())
number = {a: i for i, a in enumerate(actions)}
action = log.item_id.map(number).to_numpy(); position = log.position.to_numpy() - log.position.min()
reward = log.click.to_numpy(); pscore = log.propensity_score.to_numpy()
n, K, P = len(log), len(actions), position.max() + 1
m = reward.mean()
q = np.empty((K, P))
for k in range(K):
    for x in range(P):
        of = (action == k) & (position == x)
        q[k, x] = (reward[of].sum() + 50 * m) / (of.sum() + 50)
tensor = np.broadcast_to(q, (n, K, P))
policy = np.full((n, K, P), 1 / K)
common = dict(reward=reward, action=action, position=position, pscore=pscore, action_dist=policy)
out = {"ips": InverseProbabilityWeighting().estimate_policy_value(**common),
       "snips": SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**common),
       "dm": DirectMethod().estimate_policy_value(**common, estimated_rewards_by_reg_model=tensor),
       "dr": DoublyRobust().estimate_policy_value(**common, estimated_rewards_by_reg_model=tensor)}
import json
print(json.dumps({"estimates": out, "seconds": time.process_time() - loaded, "import": loaded - begin,
                  "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def ope(a):
    theirs = json.loads(
        subprocess.run(
            [a.obp_python, "-c", OBP, a.obp, a.log], capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
    )
    measured = subprocess.run(
        ["/usr/bin/time", "-f", "%U %S %M", a.puna, "ads", "ope", a.log, "--policy", "uniform", "--json", "--force"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = json.loads(measured.stdout)["estimates"]
    user, system, kb = measured.stderr.splitlines()[-1].split()
    print("| off-policy estimates | " + " | ".join(theirs["estimates"]) + " | CPU seconds | MB |")
    print("|---|" + "---|" * (len(theirs["estimates"]) + 2))
    print(
        "| obp 0.4.1 | "
        + " | ".join(f"{v:.10g}" for v in theirs["estimates"].values())
        + f" | {theirs['seconds']:.2f} (and {theirs['import']:.1f} to import) | {theirs['mb']:.0f} |"
    )
    print(
        "| puna ads ope | "
        + " | ".join(f"{ours[name]['value']:.10g}" for name in theirs["estimates"])
        + f" | {float(user) + float(system):.2f} | {int(kb) / 1024:.0f} |"
    )


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("puna")
    p.add_argument("--seeds", default="0,1")
    p.add_argument("--count", type=int, default=300_000)
    p.add_argument("--batch", type=int, default=3000)
    p.add_argument("--obp-python")
    p.add_argument("--obp")
    p.add_argument("--log")
    a = p.parse_args()
    if a.obp_python:
        if not (a.obp and a.log):
            sys.exit("--obp-python goes with --obp and --log")
        ope(a)
    else:
        choice(a)


if __name__ == "__main__":
    main()
