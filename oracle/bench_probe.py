"""Seconds of the probes with scikit-learn 1.9.1 and numpy 2.4.6, on the values of
`crates/prism-audit/examples/bench_probe.rs`; best of three.

    python oracle/bench_probe.py           the release's cell: five folds, C = 1, its stopping rule
    python oracle/bench_probe.py nested    the nested cell too (some minutes)

The nested cell has inner folds of its own, so its C and its answer may differ a little.
"""

import json
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
ROWS, COLUMNS = 191, 2048
y = np.repeat(np.arange(4), [71, 70, 27, 23])


def vectors(cell):
    i, j = np.meshgrid(np.arange(ROWS, dtype=np.uint32), np.arange(COLUMNS, dtype=np.uint32), indexing="ij")
    with np.errstate(over="ignore"):
        h = i * np.uint32(2654435761) ^ j * np.uint32(2246822519) ^ np.uint32(cell * 3266489917 % 2**32)
        h ^= h >> np.uint32(15)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
        h *= np.uint32(3266489917)
        h ^= h >> np.uint32(16)
    signal = (j < 40) & (j % 4 == y[:, None])
    return h / np.float64(2**32 - 1) * 2 - 1 + 0.4 * signal


def measure(what, make, repetitions):
    x, best = vectors(0), np.inf
    for _ in range(repetitions):
        begun = time.perf_counter()
        accuracies, losses = [], []
        for train, test in StratifiedKFold(5, shuffle=True, random_state=42).split(x, y):
            fit = make().fit(x[train], y[train])
            p = fit.predict_proba(x[test])
            accuracies.append(np.mean(p.argmax(1) == y[test]))
            losses.extend(-np.log(p[np.arange(len(test)), y[test]]))
        best = min(best, time.perf_counter() - begun)
    row = {"size": "probe", "what": what, "milliseconds": 1e3 * best, "accuracy": np.mean(accuracies), "cross_entropy": np.mean(losses)}
    print(json.dumps(row), flush=True)


measure("reference cell", lambda: make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000)), 3)
if "nested" in sys.argv[1:]:
    grid = {"C": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0]}
    inner = StratifiedKFold(5, shuffle=True, random_state=1)
    search = lambda: GridSearchCV(LogisticRegression(max_iter=1000), grid, scoring="neg_log_loss", cv=inner)
    measure("nested cell", lambda: make_pipeline(StandardScaler(), search()), 1)
