"""One process of a workload: `python -m tests.history FOLDER NAME SEED`.

NAME is `client-N.M`, who trades on all accounts, or `venue-N.M`, who reports on the orders of those
with an even or an odd number; M counts its lives.
"""

import json
import sys
from pathlib import Path

from tests.history import record
from tests.history.clients import Client
from tests.history.venue import Venue
from tests.history.worker import Setting
from tests.history.workload import enough


def main(folder: Path, name: str, seed: int) -> None:
    setting = Setting(folder, **json.loads((folder / "setting.json").read_text()))
    kind, number = name.split(".")[0].split("-")
    done = enough(folder).exists
    if kind == "client":
        Client(setting, name, seed).run(done)
        return
    mine = [user for user in setting.users if user % 2 == int(number) % 2]
    told = record.read(folder.glob(f"venue-{number}.*.jsonl"))
    answered = {call.asked["exec_id"] for call in told if call.outcome == "ok"}
    unknown = [call for call in told if call.asked["exec_id"] not in answered]
    Venue(Setting(folder, setting.urls, mine, setting.until), name, seed, unknown).run(done)


main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
