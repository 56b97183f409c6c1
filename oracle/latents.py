"""Findings on latents and responses, by numpy, scipy, scikit-learn and pandas.

Makes up a small run (records as prism writes them, columns and types) and computes what
`prism-audit` must find in it. Writes oracle/expected/latents/{records/,run.json,expected.json},
which crates/prism-audit/tests/latents_oracle.rs reads.

Versions: numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, pandas 3.1.1, pyarrow 26.0.1, safetensors 0.8.0
(the ones that ran are printed).
"""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors
import scipy
import sklearn
from safetensors.numpy import save_file
from scipy import stats
from sklearn.covariance import LedoitWolf
from sklearn.metrics.pairwise import cosine_similarity

root = Path(__file__).parent / "expected/latents"
(root / "records").mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(20261124)
N, D = 40, 24
rows = np.arange(N)
labels = rng.choice(list("ABCD"), N)
# Partners stand behind each other: e0 e1, e2 e3, ...
for i in range(0, N, 2):
    labels[i + 1] = rng.choice([x for x in "ABCD" if x != labels[i]])


def column(values, kind):
    return pa.array([None if v is None else v for v in values], type=kind)


TEXT, INT, REAL, BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
examples = {
    "row": (rows.tolist(), INT), "id": ([f"e{i}" for i in rows], TEXT), "question_id": ([str(i) for i in rows], TEXT),
    "category": ([["attribute", "position"][i // 2 % 2] for i in rows], TEXT), "pair": ([None] * N, TEXT),
    "counterfactual": ([f"e{i ^ 1}" for i in rows], TEXT), "prompt": (["?"] * N, TEXT), "options": ([["a", "b", "c", "d"]] * N, pa.list_(TEXT)),
    "label": (labels.tolist(), TEXT), "image": ([f"{i}.png" for i in rows], TEXT), "images": ([1] * N, INT), "boxes": (["[]"] * N, TEXT),
    "prompt_tokens": ([30] * N, INT), "visual_tokens": ([16] * N, INT), "outcome": (["scored"] * N, TEXT), "message": ([None] * N, TEXT),
}
pq.write_table(pa.table({k: column(*v) for k, v in examples.items()}), root / "records/examples.parquet")

# Answers: four cells of necessity and sufficiency, a swap, two doses, single steps.
skill = {"clean": 0.9, "zero": 0.6, "clean@image-hidden": 0.7, "zero@image-hidden": 0.3, "swap": 0.3, "noise:0.3": 0.85, "noise:1": 0.6,
         "zero/step=0": 0.7, "zero/step=1": 0.85, "sham": None}
answers = []
donor = np.array([(i * 7 + 3) % N for i in rows])
for name, share in skill.items():
    for i in rows:
        logprobs = np.log(rng.dirichlet(np.ones(4)))
        right = rng.random() < (share or 0)
        letter = labels[i] if right else rng.choice([x for x in "ABCD" if x != labels[i]])
        if name == "swap" and rng.random() < 0.6:
            letter = labels[donor[i]]
        # Some answers cannot be parsed: other examples in the clean run than under the swap.
        missing = (name == "clean" and i % 13 == 5) or (name == "swap" and i % 9 == 4)
        if name == "sham":
            clean = answers[i]
            letter, missing = clean["answer"], clean["answer"] is None
            logprobs = logprobs if missing else np.array(clean["option_logprobs"])
        order = "ABCD".index
        margin = lambda x: None if missing else float(logprobs[order(x)] - max(np.delete(logprobs, order(x))))
        letter = None if missing else str(letter)
        answers.append({
            "row": int(i), "id": f"e{i}", "intervention": name, "donor": int(donor[i]) if name == "swap" else None, "outcome": "no_answer" if missing else "scored",
            "answer": letter, "correct": bool(letter == labels[i]), "text": "", "generated": [-1 if missing else order(letter)],
            "changed": None if name == "clean" else bool(letter != answers[i]["answer"]), "steps_context": 0, "steps_target": 2,
            "gold_margin": margin(labels[i]), "gold_logprob": None if missing else float(logprobs[order(labels[i])]), "answer_entropy": 1.0,
            "latent_norm": 5.0, "perturbation_norm": {"clean": None, "sham": 0.0, "noise:0.3": 1.5, "noise:1": 4.75}.get(name, 5.0),
            # Squared, over the natural spread; absent where nothing foreign is put in.
            "strength": None if name in ("clean", "sham", "clean@image-hidden") else 2.0,
            "option_logprobs": None if missing else logprobs.tolist(), "donor_label": str(labels[donor[i]]) if name == "swap" else None,
            "donor_margin": margin(labels[donor[i]]) if name == "swap" else None,
        })
schema = {"row": INT, "id": TEXT, "intervention": TEXT, "donor": INT, "outcome": TEXT, "answer": TEXT, "correct": BOOL, "text": TEXT,
          "generated": pa.list_(INT), "changed": BOOL, "steps_context": INT, "steps_target": INT, "gold_margin": REAL, "gold_logprob": REAL,
          "answer_entropy": REAL, "latent_norm": REAL, "perturbation_norm": REAL, "strength": REAL, "option_logprobs": pa.list_(REAL), "donor_label": TEXT,
          "donor_margin": REAL}
pq.write_table(pa.table({k: column([a[k] for a in answers], t) for k, t in schema.items()}), root / "records/answers.parquet")

# Vectors: latents near a common mean, targets of which they keep a little.
teacher = [(rng.normal(size=(N, D)) * np.linspace(3, 0.2, D) + 2).astype(np.float32) for _ in range(2)]
fed = [(0.4 * t + rng.normal(size=(N, D)) + 4).astype(np.float32) for t in teacher]
for f in fed:  # partners are nearer to each other than strangers
    f[1::2] = 0.7 * f[::2] + 0.3 * f[1::2]
forced = [(0.8 * t + 0.5 * rng.normal(size=(N, D))).astype(np.float32) for t in teacher]
known = np.arange(0, N, 1)[3:]  # the first three have no target
tensors = {}
for step in range(2):
    tensors[f"fed.target.{step}"], tensors[f"fed.target.{step}_rows"] = fed[step], rows.astype(np.int64)
    tensors[f"teacher.target.{step}"], tensors[f"teacher.target.{step}_rows"] = teacher[step][known], known.astype(np.int64)
    tensors[f"forced.target.{step}"], tensors[f"forced.target.{step}_rows"] = forced[step][known], known.astype(np.int64)
tensors["visual_mean"] = rng.normal(size=(N, D)).astype(np.float32)
tensors["visual_mean_rows"] = rows.astype(np.int64)
save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, root / "records/latents.safetensors")

attention = []
for i in rows:
    for place, step in [("target", 0), ("target", 1), ("answer", None)]:
        for layer in range(2):
            image, text, latents, generated = rng.dirichlet(np.ones(4))
            attention.append({"row": int(i), "place": place, "step": step, "layer": layer, "image": image,
                              "region": image * rng.random(), "region_share": 0.25, "text": text, "latents": latents,
                              "generated": generated, "image_entropy": rng.random(), "latent_entropy": None})
schema = {"row": INT, "place": TEXT, "step": INT, "layer": INT, "image": REAL, "region": REAL, "region_share": REAL, "text": REAL,
          "latents": REAL, "generated": REAL, "image_entropy": REAL, "latent_entropy": REAL}
pq.write_table(pa.table({k: column([a[k] for a in attention], t) for k, t in schema.items()}), root / "records/attention.parquet")

manifest = {"schema": 1, "kind": "audit", "version": "0", "variant": "made-up", "seed": 1, "benchmark": "made-up", "command": [], "commit": "",
            "host": "", "device": "", "dtype": "", "threads": 1, "inputs": {}, "outcomes": {}, "settings": {}, "started": ""}
(root / "run.json").write_text(json.dumps(manifest))


def effective_rank(x):
    s = np.linalg.svd(x - x.mean(0), compute_uv=False)
    return float(np.exp(stats.entropy(s / s.sum())))


def participation(x):
    v = np.linalg.eigvalsh(np.cov(x.T))
    return float(v.sum() ** 2 / (v**2).sum())


def geometry(x):
    x = x.astype(np.float64)
    c = cosine_similarity(x)
    return {"norm": float(np.linalg.norm(x, axis=1).mean()), "norm_sd": float(np.linalg.norm(x, axis=1).std(ddof=1)),
            "spread": float(np.sqrt(x.var(0, ddof=1).mean())), "inter_example_cosine": float(c[np.triu_indices(len(x), 1)].mean()),
            "effective_rank": effective_rank(x), "participation_ratio": participation(x),
            "first_share": float(np.linalg.eigvalsh(np.cov(x.T))[-1] / np.cov(x.T).trace())}


def geometries(steps):
    """Of consecutive steps, with the mean cosine of an example's vector to its own of the step before."""
    found = [geometry(x) for x in steps]
    for one, x, before in zip(found[1:], steps[1:], steps):
        one["previous_cosine"] = float(np.diag(cosine_similarity(x.astype(np.float64), before.astype(np.float64))).mean())
    return found


def retrieval(h, v):
    h, v = h.astype(np.float64), v.astype(np.float64)
    off = ~np.eye(len(h), dtype=bool)

    def ranks(a, b):
        c = cosine_similarity(a, b)
        return (c > np.diag(c)[:, None]).sum(1), c

    plain, c = ranks(h, v)
    hc, vc = h - h.mean(0), v - v.mean(0)
    centred, cc = ranks(hc, vc)
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(vc).covariance_)
    white = [a @ inverse @ b / np.sqrt(a @ inverse @ a * (b @ inverse @ b)) for a, b in zip(hc, vc)]
    return {"cosine": float(np.diag(c).mean()), "cosine_others": float(c[off].mean()), "centred": float(np.diag(cc).mean()),
            "whitened": float(np.mean(white)), "at_1": float((plain < 1).mean()), "at_5": float((plain < 5).mean()),
            "centred_at_1": float((centred < 1).mean()), "centred_at_5": float((centred < 5).mean())}


def counterfactual(x):
    x = x.astype(np.float64)
    near = {(i, i + 1) for i in range(0, N, 2)}
    square = lambda a, b: float(((x[a] - x[b]) ** 2).sum())
    c = cosine_similarity(x)
    strangers = [p for p in combinations(range(N), 2) if p not in near]
    return {"cosine": float(np.mean([c[p] for p in near])), "cosine_strangers": float(np.mean([c[p] for p in strangers])),
            "change": float(np.mean([square(*p) for p in near]) / np.mean([square(*p) for p in strangers]))}


frame = pandas.DataFrame(answers)
table = frame.pivot(index="row", columns="intervention", values="correct").astype(float)
margins = frame.pivot(index="row", columns="intervention", values="gold_margin")
# Partners are clusters of two: differences are summed by cluster, the interval is Student's over
# the cluster-robust variance (statsmodels' formula, held elsewhere).
cells = {"necessity": table["clean"] - table["zero"], "sufficiency": table["clean@image-hidden"] - table["zero@image-hidden"],
         "image_effect": table["clean"] - table["clean@image-hidden"]}
cells["interaction"] = cells["sufficiency"] - cells["necessity"]
visibility = {name: float(v.mean()) for name, v in cells.items()}
visibility["necessity_margin"] = float((margins["clean"] - margins["zero"]).mean())
visibility["sufficiency_margin"] = float((margins["clean@image-hidden"] - margins["zero@image-hidden"]).mean())
visibility["majority"] = float(pandas.Series(labels).value_counts(normalize=True).max())

swap = frame[frame.intervention == "swap"].set_index("row")
clean = frame[frame.intervention == "clean"].set_index("row")
# Only examples parsed both ways: a missing answer is for nobody.
used = swap[(swap.donor_label.to_numpy() != labels) & swap.answer.notna().to_numpy() & clean.answer.notna().to_numpy()]
base = clean.loc[used.index]
said = (used.answer == used.donor_label).astype(float), (base.answer == used.donor_label).astype(float)


def margin_of(row):
    l = np.array(base.loc[row.name, "option_logprobs"])
    k = "ABCD".index(row.donor_label)
    return l[k] - max(np.delete(l, k))


# Matches with the donor's letter beyond the mean over all exchanges of donors among examples of the same gold letter,
# under the swap minus in the clean run.
frame_used = pandas.DataFrame({"swap": used.answer, "clean": base.answer, "donor": used.donor_label, "gold": labels[used.index.to_numpy()]})
transfer = []
for _, stratum in frame_used.groupby("gold"):
    if stratum.donor.nunique() > 1:
        shares = stratum.donor.value_counts(normalize=True)
        beyond = lambda said: (said == stratum.donor).astype(float) - said.map(shares).fillna(0.0).astype(float)
        transfer += list(beyond(stratum["swap"]) - beyond(stratum["clean"]))
gold_rate = [float((side.answer.to_numpy() == labels[used.index.to_numpy()]).mean()) for side in (used, base)]
donors = {"gold_rate": gold_rate[0], "gold_rate_clean": gold_rate[1], "transfer": float(np.mean(transfer)), "transfer_examples": len(transfer), "examples": len(used), "donor_rate": float(said[0].mean()), "donor_rate_clean": float(said[1].mean()),
          "lift": float((said[0] - said[1]).mean()), "margin_lift": float((used.donor_margin - used.apply(margin_of, axis=1)).mean())}

spread = float(np.mean([np.sqrt(f.astype(np.float64).var(0, ddof=1).mean()) for f in fed]))
dose = {name: {"snr_norm": float(20 * np.log10(5.0 / p)), "snr_spread": float(20 * np.log10(spread / (p / np.sqrt(D)))),
               "delta": float((table[name] - table["clean"]).mean())} for name, p in [("noise:0.3", 1.5), ("noise:1", 4.75)]}

frame = pandas.DataFrame(attention)
enriched = frame.assign(e=frame.region / frame.image / frame.region_share)
by = enriched.groupby(["place", "layer", frame.step.fillna(-1)])
attended = [{"place": k[0], "layer": int(k[1]), "step": None if k[2] < 0 else int(k[2]), "image": float(g.image.mean()),
             "latents": float(g.latents.mean()), "enrichment": float(g.e.mean()), "image_entropy": float(g.image_entropy.mean())}
            for k, g in by]

pair = clean.answer.to_numpy().reshape(-1, 2)
stacked = np.concatenate(fed).astype(np.float64)
variance = np.linalg.svd(stacked - stacked.mean(0), compute_uv=False) ** 2
expected = {
    "geometry": {"free_running": geometries(fed), "teacher_forced": geometries([f[known] for f in forced]),
                 "teacher_target": geometries([t[known] for t in teacher])},
    "retrieval": {"free_running": [retrieval(f[known], t[known]) for f, t in zip(fed, teacher)],
                  "teacher_forced": [retrieval(f[known], t[known]) for f, t in zip(forced, teacher)]},
    "counterfactual": {"target": [counterfactual(f) for f in fed], "visual_mean": [counterfactual(tensors["visual_mean"])]},
    "answers_differ": float((pair[:, 0] != pair[:, 1])[pandas.notna(pair).all(1)].mean()),
    "both_right": float((pair == labels.reshape(-1, 2)).all(1).mean()),
    "visibility": visibility, "donors": donors, "dose": dose, "attention": attended,
    "shares": (variance[:2] / variance.sum()).tolist(),
    "single": {n: float((table[n] - table["clean"]).mean()) for n in ["zero/step=0", "zero/step=1", "zero"]},
}
(root / "expected.json").write_text(json.dumps(expected, indent=1))
print(np.__version__, scipy.__version__, sklearn.__version__, pandas.__version__, pa.__version__, safetensors.__version__)
