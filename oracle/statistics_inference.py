"""Expected values of the tests, intervals and summaries that came after the first set:
BCa, sign flips, TOST of means, clusters, seeds x items, random effects, ranks, sizes.

Run:  python oracle/statistics_inference.py   (numpy 2.4.6, scipy 1.17.1, statsmodels 0.15.0, pandas)
Writes oracle/expected/statistics_inference.json with the versions that produced it.
"""

import itertools
import json
import pathlib
import warnings

import numpy as np
import pandas as pd
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.weightstats import ttost_paired

ROOT = pathlib.Path(__file__).resolve().parent.parent
RANDOM = np.random.default_rng(20260607)
warnings.simplefilter("ignore")


def bca(values, statistic=np.mean):
    """scipy's interval, with the replicates it drew and the jackknife it must have used."""
    drawn = stats.bootstrap((values,), statistic, n_resamples=999, method="BCa", rng=RANDOM)
    again = stats.bootstrap((values,), statistic, n_resamples=0, method="BCa", bootstrap_result=drawn)
    jackknife = [float(statistic(np.delete(values, i))) for i in range(len(values))]
    return {
        "estimate": float(statistic(values)), "jackknife": jackknife,
        "replicates": drawn.bootstrap_distribution.tolist(),
        "interval": [float(again.confidence_interval.low), float(again.confidence_interval.high)],
    }


def clustered_bca(sums, sizes):
    """The mean over items, clusters drawn as a whole: scipy's two-sample paired form."""
    ratio = lambda s, n, axis=-1: np.sum(s, axis) / np.sum(n, axis)
    found = stats.bootstrap((sums, sizes), ratio, paired=True, n_resamples=200_000, method="BCa", rng=RANDOM, batch=20_000)
    percentile = stats.bootstrap((sums, sizes), ratio, paired=True, n_resamples=0, method="percentile", bootstrap_result=found)
    return {
        "clusters": [[float(s), int(n)] for s, n in zip(sums, sizes)],
        "bca": [float(v) for v in found.confidence_interval],
        "percentile": [float(v) for v in percentile.confidence_interval],
    }


def sign_flip(values):
    """All ways to sign: scipy's paired permutation test, two-sided."""
    found = stats.permutation_test((values,), lambda v, axis: np.mean(v, axis), permutation_type="samples", vectorized=True, n_resamples=np.inf)
    return {"values": [float(v) for v in values], "p": float(found.pvalue)}


def equivalence(x, y, margin):
    return {"x": x.tolist(), "y": y.tolist(), "margin": margin, "p": float(ttost_paired(x, y, -margin, margin)[0]),
            "interval": [float(v) for v in stats.ttest_rel(x, y).confidence_interval(0.9)]}


def cluster_mean(values, groups):
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    return {"values": values.tolist(), "groups": groups.tolist(), "mean": float(fit.params[0]), "error": float(fit.bse[0]),
            "interval": [float(v) for v in fit.conf_int(0.05)[0]]}


def two_way(table):
    """Mean squares of the additive model; the error and the freedom from them."""
    seeds, items = table.shape
    long = pd.DataFrame({"y": table.ravel(), "seed": np.repeat(np.arange(seeds), items), "item": np.tile(np.arange(items), seeds)})
    lines = anova_lm(ols("y ~ C(seed) + C(item)", long).fit(), typ=1)
    square = (lines["sum_sq"] / lines["df"]).to_dict()
    return {"values": table.tolist(), "seeds": square["C(seed)"], "items": square["C(item)"], "rest": square["Residual"]}


def random_effects(effects, variances):
    effects, variances = np.array(effects), np.array(variances)
    case = {"effects": effects.tolist(), "variances": variances.tolist()}
    for name, method in (("dersimonian_laird", "dl"), ("paule_mandel", "pm")):
        kwds = {"atol": 1e-13, "maxiter": 1000} if method == "pm" else {}
        found = combine_effects(effects, variances, method_re=method, use_t=True, **kwds)
        case[name] = {
            "tau2": float(found.tau2), "effect": float(found.mean_effect_re), "error": float(found.sd_eff_w_re),
            "hartung_knapp_error": float(found.sd_eff_w_re_hksj), "hartung_knapp": [float(v) for v in found.conf_int(0.05)[3]],
            "q": float(found.q), "q_p": float(found.test_homogeneity().pvalue), "i2": float(found.i2),
        }
    return case


def spearman(x, y):
    """rho and the share of all orders of y with |rho| at least as large."""
    rho = stats.spearmanr(x, y).statistic
    every = [abs(stats.spearmanr(x, np.array(y)[list(p)]).statistic) for p in itertools.permutations(range(len(y)))]
    return {"x": list(map(float, x)), "y": list(map(float, y)), "rho": float(rho), "p": float(np.mean(np.array(every) >= abs(rho) - 1e-9))}


def detectable(n, discordance, alpha, power):
    """Connor's formula for McNemar's test, solved by search."""
    za, zb = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    needed = lambda d: ((za * np.sqrt(discordance) + zb * np.sqrt(discordance - d * d)) / d) ** 2
    return [n, discordance, alpha, power, float(optimize.brentq(lambda d: needed(d) - n, 1e-6, discordance, xtol=1e-14))]


skewed = RANDOM.exponential(size=40) - 0.6
pairs = RANDOM.integers(1, 4, size=60)
x = RANDOM.normal(size=30)
y = x + 0.05 + 0.2 * RANDOM.normal(size=30)
groups = np.sort(RANDOM.integers(0, 25, size=90))
binary = RANDOM.choice([-1.0, 0.0, 0.0, 0.0, 0.0, 1.0], size=90)
table = np.round(0.3 * RANDOM.normal(size=(4, 1)) + RANDOM.normal(size=(1, 9)) + 0.5 * RANDOM.normal(size=(4, 9)), 3)

expected = {
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
    "bca": [bca(skewed), bca(RANDOM.choice([-1.0, 0.0, 0.0, 0.0, 1.0], size=50)), bca(RANDOM.normal(size=12))],
    "clustered_bootstrap": clustered_bca(RANDOM.binomial(pairs, 0.2) - 0.6 * RANDOM.binomial(pairs, 0.5), pairs),
    "sign_flip": [sign_flip(v) for v in (RANDOM.normal(0.4, 1, 12), RANDOM.choice([-2.0, -1.0, 0.0, 1.0], size=14), RANDOM.normal(0.5, 1, 7))],
    "sign_flip_counts": [sign_flip(v) for v in (RANDOM.choice([-2.0, -1.0, 0.0, 1.0, 2.0], size=16), np.array([-2.0, -2.0, -1.0, -2.0, -2.0, -1.0]))],
    "tost": [equivalence(x, y, 0.2), equivalence(x, y, 0.1), equivalence(x[:5], y[:5], 0.5)],
    "cluster_mean": [cluster_mean(binary, groups), cluster_mean(RANDOM.normal(size=12) + np.repeat(RANDOM.normal(size=6), 2), np.repeat(np.arange(6), 2))],
    "two_way": [two_way(table), two_way(RANDOM.choice([-1.0, 0.0, 0.0, 1.0], size=(3, 20)))],
    "random_effects": [
        random_effects([0.10, 0.30, 0.35, 0.65, 0.45], [0.03, 0.03, 0.05, 0.01, 0.05]),
        random_effects([-0.12, -0.02, -0.31], [0.0011, 0.0008, 0.0021]),
        random_effects([0.01, 0.02, 0.015, 0.012], [0.001, 0.002, 0.001, 0.003]),
    ],
    "spearman": [spearman([0.555, 0.556, 0.464, 0.777, 0.769], [70.2, 71.7, 69.6, 57.1, 57.1]), spearman(x[:7], y[:7])],
    "detectable": [detectable(*case) for case in ((191, 0.1, 0.05, 0.8), (191, 0.1, 0.01, 0.8), (1000, 0.05, 0.05, 0.9))],
    "student": [[p, f, float(stats.t.isf(p, f)), float(stats.t.sf(1.7, f))] for p in (0.05, 0.025, 0.005) for f in (1, 4, 5.3, 190)],
}
target = ROOT / "oracle/expected/statistics_inference.json"
# What statsmodels goes on to compute from a variance below 0 is no number, and JSON has none.
numbers = json.loads(json.dumps(expected), parse_constant=lambda _: None)
target.write_text(json.dumps(numbers, separators=(",", ":"), allow_nan=False) + "\n")
