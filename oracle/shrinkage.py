"""Ledoit-Wolf shrinkage of a small pool of latents, by scikit-learn 1.9.1.

Writes crates/prism-model/tests/fixtures/shrinkage.txt, which the unit test of
crates/prism-record/src/decode/statistics.rs reads: the same rows, each about the mean of its step, step by step.
"""

from pathlib import Path

import numpy as np
import sklearn
from sklearn.covariance import ledoit_wolf_shrinkage

vectors = np.array(
    [[[((i * 7 + step * 3 + k * k * 5) % 11 - 4.0) * (1 + 2 * step) for k in range(4)] for step in range(2)] for i in range(12)]
)
steps = [vectors[:, step] - vectors[:, step].mean(0) for step in range(2)]
path = Path(__file__).parent.parent / "crates/prism-model/tests/fixtures/shrinkage.txt"
path.write_text("".join(f"{float(ledoit_wolf_shrinkage(rows, assume_centered=True))!r}\n" for rows in steps))
print(sklearn.__version__, path.read_text().strip())
