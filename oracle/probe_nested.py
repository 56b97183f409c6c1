"""Expected values of the default probe: nested choice of C, control labels, description length.

Run:  python oracle/probe_nested.py   (scikit-learn 1.9.1, numpy 2.4.6)

The data, made here and rounded, stands in the fixture with the numbers. Fits, the search
for C and its scores are scikit-learn's: StandardScaler, then GridSearchCV over
LogisticRegression by neg_log_loss. The solver is newton-cholesky, to tol = 1e-12: L-BFGS ends
where the loss no longer falls, up to 1e-6 nats away in a sum of log-probabilities. What is
this project's own, the keyed random numbers and the folds by cluster, is written again below
from its description: SHA-256 of a name seeds SplitMix64; clusters, the largest first, go to
the fold with the least sum of shares.
Writes oracle/expected/probe_nested.json.
"""

import hashlib
import json
import math
import pathlib
import struct

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = pathlib.Path(__file__).resolve().parent.parent
GRID = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
WORD = (1 << 64) - 1


class Stream:
    def __init__(self, seed, purpose, parts):
        digest = hashlib.sha256(struct.pack("<Q", seed))
        for part in [purpose, *parts]:
            digest.update(struct.pack("<Q", len(part)) + part.encode())
        self.state = struct.unpack("<Q", digest.digest()[:8])[0]

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & WORD
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
        return z ^ (z >> 31)

    def below(self, n):
        zone = WORD - (WORD % n + 1) % n
        while True:
            b = self.bits()
            if b <= zone:
                return b % n

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def cluster_folds(y, clusters, folds, stream):
    totals = np.bincount(y).astype(float)
    order = [np.flatnonzero(clusters == g).tolist() for g in sorted(set(clusters.tolist()))]
    stream.shuffle(order)
    order.sort(key=len, reverse=True)
    counts, sizes, fold_of = np.zeros((folds, len(totals))), [0] * folds, np.zeros(len(y), int)
    for rows in order:
        costs = [sum(counts[f, y[r]] / (totals[y[r]] * totals[y[r]]) for r in rows) for f in range(folds)]
        best = min(range(folds), key=lambda f: (costs[f], sizes[f], f))
        for r in rows:
            counts[best, y[r]] += 1
            fold_of[r] = best
        sizes[best] += len(rows)
    return fold_of


def parts(fold_of):
    return [(np.flatnonzero(fold_of != f), np.flatnonzero(fold_of == f)) for f in range(fold_of.max() + 1)]


def nested(x, y, clusters, outer, folds, seed, repeat):
    log_p, guess, chosen = np.zeros(len(y)), np.zeros(len(y), int), []
    for fold, (train, test) in enumerate(parts(outer)):
        stream = Stream(seed, "inner folds", [str(repeat), str(fold)])
        inner = parts(cluster_folds(y[train], clusters[train], folds, stream))
        fit = LogisticRegression(tol=1e-12, solver="newton-cholesky", max_iter=20_000)
        search = GridSearchCV(fit, {"C": GRID}, scoring="neg_log_loss", cv=inner)
        model = make_pipeline(StandardScaler(), search).fit(x[train], y[train])
        p = model.predict_log_proba(x[test])
        log_p[test] = p[np.arange(len(test)), np.searchsorted(model.classes_, y[test])]
        guess[test] = model.classes_[p.argmax(1)]
        chosen.append(float(model[-1].best_params_["C"]))
    return log_p, guess, chosen


def exchanged(y, types, fold_of, stream):
    out = y.copy()
    for t, f in sorted(set(zip(types.tolist(), fold_of.tolist()))):
        rows = np.flatnonzero((types == t) & (fold_of == f))
        own = y[rows].tolist()
        stream.shuffle(own)
        out[rows] = own
    return out


def code_length(x, y, classes, ends):
    lengths = np.full(len(GRID), ends[0] * math.log(classes))
    for sent, end in zip(ends, ends[1:]):
        scaler = StandardScaler().fit(x[:sent])
        past, following = scaler.transform(x[:sent]), scaler.transform(x[sent:end])
        for k, c in enumerate(GRID):
            fit = LogisticRegression(C=c, tol=1e-12, solver="newton-cholesky", max_iter=20_000).fit(past, y[:sent])
            p = np.zeros((end - sent, classes))
            p[:, fit.classes_] = fit.predict_proba(following)
            lengths[k] -= np.log((sent * p[np.arange(end - sent), y[sent:end]] + 1) / (sent + classes)).sum()
    return float(-np.log(np.mean(np.exp(-(lengths - lengths.min())))) + lengths.min())


def case(name, n, d, classes, size, signal, draws):
    random = np.random.default_rng(n)
    clusters = np.arange(n) // size
    y = random.integers(0, classes, n)
    x = random.normal(size=(n, d)) * random.uniform(0.1, 5, d) + random.normal(size=d)
    for c in range(classes):
        x[y == c, c :: classes] += signal * random.normal(size=len(range(c, d, classes))) ** 2
    x = np.round(x, 3)
    types = (np.arange(n) // size) % 2
    outer = cluster_folds(y, clusters, 4, Stream(7, "probe folds", ["0"]))
    log_p, guess, chosen = nested(x, y, clusters, outer, 3, 7, 0)
    accuracy = float(np.mean(guess == y))
    controls = []
    for draw in range(draws):
        other = exchanged(y, types, outer, Stream(7, "control labels", [str(draw)]))
        controls.append(float(np.mean(nested(x, other, clusters, outer, 3, 7, 0)[1] == other)))
    ends = [n // 8, n // 4, n // 2, n]
    return {
        "name": name, "columns": d, "classes": classes, "x": x.ravel().tolist(), "labels": y.tolist(), "clusters": clusters.tolist(),
        "types": types.tolist(), "outer": outer.tolist(), "c": chosen, "accuracy": accuracy, "cross_entropy": float(-log_p.mean()),
        "log_p": log_p.tolist(), "controls": controls,
        "permutation_p": (1 + sum(c >= accuracy for c in controls)) / (1 + draws),
        "ends": ends, "code_length": code_length(x, y, classes, ends),
    }  # fmt: skip


cases = [
    case("fewer rows than columns", 64, 110, 3, 1, 0.25, 19),
    case("pairs, fewer columns than rows", 120, 9, 4, 2, 1.2, 9),
    case("two classes", 60, 90, 2, 3, 0.2, 9),
    case("nothing to find", 64, 70, 3, 1, 0.0, 9),
]
out = {"versions": {"sklearn": sklearn.__version__, "numpy": np.__version__}, "grid": GRID, "cases": cases}
(ROOT / "oracle/expected/probe_nested.json").write_text(json.dumps(out) + "\n")
for c in cases:
    print(c["name"], c["c"], c["accuracy"], c["cross_entropy"], c["permutation_p"], c["code_length"], len(c["labels"]) * math.log(c["classes"]))
