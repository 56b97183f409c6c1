"""Tables of the report read by pandas: every value, every absent number and its reason, there and back.

Reads crates/prism-report/tests/fixtures/table.csv, which crates/prism-report/tests/tables.rs holds against what the report
writes. Writes beside it table.json, what pandas read, and table.back.csv, what pandas wrote of it; the same test holds both
against the cells.

Then reads the tables of a whole study, which `cargo test --test one_source` leaves under target/tmp/one-source/tables as CSV and
as the explorer's JSON, and holds the one against the other. A machine without them is told so.

Without `keep_default_na=False` pandas would take the word NA for nothing.
"""

import json
import os
import sys
from pathlib import Path

import pandas

root = Path(__file__).parent.parent


def read(file, **more):
    return pandas.read_csv(file, keep_default_na=False, na_values=[""], index_col="key", **more)


def plain(table):
    return {name: [None if pandas.isna(value) else value for value in column.tolist()] for name, column in table.items()}


def fixture():
    folder = root / "crates/prism-report/tests/fixtures"
    table = read(folder / "table.csv")
    out = {"keys": table.index.tolist(), "columns": plain(table)}
    (folder / "table.json").write_text(json.dumps(out, indent=1) + "\n")
    table.to_csv(folder / "table.back.csv")
    back = read(folder / "table.back.csv")
    assert plain(back) == plain(table) and back.index.tolist() == table.index.tolist(), "what pandas wrote is not what it read"
    print(pandas.__version__, table.shape)


def compare(file):
    """Cells of one table of a study: as many as were compared."""
    told = json.loads(file.with_suffix(".json").read_text())
    words = {column["name"] for column in told["columns"] if column["digits"] is None}
    # Columns of words are words, whatever they look like.
    table = read(file, dtype={name: str for name in words})
    cells = plain(table)
    assert table.index.map(str).tolist() == [row["key"] for row in told["rows"]], file
    compared = 0
    for place, row in enumerate(told["rows"]):
        for name, cell in row["cells"].items():
            here = f"{file.name}: {name} of {row['key']}"
            ends = [name + ".low", name + ".high"] if name + ".low" in cells else [name]
            values = [cells[end][place] for end in ends]
            reason = cells.get(name + ".absent", [None] * len(table))[place]
            assert reason == cell.get("absent"), here
            if cell["value"] is None:
                assert all(value is None for value in values) and reason, here
            elif name in words:
                # A whole number stands among the words: it has no digits after the point.
                assert values[0] == str(cell["value"]), here
            else:
                assert values == (cell["value"] if len(ends) == 2 else [cell["value"]]), here
            compared += 1
    return compared


def study():
    folder = Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "tmp/one-source/tables"
    files = sorted(folder.glob("*.csv"))
    if not files:
        print(f"NOT READ: no tables in {folder}; run: cargo test --release --workspace --test one_source", file=sys.stderr)
        return
    print(len(files), "tables of a study,", sum(compare(file) for file in files), "cells")


fixture()
study()
