"""A lenient reading of broken answers, by pandas over a study's records: what `lenient_delta` must be.

    python oracle/lenient.py runs/study-tiny/seed-42/*/audit

Prints, for the clean run and `zero`, accuracy as parsed and read leniently (a single option letter right before the last
`</answer>` where no letter was parsed), and the difference beside the one in findings/verdict.parquet; fails where they differ.
Written with pandas 3.1.1, pyarrow 26.0.1.
"""

import re
import sys
from pathlib import Path

import pandas


def letter(row):
    if isinstance(row.answer, str):
        return row.answer
    if "</answer>" not in row.text:
        return None
    words = re.sub(r"<\|.*?\|>", " ", row.text.rsplit("</answer>", 1)[0]).split()
    last = re.sub(r"^\W+|\W+$", "", words[-1]) if words else ""
    options = len(row.option_logprobs) if row.option_logprobs is not None else 26
    return last if re.fullmatch("[A-Z]", last) and ord(last) - ord("A") < options else None


for run in map(Path, sys.argv[1:]):
    answers = pandas.read_parquet(run / "records/answers.parquet")
    labels = pandas.read_parquet(run / "records/examples.parquet").set_index("row").label
    verdicts = pandas.read_parquet(run / "findings/verdict.parquet").set_index("intervention")
    right = {}
    for name in ["clean", "zero"]:
        rows = answers[answers.intervention == name].set_index("row").sort_index()
        read = rows.apply(letter, axis=1)
        right[name] = read == labels[rows.index]
        unparsed = rows.answer.isna()
        of_them = f"{100 * right[name][unparsed].mean():.1f} % right" if unparsed.any() else "none"
        print(f"{run.parent.name} {name}: as parsed {100 * (rows.correct == True).mean():.1f}, leniently {100 * right[name].mean():.1f}, "
              f"{unparsed.sum()} unparsed, of them {of_them}")
    theirs, ours = (right["zero"].astype(float) - right["clean"].astype(float)).mean(), verdicts.loc["zero", "lenient_delta"]
    print(f"{run.parent.name}: difference {100 * theirs:+.2f}, prism {100 * ours:+.2f} of {verdicts.loc['zero', 'examples']}")
    if verdicts.loc["zero", "examples"] == len(right["clean"]):
        assert abs(theirs - ours) < 1e-12, run
