"""The command line of the terminal: `python -m tui --url http://127.0.0.1:7400`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_data_path

from tui.app import photograph, run
from tui.settings import TerminalSettings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the terminal, or photograph it with --screenshot; return the exit code."""
    options = _parser().parse_args(argv)
    settings = TerminalSettings(
        api_url=options.url,
        stream_url=options.stream,
        username=options.username,
        password=options.password_file and _first_line(options.password_file),
        totp_secret=options.totp_secret_file and _first_line(options.totp_secret_file),
        home=options.home,
    )
    if options.screenshot is not None:
        return photograph(settings, options.screenshot, options.after, options.size, options.press)
    return run(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="outcry-terminal", description=__doc__)
    parser.add_argument("--url", required=True, help="the broker's base URL")
    parser.add_argument("--stream", help="the stream's URL; the broker is asked when absent")
    parser.add_argument("--username", help="fill in the sign-in with this user name")
    parser.add_argument(
        "--password-file", type=Path, help="a file, because arguments are seen by every process"
    )
    parser.add_argument("--totp-secret-file", type=Path, help="sign in without asking for codes")
    parser.add_argument(
        "--home",
        type=Path,
        default=user_data_path("outcry", appauthor=False) / "terminal",
        help="the folder for the terminal's own journal and watchlist",
    )
    parser.add_argument("--screenshot", type=Path, help="write an SVG of the screen and quit")
    parser.add_argument("--after", type=float, default=5.0, help="seconds before the screenshot")
    parser.add_argument(
        "--press",
        type=str.split,
        default=[],
        metavar="KEYS",
        help='keys to press for the screenshot once the terminal is up: "b 1 0"',
    )
    parser.add_argument("--size", type=_size, default=(120, 36), help="columns x rows: 120x36")
    return parser


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].strip()


def _size(text: str) -> tuple[int, int]:
    columns, _, rows = text.partition("x")
    return int(columns), int(rows)


if __name__ == "__main__":
    sys.exit(main())
