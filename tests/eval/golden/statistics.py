"""Golden numbers of tests/eval: statistics by scipy and statsmodels, written to tests/data/eval/statistics.json.

usage: statistics.py          needs numpy, scipy, statsmodels
"""

import json
import pathlib

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

OUT = pathlib.Path(__file__).resolve().parents[2] / "data/eval/statistics.json"
rng = np.random.default_rng(27)


def clustered(n, groups, binary):
    """A mean is the constant of a regression; its clustered error is the sandwich's (statsmodels' small-sample factor
    with one regressor is G/(G-1))."""
    cluster = rng.integers(0, groups, n)
    effect = rng.normal(0, 0.3, groups)[cluster]
    scores = rng.normal(0.5, 0.4, n) + effect
    scores = (scores > 0.5).astype(float) if binary else scores.round(6)
    fit = OLS(scores, np.ones(n)).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": True}, use_t=True
    )
    used = len(set(cluster.tolist()))
    # statsmodels' correction also has (n-1)/(n-1) = 1 for one regressor, so nothing is left to undo
    low, high = stats.t.interval(0.95, used - 1, scores.mean(), fit.bse[0])
    return {
        "scores": scores.tolist(),
        "clusters": cluster.tolist(),
        "mean": scores.mean(),
        "error": fit.bse[0],
        "low": low,
        "high": high,
        "p": 2 * stats.t.sf(abs(scores.mean() / fit.bse[0]), used - 1),
    }


def main():
    golden = {
        "t": [
            [t, df, 2 * stats.t.sf(t, df)] for df in (1, 2, 3.5, 10, 107, 2375, 1e6) for t in (1e-6, 0.1, 1, 2, 5, 20)
        ],
        "t_quantile": [
            [level, df, stats.t.ppf((1 + level) / 2, df)]
            for df in (1, 2, 3.5, 10, 107, 2375, 1e6)
            for level in (0.5, 0.95, 0.99, 0.999)
        ],
        "normal": [[level, stats.norm.ppf((1 + level) / 2)] for level in (0.1, 0.5, 0.6, 0.8, 0.95, 0.99, 0.999)],
        "mcnemar": [
            [b, c, float(mcnemar([[0, b], [c, 0]], exact=True).pvalue) if b + c else 1.0]
            for b, c in ((0, 0), (0, 1), (3, 9), (7, 7), (6, 7), (40, 61), (61, 40), (5, 1000), (5000, 5200))
        ],
        "wilson": [
            [k, n, *map(float, proportion_confint(k, n, 0.05, "wilson"))]
            for k, n in ((0, 10), (10, 10), (1, 3), (54, 100), (1302, 2376), (1, 1))
        ],
        "holm": [
            [p, multipletests(p, method="holm")[1].tolist()]
            for p in ([0.01, 0.04, 0.03, 0.005], [0.5], [1e-9, 1e-9, 0.9], rng.random(20).tolist())
        ],
        "clustered": [clustered(200, 40, True), clustered(57, 9, False), clustered(30, 2, True)],
        # what a standard error of 1 detects: the effect with power .8 in a z test of one observation
        "detectable": NormalIndPower(ddof=0).solve_power(
            effect_size=None, nobs1=1, alpha=0.05, power=0.8, ratio=0, alternative="two-sided"
        ),
    }
    scores = golden["clustered"][1]["scores"]
    plain = np.array(scores)
    golden["plain"] = {"scores": scores, "error": stats.sem(plain), "p": stats.ttest_1samp(plain, 0).pvalue}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
