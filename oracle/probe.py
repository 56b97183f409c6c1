"""Expected values of the probe's fits beyond what the golden data holds.

Run:  python oracle/probe.py   (scikit-learn, numpy, safetensors)
For every golden case: scikit-learn's iterations at its default tolerance, and the
out-of-fold cross-entropy at tol = 1e-10, both in double precision.
Writes oracle/expected/probe.json with the versions that produced it.
"""

import json
import pathlib

import numpy as np
import sklearn
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from golden import GOLDEN

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPECTED = GOLDEN / "expected"
features = load_file(EXPECTED / "probe_features.safetensors")
folds = json.loads((EXPECTED / "probe_folds.json").read_text())["cases"]


def cross_validate(x, y, k, tol, cap):
    losses, iterations = [], 0
    for train, test in StratifiedKFold(k, shuffle=True, random_state=42).split(x, y):
        scaler = StandardScaler().fit(x[train])
        fit = LogisticRegression(C=1.0, tol=tol, max_iter=cap).fit(scaler.transform(x[train]), y[train])
        p = fit.predict_proba(scaler.transform(x[test]))
        losses.extend(-np.log(p[np.arange(len(test)), np.searchsorted(fit.classes_, y[test])]))
        iterations = max(iterations, int(fit.n_iter_.max()))
    return float(np.mean(losses)), iterations


expected = {"versions": {"sklearn": sklearn.__version__, "numpy": np.__version__}, "cases": {}}
for name, x in features.items():
    case = folds[name.split(".")[0]]
    y, x = np.array(list(case["labels"])), x.astype(np.float64)
    default, iterations = cross_validate(x, y, case["k"], 1e-4, 1000)
    tight, _ = cross_validate(x, y, case["k"], 1e-10, 20_000)
    expected["cases"][name] = {"cross_entropy": default, "iterations_max": iterations, "tight_cross_entropy": tight}
(ROOT / "oracle/expected/probe.json").write_text(json.dumps(expected, indent=1) + "\n")
