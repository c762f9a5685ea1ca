"""The one application that the routes of this function register on, module by module."""

from typing import Final

from functions.shared.runtime.http import Api, new_app

app: Final[Api] = new_app("watch")
