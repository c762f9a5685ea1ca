from pathlib import Path

from tui.client.watchlist import SYMBOLS_MAX, WatchlistFile


def test_a_new_user_starts_from_the_default(tmp_path: Path) -> None:
    assert WatchlistFile(tmp_path / "home", ("TCS",)).read() == ["TCS"]


def test_the_users_own_list_is_kept_in_its_order(tmp_path: Path) -> None:
    WatchlistFile(tmp_path / "home", ()).write(["TCS", "M&M"])

    assert WatchlistFile(tmp_path / "home", ("ITC",)).read() == ["TCS", "M&M"]


def test_a_list_has_an_end(tmp_path: Path) -> None:
    watchlist = WatchlistFile(tmp_path, ())
    watchlist.write([f"S{number}" for number in range(SYMBOLS_MAX + 10)])

    assert len(watchlist.read()) == SYMBOLS_MAX
