"""Expected values of the statistics in crates/prism-audit/src/statistics.

Run:  python oracle/statistics_scipy.py   (numpy, scipy, statsmodels)
Writes oracle/expected/statistics.json with the versions that produced it.
"""

import itertools
import json
import pathlib
import tomllib

import numpy as np
import scipy
import statsmodels
from scipy import optimize, stats
from scipy.cluster import hierarchy
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAPER = tomllib.loads((ROOT / "crates/prism-audit/data/paper.toml").read_text())
VARIANTS = list(PAPER["variant"].values())
RANDOM = np.random.default_rng(20260606)


def pearson(x, y):
    return float(stats.pearsonr(x, y).statistic)


def exact_p(x, y):
    """All n! pairings; every |r| within 1e-9 of the observed one counts."""
    x, y = np.asarray(x), np.asarray(y)
    observed = abs(np.corrcoef(x, y)[0, 1])
    rs = [abs(np.corrcoef(x, y[list(p)])[0, 1]) for p in itertools.permutations(range(len(y)))]
    return float(np.mean(np.array(rs) >= observed - 1e-9))


def partial(x, y, z):
    """Correlation of the residuals of x and y on z."""
    basis = np.column_stack([np.ones(len(z)), z])
    residual = lambda v: np.asarray(v) - basis @ np.linalg.lstsq(basis, np.asarray(v), rcond=None)[0]
    return pearson(residual(x), residual(y))


def correlation_case(name, x, y, z):
    interval = stats.pearsonr(x, y).confidence_interval(0.95)
    left = [pearson(np.delete(x, i), np.delete(y, i)) for i in range(len(x))]
    groups = hierarchy.fcluster(hierarchy.linkage(np.asarray(x)[:, None], "single"), 2, "maxclust")
    return {
        "name": name, "x": list(map(float, x)), "y": list(map(float, y)), "z": list(map(float, z)),
        "r": pearson(x, y), "partial": partial(x, y, z), "fisher": [interval.low, interval.high],
        "leave_one_out": [min(left), max(left)], "exact_p": exact_p(x, y),
        "leave_cluster_out": leave_cluster_out(x, y),
        "groups": [sorted(np.flatnonzero(groups == g).tolist()) for g in (1, 2)],
    }


def most_likely_lost(gained, lost, n, supposed):
    """Share lost that maximises the likelihood when share gained = share lost + supposed."""
    low, high = max(0.0, -supposed), (1 - supposed) / 2
    term = lambda k, p: 0.0 if k == 0 else k * np.log(max(p, 1e-300))
    loss = lambda q: -(term(gained, q + supposed) + term(lost, q) + term(n - gained - lost, 1 - 2 * q - supposed))
    found = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13})
    return min([found.x, low, high], key=loss)


def score(gained, lost, n, supposed):
    """Score test of a paired difference (Tango 1998), with the likelihood maximised by search."""
    q = most_likely_lost(gained, lost, n, supposed)
    return (gained - lost - n * supposed) / np.sqrt(n * (2 * q + supposed - supposed**2))


def score_interval(gained, lost, n, level):
    z = stats.norm.ppf(0.5 + level / 2)
    return [float(optimize.brentq(lambda d: score(gained, lost, n, d) - at, -0.999999, 0.999999, xtol=1e-10)) for at in (z, -z)]


GAMMA = 0.001


def equivalence_p(gained, lost, n, margin):
    """Both one-sided tests by summing the trinomial over every outcome, at many discordances of the exact interval
    of the one seen (Berger and Boos 1994)."""
    outcomes = np.array([(g, l) for g in range(n + 1) for l in range(n + 1 - g)])
    scores = np.array([score(g, l, n, -margin) for g, l in outcomes])
    low, high = proportion_confint(gained + lost, n, GAMMA, "beta")
    low = max(0.0 if np.isnan(low) else low, margin)
    if high < low:
        return GAMMA
    grid = np.unique(np.r_[np.linspace(low, high, 300), np.linspace(low, low + (high - low) / 5, 300)])
    worst = 0.0
    for side in (score(gained, lost, n, -margin), score(lost, gained, n, -margin)):
        reached = outcomes[scores >= side - 1e-6]
        cells = np.column_stack([reached, n - reached.sum(1)])
        at = lambda t: stats.multinomial.pmf(cells, n, [(t - margin) / 2, (t + margin) / 2, 1 - t]).sum()
        worst = max(worst, max(at(t) for t in grid))
    return float(min(worst + GAMMA, 1.0))


def leave_cluster_out(x, y):
    """r inside each of the two groups of single linkage, where their gap is marked and both have three points."""
    groups = hierarchy.fcluster(hierarchy.linkage(np.asarray(x)[:, None], "single"), 2, "maxclust")
    gaps = np.sort(np.diff(np.sort(x)))
    members = [np.flatnonzero(groups == g) for g in (1, 2)]
    if gaps[-1] < 2 * gaps[-2] or min(map(len, members)) < 3:
        return None
    inside = [pearson(np.asarray(x)[m], np.asarray(y)[m]) for m in members]
    return [min(inside), max(inside)]


PAIRS = [(0, 0, 31), (0, 0, 59), (1, 2, 59), (3, 0, 40), (0, 1, 60)]

column = lambda key: np.array([v[key] for v in VARIANTS], float)
published = correlation_case("published", column("cosine"), column("vstar"), column("question_mean"))
cases = [published, correlation_case("probe", column("probe_a"), column("vstar"), column("question_mean"))]
for n in (4, 6, 7):
    x, z = RANDOM.normal(size=n), RANDOM.normal(size=n)
    cases.append(correlation_case(f"random {n}", x, 0.5 * x + RANDOM.normal(size=n), z))

heaps = np.r_[0.30, 0.33, 0.31, 0.36, 0.80, 0.84, 0.83]
cases.append(correlation_case("two heaps", heaps, heaps + 0.2 * RANDOM.normal(size=7), RANDOM.normal(size=7)))

p_values = [0.001, 0.04, 0.03, 0.2, 0.009, 1.0, 0.04]
differences = RANDOM.choice([-1.0, 0.0, 0.0, 0.0, 1.0, 1.0], size=80)
bootstrap = stats.bootstrap((differences,), np.mean, method="percentile", n_resamples=100_000, rng=RANDOM)
values = RANDOM.normal(size=23)
accuracies = column("vstar") / 100
replicates = np.array([pearson(column("probe_a"), a) for a in RANDOM.binomial(191, accuracies, (100_000, 5)) / 191])

expected = {
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
    "wilson": [[k, n, *map(float, proportion_confint(k, n, 0.05, "wilson"))] for k, n in [(0, 10), (10, 10), (134, 191), (1, 3)]],
    "mcnemar": [[b, c, float(mcnemar([[0, b], [c, 0]], exact=True).pvalue)] for b, c in [(1, 8), (3, 3), (0, 6), (40, 61), (700, 800)]],
    "paired_score": [[g, l, n, *score_interval(g, l, n, 0.9)] for g, l, n in [*PAIRS, (8, 1, 191), (40, 61, 400), (0, 5, 12)]],
    "equivalence": [[g, l, n, 0.05, equivalence_p(g, l, n, 0.05)] for g, l, n in PAIRS],
    "clopper_pearson": [[k, n, level, float(stats.beta.ppf(level, k + 1, n - k))] for level in (0.95, 0.9995)
                        for k, n in [(0, 59), (1, 100), (2, 400), (8, 300), (9, 191), (1.5, 150), (0.4, 37.5), (250, 300)]],
    "correlation": cases,
    "holm": {"p": p_values, "adjusted": multipletests(p_values, method="holm")[1].tolist()},
    "benjamini_hochberg": {"p": p_values, "adjusted": multipletests(p_values, method="fdr_bh")[1].tolist()},
    "entropy": [[c, float(stats.entropy(c))] for c in ([71, 70, 27, 23], [115, 76], [5, 0, 5])],
    "percentile": {"values": values.tolist(), "at": [[q, float(np.percentile(values, 100 * q))] for q in (0, 0.025, 0.3, 0.5, 0.975, 1)]},
    "normal": [[p, float(stats.norm.ppf(p))] for p in (0.001, 0.025, 0.05, 0.5, 0.8, 0.9, 0.975)],
    "bootstrap": {
        "differences": differences.tolist(),
        "interval": [float(bootstrap.confidence_interval.low), float(bootstrap.confidence_interval.high)],
    },
    "binomial_bootstrap": {
        "x": column("probe_a").tolist(), "accuracies": accuracies.tolist(), "n": 191,
        "interval": np.percentile(replicates, [2.5, 97.5]).tolist(),
    },
}
target = ROOT / "oracle/expected/statistics.json"
target.parent.mkdir(exist_ok=True)
target.write_text(json.dumps(expected, indent=1) + "\n")
