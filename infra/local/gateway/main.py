"""`python -m infra.local.gateway.main`: the process that serves the API.

Its imports are few: every worker imports this module again before it starts.
"""

import sys

from functions.shared.settings import Settings, SettingsError


class ApiSettings(Settings, frozen=True, kw_only=True):
    """What the gateway itself reads; its workers read what the functions need."""

    listen: str
    health: str
    clock: str


def main() -> int:
    from infra.local.gateway.serving import serve

    try:
        settings = ApiSettings.from_environment()
    except SettingsError as error:
        sys.exit(str(error))
    return serve(settings.listen, settings.health, settings.clock, settings.log_level)


if __name__ == "__main__":
    sys.exit(main())
