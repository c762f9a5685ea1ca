"""What a file of corporate actions says, and what is said of rows that can't be."""

from datetime import date
from pathlib import Path

import pytest

from functions.shared.domain.corporate_actions import ActionKind
from infra.command.corporate_actions import read_actions
from infra.command.exits import Failure

HEADER = "symbol,ex_date,kind,ratio\n"


def file(folder: Path, text: str) -> Path:
    path = folder / "actions.csv"
    path.write_text(text)
    return path


def test_each_kind_is_read(tmp_path: Path) -> None:
    text = "tcs,2026-07-10,SPLIT,5:1\nM&M,2026-07-13,bonus,1:2\nINFY,2026-07-13,DIVIDEND,12.50\n"

    rows, refused = read_actions(file(tmp_path, HEADER + text))

    assert refused == []
    assert [row[1:] for row in rows] == [
        ("TCS", date(2026, 7, 10), ActionKind.SPLIT, 5, 1),
        ("M&M", date(2026, 7, 13), ActionKind.BONUS, 1, 2),
        ("INFY", date(2026, 7, 13), ActionKind.DIVIDEND, 1_250, 1),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",2026-07-10,SPLIT,5:1", "no symbol"),
        ("TCS,10-07-2026,SPLIT,5:1", "ex_date '10-07-2026'"),
        ("TCS,2026-07-10,RIGHTS,5:1", "kind 'RIGHTS' is none of SPLIT, BONUS, DIVIDEND"),
        ("TCS,2026-07-10,SPLIT,5", "ratio '5' is not two whole numbers"),
        ("TCS,2026-07-10,SPLIT,0:1", "ratio '0:1'"),
        ("TCS,2026-07-10,SPLIT", "ratio ''"),
        ("TCS,2026-07-10,DIVIDEND,1.005", "dividend '1.005'"),
        ("TCS,2026-07-10,DIVIDEND,NaN", "dividend 'NaN'"),
        ("TCS,2026-07-10,DIVIDEND,-1", "dividend '-1'"),
    ],
)
def test_a_row_that_can_not_be_is_refused_with_its_line(
    tmp_path: Path, row: str, said: str
) -> None:
    rows, refused = read_actions(file(tmp_path, f"{HEADER}TCS,2026-07-09,SPLIT,2:1\n{row}\n"))

    assert len(rows) == 1
    ((line, reason),) = refused
    assert line == 3
    assert said in reason


def test_the_same_action_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    twice = "TCS,2026-07-10,SPLIT,5:1\nTCS,2026-07-10,SPLIT,2:1\n"

    rows, refused = read_actions(file(tmp_path, HEADER + twice))

    assert (len(rows), len(refused)) == (1, 1)


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="the header is not symbol,ex_date,kind,ratio"):
        read_actions(file(tmp_path, "symbol,date\n"))
