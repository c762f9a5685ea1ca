"""The colours, as Textual themes: calm ground, restrained green and red, amber for paper money."""

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
