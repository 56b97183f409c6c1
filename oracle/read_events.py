"""Reads an event file with TensorBoard itself and prints what it found as JSON.

    python oracle/read_events.py FOLDER > crates/prism-train/tests/fixtures/events.json

FOLDER holds the file that `cargo nextest run -p prism-train events` leaves where
PRISM_EVENTS says. The expected JSON and the file's bytes are stored with the tests.
"""

import json
import sys

import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

accumulator = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
accumulator.Reload()
scalars = {
    tag: [[e.wall_time, e.step, e.value] for e in accumulator.Scalars(tag)] for tag in sorted(accumulator.Tags()["scalars"])
}
json.dump({"made_with": f"tensorboard {tensorboard.__version__}", "file_version": accumulator.file_version, "scalars": scalars}, sys.stdout, indent=1)
print()
