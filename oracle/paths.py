"""Likeness of states and drift of weights, by numpy.

CKA after Kornblith, Norouzi, Lee and Hinton 2019 (equation 3, in feature space) and its debiased
form with the unbiased HSIC of Song et al. 2012 (equation 5), in exact fractions over features as
they are; drift from two small checkpoints. Writes oracle/expected/paths/{expected.json,base/,variant/},
which crates/prism-audit/tests/paths_oracle.rs and crates/prism-model/tests/drift.rs read.

Versions: numpy 2.4.6, safetensors 0.8.0 (the ones that ran are printed).
"""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

root = Path(__file__).parent / "expected/paths"
rng = np.random.default_rng(20261128)


def cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def hsic(k, l):
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    one = np.array([Fraction(1)] * n)
    inner = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - Fraction(2, n - 2) * (one @ k @ l @ one)
    return inner / (n * (n - 3))


def debiased(x, y):
    # In fractions: 100 from the origin double precision loses ten digits.
    x, y = (np.vectorize(Fraction, otypes=[object])(m) for m in (x, y))
    k, l = x @ x.T, y @ y.T
    return float(hsic(k, l)) / np.sqrt(float(hsic(k, k)) * float(hsic(l, l)))


def case(name, x, y):
    x, y = (np.float32(np.round(m, 4)).astype(np.float64) for m in (x, y))
    return {"name": name, "x": x.tolist(), "y": y.tolist(), "cka": cka(x, y), "debiased": debiased(x, y)}


def normal(*shape):
    return rng.standard_normal(shape)


x = normal(24, 6)
rotation, _ = np.linalg.qr(normal(6, 6))
wide = normal(14, 40)
cases = [
    case("unrelated, more examples than dimensions", normal(30, 5), normal(30, 7)),
    case("unrelated, fewer examples than dimensions", wide, normal(14, 30)),
    case("turned, scaled and moved", x, 2.5 * x @ rotation + 3),
    case("linear with noise", x, x @ normal(6, 9) + 0.8 * normal(24, 9)),
    case("far from the origin", x + 100, x @ normal(6, 4) + normal(24, 4) - 50),
    case("four examples", normal(4, 3), normal(4, 3)),
]

# Two checkpoints: names as older transformers write them, one tensor in half precision, three more
# rows of tokens in the variant, a head that only the variant has.
H, I, LAYERS = 6, 10, 2
shapes = {"model.embed_tokens.weight": (9, H), "model.norm.weight": (H,), "visual.patch_embed.proj.weight": (4, 3), "lm_head.weight": (9, H)}
for layer in range(LAYERS):
    at = f"model.layers.{layer}."
    shapes |= {f"{at}self_attn.{p}_proj.weight": (H, H) for p in "qkvo"} | {f"{at}self_attn.{p}_proj.bias": (H,) for p in "qkv"}
    shapes |= {f"{at}mlp.gate_proj.weight": (I, H), f"{at}mlp.up_proj.weight": (I, H), f"{at}mlp.down_proj.weight": (H, I)}
    shapes |= {f"{at}input_layernorm.weight": (H,), f"{at}post_attention_layernorm.weight": (H,)}
base = {name: normal(*shape).astype(np.float32) for name, shape in shapes.items()}
variant = {name: (w + 0.1 * rng.random() * normal(*w.shape)).astype(np.float32) for name, w in base.items()}
variant["visual.patch_embed.proj.weight"] = base["visual.patch_embed.proj.weight"].copy()
variant["model.layers.1.mlp.up_proj.weight"] = variant["model.layers.1.mlp.up_proj.weight"].astype(np.float16)
variant["model.embed_tokens.weight"] = np.concatenate([variant["model.embed_tokens.weight"], normal(3, H).astype(np.float32)])
variant["lvr_head.0.weight"] = normal(H).astype(np.float32)
for name, weights in (("base", base), ("variant", variant)):
    (root / name).mkdir(parents=True, exist_ok=True)
    save_file(weights, root / name / "model.safetensors")


def memory(name):
    if name.startswith("visual."):
        return "model." + name
    return name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name


def flat(names):
    b = np.concatenate([base[n].ravel().astype(np.float64) for n in names])
    v = np.concatenate([variant[n][: len(base[n])].ravel().astype(np.float64) for n in names])
    return b, v


def drift(names):
    b, v = flat(names)
    return {
        "tensors": len(names), "elements": len(b), "base_norm": np.linalg.norm(b), "variant_norm": np.linalg.norm(v),
        "difference_norm": np.linalg.norm(v - b), "relative": np.linalg.norm(v - b) / np.linalg.norm(b),
        "cosine": v @ b / (np.linalg.norm(v) * np.linalg.norm(b)),
    }


def kind(name):
    for part in "qkvo":
        if f".{part}_proj." in name:
            return part
    for part, mark in (("vision", "visual"), ("embed", "embed_tokens"), ("lm_head", "lm_head"), ("gate", "gate_proj"), ("up", "up_proj"),
                       ("down", "down_proj")):
        if mark in name:
            return part
    return "norms"


def layer(name):
    return int(name.split(".")[2]) if name.startswith("model.layers.") else None


names = sorted(base)
groups = [{"level": "tensor", "name": memory(n), "module": kind(n), "layer": layer(n), **drift([n])} for n in names]
for module in sorted({kind(n) for n in names}):
    groups.append({"level": "module", "name": None, "module": module, "layer": None, **drift([n for n in names if kind(n) == module])})
for number in range(LAYERS):
    inside = [n for n in names if layer(n) == number]
    groups.append({"level": "layer", "name": None, "module": None, "layer": number, **drift(inside)})
    for module in sorted({kind(n) for n in inside}):
        group = drift([n for n in inside if kind(n) == module])
        groups.append({"level": "module_in_layer", "name": None, "module": module, "layer": number, **group})
groups.append({"level": "all", "name": None, "module": None, "layer": None, **drift(names)})

versions = {"numpy": np.__version__, "safetensors": safetensors.__version__}
(root / "expected.json").write_text(json.dumps({"versions": versions, "cka": cases, "drift": groups}, indent=None) + "\n")
print(versions, len(cases), "cases of CKA,", len(groups), "rows of drift")
