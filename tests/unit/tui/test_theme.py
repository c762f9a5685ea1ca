"""Every theme can be read: contrast by WCAG 2.2 of each tone on each ground it stands on."""

import pytest
from textual.color import Color
from textual.theme import Theme

from tui.theme import HIGH_CONTRAST, THEMES

GROUNDS = ("background", "surface", "selected", "selected-blurred")
READ = ("foreground", "success", "error", "warning", "primary", "secondary")


def colour(theme: Theme, name: str) -> Color:
    """By its name, of the theme's own or of its variables."""
    return Color.parse(theme.variables.get(name) or getattr(theme, name))


def luminance(of: Color) -> float:
    parts = [part / 255 for part in of.rgb]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: Color, other: Color) -> float:
    """From 1 to 21 (WCAG 2.2, contrast ratio)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_what_is_read_stands_out(theme: Theme) -> None:
    least = 7.0 if theme is HIGH_CONTRAST else 4.5
    found = {
        (tone, ground): contrast(colour(theme, tone), colour(theme, ground))
        for tone in READ
        for ground in GROUNDS
    }

    assert {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < least} == {}


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_what_is_faint_can_still_be_read(theme: Theme) -> None:
    least = 7.0 if theme is HIGH_CONTRAST else 3.0
    ratios = [contrast(colour(theme, "faint"), colour(theme, each)) for each in GROUNDS]

    assert min(ratios) >= least


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_a_lit_price_and_the_frame_can_be_read(theme: Theme) -> None:
    pairs = [("foreground", "lit-up"), ("foreground", "lit-down"), ("paper", "paper-ground"),
             ("live", "live-ground")]  # fmt: skip

    assert min(contrast(colour(theme, a), colour(theme, b)) for a, b in pairs) >= 4.5


def test_themes_have_the_same_names_for_their_colours() -> None:
    assert {frozenset(theme.variables) for theme in THEMES} == {frozenset(THEMES[0].variables)}
