"""A table of the report read by pandas: every value, every absent number and its reason.

Reads crates/prism-report/tests/fixtures/table.csv, which crates/prism-report/tests/tables.rs holds against what the report
writes, and writes table.json beside it, which the same test holds against the cells. Without `keep_default_na=False` pandas
would take the word NA for nothing.
"""

import json
from pathlib import Path

import pandas

folder = Path(__file__).parent.parent / "crates/prism-report/tests/fixtures"
table = pandas.read_csv(folder / "table.csv", keep_default_na=False, na_values=[""], index_col="key")
values = {name: [None if pandas.isna(value) else value for value in column.tolist()] for name, column in table.items()}
out = {"keys": table.index.tolist(), "columns": values}
(folder / "table.json").write_text(json.dumps(out, indent=1) + "\n")
print(pandas.__version__, table.shape)
