"""Where the reference data lies; tests/golden/README.md says what it is."""
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent.parent / "tests/golden"
