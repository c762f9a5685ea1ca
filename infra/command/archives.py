"""What a slot left behind when it moved: its log up to that day, and no other history.

Invariant: an archive's last event is an event of the log at the slot's home, with the same hash. A
chain covers everything before an event, so two histories of one account can't both pass.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import pg8000.native

from infra.command.report import Report

_ENDS: Final = """
SELECT DISTINCT ON (user_id) user_id, seq, hash FROM ledger.ledger_event
WHERE user_id & 63 <> ALL (CAST(:slots AS bigint[])) ORDER BY user_id, seq DESC
"""
_SAME: Final = """
SELECT x.user_id, x.seq FROM unnest(CAST(:users AS bigint[]), CAST(:seqs AS bigint[]),
  CAST(:hashes AS bytea[])) AS x (user_id, seq, hash)
LEFT JOIN ledger.ledger_event e ON e.user_id = x.user_id AND e.seq = x.seq AND e.hash = x.hash
WHERE e.hash IS NULL ORDER BY x.user_id
"""
_SLOTS: Final = 64


def check_archives(
    connections: Sequence[pg8000.native.Connection], homes: Mapping[int, int], report: Report
) -> None:
    """Holds the logs that each shard keeps of slots at home elsewhere against their homes.

    Outside of the snapshots: the home is asked after the archive, and so it has all that a copy
    under way may have brought meanwhile.
    """
    for shard, connection in enumerate(connections):
        here = [slot for slot, home in homes.items() if home == shard]
        ends = connection.run(_ENDS, slots=here)
        report.checked["archived logs"] += len(ends)
        for home, other in enumerate(connections):
            kept = [end for end in ends if homes.get(end[0] & _SLOTS - 1) == home]
            if home == shard or not kept:
                continue
            users, seqs, hashes = zip(*kept, strict=True)
            for user, seq in other.run(
                _SAME, users=list(users), seqs=list(seqs), hashes=list(hashes)
            ):
                report.problems.append(
                    f"shard {shard}, archived logs: user {user} seq {seq}: is not what the log at"
                    f" home on shard {home} says"
                )
                break
