"""The log of the functions: JSON lines on standard error, one per request and one per fault.

Invariant: a message is constant and its values are fields; a line never holds a body, a token, a
query or an address, because those carry secrets and personal data.
"""

import functools
import sys

from aws_lambda_powertools import Logger


@functools.lru_cache(maxsize=1)
def logger() -> Logger:
    """The process's logger, made at its first use."""
    return Logger(service="outcry", stream=sys.stderr, utc=True, use_rfc3339=True)
