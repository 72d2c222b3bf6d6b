"""Golden numbers of tests/label: Krippendorff's alpha by `krippendorff`, and Dawid-Skene as EVAL.md defines it in plain
numpy, on made answers with missing values. Written to tests/data/label/agreement.json.

usage: agreement.py          needs numpy, krippendorff
"""

import json
import pathlib

import krippendorff
import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "data/label/agreement.json"
rng = np.random.default_rng(270)


def made(items, workers, classes, answers_each):
    """Workers of all kinds: good, careless, and one who says nearly always the same."""
    truth = rng.choice(classes, items, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    skill = rng.uniform(0.3, 0.95, workers)
    answers = []
    for i in range(items):
        for w in rng.choice(workers, answers_each, replace=False):
            right = rng.random() < skill[w] and w != 0
            answers.append([i, int(w), int(truth[i] if right else (0 if w == 0 else rng.integers(classes)))])
    return truth.tolist(), answers


def matrix(answers, items, workers):
    m = np.full((workers, items), np.nan)
    for i, w, label in answers:
        m[w, i] = label
    return m


def dawid_skene(answers, items, workers, classes, gold):
    i, w, label = np.array(answers).T
    votes = np.zeros((items, classes))
    np.add.at(votes, (i, label), 1)
    t = votes / votes.sum(1, keepdims=True)
    fixed = np.array(sorted(gold), dtype=int)
    certain = np.eye(classes)[[gold[k] for k in sorted(gold)]] if gold else np.zeros((0, classes))
    t[fixed] = certain
    for iteration in range(1, 101):
        pi = t.mean(0)
        m = np.full((workers, classes, classes), 0.01)
        np.add.at(m, (w, slice(None), label), t[i])
        m /= m.sum(2, keepdims=True)
        log = np.zeros((items, classes)) + np.log(pi + 1e-12)
        np.add.at(log, i, np.log(m[w, :, label] + 1e-12))
        most = log.max(1, keepdims=True)
        new = np.exp(log - most)
        total = new.sum(1, keepdims=True)
        likelihood = (most + np.log(total)).ravel()
        likelihood[fixed] = log[fixed, certain.argmax(1)]
        new /= total
        new[fixed] = certain
        change = abs(new - t).max()
        t = new
        if change < 1e-6:
            break
    return {
        "gold": [[k, gold[k]] for k in sorted(gold)],
        "iterations": iteration,
        "log_likelihood": likelihood.sum(),
        "labels": t.argmax(1).tolist(),
        "posterior": t.round(12).tolist(),
    }


def main():
    cases = []
    for items, workers, classes, each in ((60, 8, 2, 3), (80, 12, 4, 4), (40, 5, 5, 2), (30, 6, 3, 5)):
        truth, answers = made(items, workers, classes, each)
        data = matrix(answers, items, workers)
        cases.append(
            {
                "items": items,
                "workers": workers,
                "classes": classes,
                "truth": truth,
                "answers": answers,
                "alpha": {
                    level: krippendorff.alpha(reliability_data=data, level_of_measurement=level)
                    for level in ("nominal", "ordinal", "interval", "ratio")
                },
                "dawid_skene": [
                    dawid_skene(answers, items, workers, classes, gold)
                    for gold in ({}, {k: truth[k] for k in range(0, items, 6)})
                ],
            }
        )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
