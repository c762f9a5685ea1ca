"""Logs: one JSON object a line on standard error, from our code and from libraries alike.

Invariant: the message is constant and the facts are fields, so that lines can be counted. No
secret and nothing personal is a field: people appear as user_id alone.
"""

import logging
import sys

import structlog


def configure_logging(part: str, level: str) -> None:
    """Sends every log record to standard error as JSON with `part`, `level`, `time`, `event`.

    Raises ValueError for an unknown level.
    """

    def add_part(
        _logger: object, _method: str, fields: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {"part": part, **fields}

    shared: list[structlog.typing.Processor] = [
        add_part,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module. It has no settings of its own until `configure_logging` ran."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
