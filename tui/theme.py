"""The colours, as Textual themes: calm ground, restrained green and red, amber for paper money.

Invariant: what is read stands out from its ground by 4.5 to 1, what is faint by 3 to 1, and in the
high-contrast theme all of it by 7 to 1 (WCAG 2.2, 1.4.3 and 1.4.6).
"""

from textual.theme import Theme

DARK = Theme(
    name="outcry-dark",
    dark=True,
    primary="#7aa2c8",
    secondary="#8b9bb0",
    accent="#7aa2c8",
    foreground="#c7d0db",
    background="#0f1318",
    surface="#141a21",
    panel="#1b232c",
    success="#6dbb8a",
    warning="#d9a84e",
    error="#e07f7f",
    variables={
        "faint": "#6d7a89",
        "line": "#2a3541",
        "selected": "#22303f",
        "selected-blurred": "#1a232d",
        "lit-up": "#17392b",
        "lit-down": "#432529",
        "paper": "#d9a84e",
        "paper-ground": "#2b2415",
        "live": "#e07f7f",
        "live-ground": "#331a1c",
        "footer-background": "#0f1318",
        "footer-description-foreground": "#8b97a5",
        "footer-key-foreground": "#d9a84e",
        "input-cursor-background": "#c7d0db",
        "input-selection-background": "#7aa2c8 35%",
    },
)
LIGHT = Theme(
    name="outcry-light",
    dark=False,
    primary="#2a5d8f",
    secondary="#4b5a6b",
    accent="#2a5d8f",
    foreground="#1d2733",
    background="#f7f8fa",
    surface="#ffffff",
    panel="#e7ecf2",
    success="#19703f",
    warning="#835600",
    error="#ab2f2c",
    variables={
        "faint": "#6a7683",
        "line": "#c3ccd6",
        "selected": "#d3e2f2",
        "selected-blurred": "#e6edf4",
        "lit-up": "#c9edd6",
        "lit-down": "#f7d3d1",
        "paper": "#835600",
        "paper-ground": "#fbf0d8",
        "live": "#ab2f2c",
        "live-ground": "#fbe1e0",
        "footer-background": "#f7f8fa",
        "footer-description-foreground": "#4b5a6b",
        "footer-key-foreground": "#835600",
        "input-cursor-background": "#1d2733",
        "input-selection-background": "#2a5d8f 35%",
    },
)
HIGH_CONTRAST = Theme(
    name="outcry-high-contrast",
    dark=True,
    primary="#8ecbff",
    secondary="#e0e0e0",
    accent="#8ecbff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    success="#5dff9b",
    warning="#ffd75f",
    error="#ff9d9d",
    variables={
        "faint": "#c4c4c4",
        "line": "#8a8a8a",
        "selected": "#002a57",
        "selected-blurred": "#262626",
        "lit-up": "#00501f",
        "lit-down": "#6b0000",
        "paper": "#ffd75f",
        "paper-ground": "#332900",
        "live": "#ff9d9d",
        "live-ground": "#4a0000",
        "footer-background": "#000000",
        "footer-description-foreground": "#ffffff",
        "footer-key-foreground": "#ffd75f",
        "input-cursor-background": "#ffffff",
        "input-selection-background": "#8ecbff 35%",
    },
)

THEMES = (DARK, LIGHT, HIGH_CONTRAST)
"""In the order that a key goes through them."""
