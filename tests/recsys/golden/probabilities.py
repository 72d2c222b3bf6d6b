"""Prints the numbers that tests/recsys/test_metrics.cpp holds: scikit-learn's and NumPy's for probabilities and
outcomes made by a formula.

usage: python probabilities.py        needs numpy, scikit-learn (made with 2.4.6, 1.9.1)
"""

import numpy as np
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss, roc_auc_score

i = np.arange(400)
p = (((37 * i + 11) % 100 + 0.5) / 101.0).astype(np.float32).astype(np.float64)  # every value four times
y = (((7919 * i + 13 * i * i) % 1000) / 1000.0 < 0.15 + 0.6 * p * p).astype(np.float64)


def show(name, value):
    print(name, repr(float(value)))


show("auc", roc_auc_score(y, p))
show("log_loss", log_loss(y, p))
base = y.mean()
show("base_rate", base)
show("ne", log_loss(y, p) / -(base * np.log(base) + (1 - base) * np.log(1 - base)))
show("ratio", p.sum() / y.sum())
show("rmse", np.sqrt(((p - y) ** 2).mean()))
order = np.argsort(p, kind="stable")
show("ece", sum(len(b) / len(p) * abs(p[b].mean() - y[b].mean()) for b in np.array_split(order, 10)))

platt = _SigmoidCalibration().fit(np.log(p / (1 - p)), y)  # 1 / (1 + exp(a f + b)), so signs are turned
show("platt_a", -platt.a_)
show("platt_b", -platt.b_)

isotonic = IsotonicRegression().fit(p, y)
fitted = isotonic.predict(np.sort(np.unique(p)))
print("isotonic steps", np.unique(fitted).size)
for k in (0, 20, 40, 60, 80, 99):
    show(f"isotonic[{k}]", fitted[k])
show("isotonic squares", (fitted**2).sum())
