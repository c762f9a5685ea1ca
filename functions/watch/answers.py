"""What the routes of functions/watch take and give."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, RootModel, model_validator

from functions.shared.clock import micros
from functions.shared.runtime.described import SymbolText, TimeText
from functions.shared.runtime.fields import Integer, Request, example, said
from functions.shared.runtime.order_request import Symbol
from functions.shared.stores.watchlists import Watchlist
from functions.shared.wire.events import format_time

#: What a body can name at most; the setting may allow fewer.
SYMBOLS_MAX: Final = 1_000
IMPORT_CHARACTERS_MAX: Final = 60_000


def _one_line(name: str) -> str:
    short = name.strip()
    if not short or not short.isprintable():
        raise ValueError("must be one line of 1 to 40 characters")
    return short


def _each_once(symbols: list[str]) -> list[str]:
    if len(set(symbols)) != len(symbols):
        twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise ValueError(f"{twice} is there twice")
    return symbols


Name = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_one_line)]
Symbols = Annotated[list[Symbol], Field(max_length=SYMBOLS_MAX), AfterValidator(_each_once)]


class ExportedSymbols(RootModel[list[SymbolText]]):
    """A watchlist's symbols in their order, as an import reads them."""


class NewWatchlistBody(Request):
    """A list behind your others. Asked again with its name it is refused, never made twice."""

    model_config = example({"name": "Banks", "symbols": ["HDFCBANK", "SBIN"]})

    name: Name
    symbols: Annotated[Symbols, said("In your order, each once")] = Field(default_factory=list)


class ChangeWatchlistBody(Request):
    """The changed fields; what is left out stays. `symbols` is the whole list, in its new order."""

    model_config = example({"version": 1, "symbols": ["SBIN", "HDFCBANK"]})

    version: Annotated[Integer, Field(gt=0, le=2**31 - 1), said("The version it is made of")]
    name: Name | None = None
    symbols: Symbols | None = None
    position: Annotated[
        Annotated[Integer, Field(ge=0, le=10_000)] | None,
        said("Its place among your lists, from 0; one beyond the last is the last"),
    ] = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.name is None and self.symbols is None and self.position is None:
            raise ValueError("give the name, the symbols, the position, or more of them")
        return self


class ImportBody(Request):
    """A file's text: CSV by its column `symbol` (or `tradingsymbol`, `ticker`), its first column
    without such a header; symbols with commas between them, as TradingView exports them (`###NAME`
    is a section's); or a JSON array of symbols. `RELIANCE.NS` and `NSE:RELIANCE` are read."""

    model_config = example({"version": 1, "text": "symbol\nINFY\nNOSUCH\n"})

    version: Annotated[Integer, Field(gt=0, le=2**31 - 1), said("The version it is added to")]
    text: Annotated[str, Field(min_length=1, max_length=IMPORT_CHARACTERS_MAX)]
    dry_run: Annotated[bool, Field(strict=True), said("Only say what would be taken")] = False


class WatchlistAnswer(BaseModel):
    """`version` grows with every change; symbols that are listed no more stay until taken out."""

    watchlist_id: Annotated[str, Field(examples=["0b0e7a8e-7f3a-4f0e-9a55-2f1f2f0c6f11"])]
    name: Annotated[str, Field(examples=["Banks"])]
    symbols: list[SymbolText]
    version: Annotated[int, Field(examples=[1])]
    created_at: TimeText
    updated_at: TimeText


class WatchlistList(BaseModel):
    """In your order."""

    items: list[WatchlistAnswer]
    next: None = None


class RefusedRowAnswer(BaseModel):
    """A symbol that was not taken; `row`, its line, counts from 1, with the header."""

    row: Annotated[int, Field(examples=[3])]
    text: Annotated[str, Field(examples=["NOSUCH"])]
    code: Literal["UNKNOWN_SYMBOL", "ALREADY_THERE", "NO_ROOM"]


class ImportAnswer(BaseModel):
    """The list after it, or as it is when it was a dry run."""

    watchlist: WatchlistAnswer
    added: Annotated[int, Field(examples=[1])]
    refused: list[RefusedRowAnswer]
    dry_run: Annotated[bool, Field(examples=[False])]


def watchlist_answer(found: Watchlist) -> WatchlistAnswer:
    """As it is told to its user."""
    return WatchlistAnswer(
        watchlist_id=str(found.watchlist_id),
        name=found.name,
        symbols=found.symbols,
        version=found.version,
        created_at=format_time(micros(found.created_at)),
        updated_at=format_time(micros(found.updated_at)),
    )
