"""Recorded events, one for each artifact: what AWS would send it. Made up but for their shape."""

from pathlib import Path

EVENTS = Path(__file__).parent
