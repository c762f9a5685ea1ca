"""What a function is given: its settings and its stores, made at the first invocation.

Invariant: nothing is opened at import, and a process opens each store once. Handlers call
`composition.stores()` (through the module, so that a test can put others in its place).
"""

import functools
from functools import cached_property
from typing import TYPE_CHECKING

from functions.shared.access.addresses import Network, parse_networks
from functions.shared.access.call_rates import CallRates
from functions.shared.access.regions import Regions
from functions.shared.access.verifier import Verifier
from functions.shared.clock import Clock, open_clock
from functions.shared.settings import SettingsError, StoreSettings
from functions.shared.stores.instruments import InstrumentMaster
from functions.shared.stores.postgres import Shards
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.secrets import Secrets, open_secrets
from functions.shared.stores.valkey import Valkey, open_valkey

if TYPE_CHECKING:
    from functions.shared.stores.bank import Bank
    from functions.shared.stores.kyc import KycProvider
    from functions.shared.stores.mail import Mail
    from functions.shared.stores.objects import Objects


class Stores:
    """One process's stores, each opened when first asked for."""

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings

    @cached_property
    def shards(self) -> Shards:
        return Shards(self.settings.postgres_urls, "functions")

    @cached_property
    def valkey(self) -> Valkey:
        return open_valkey(self.settings.valkey_url)

    @cached_property
    def secrets(self) -> Secrets:
        return open_secrets(self.settings.secrets_url)

    @cached_property
    def objects(self) -> "Objects":
        """Raises SettingsError in a function that was told of none."""
        if self.settings.objects_url is None:
            raise SettingsError("OUTCRY_OBJECTS_URL is missing")
        # S3's driver takes longer to import than all of a handler; most functions never need it.
        from functions.shared.stores.objects import open_objects

        return open_objects(self.settings.objects_url)

    @cached_property
    def bank(self) -> "Bank":
        """Raises SettingsError in a function that was told of none."""
        # Its HTTP client is loaded where money moves in or out, and nowhere else.
        from functions.shared.stores.bank import open_bank

        return open_bank(self.settings.bank_url, self.secrets.get("bank-token"))

    @cached_property
    def kyc(self) -> "KycProvider":
        """Raises SettingsError in a function that was told of none."""
        from functions.shared.stores.kyc import open_kyc  # an HTTP client, as for the bank

        return open_kyc(self.settings.kyc_url, self.secrets.get("kyc-token"))

    @cached_property
    def mail(self) -> "Mail":
        """Raises SettingsError in a function that was told of none."""
        if self.settings.mail_url is None:
            raise SettingsError("OUTCRY_MAIL_URL is missing")
        from functions.shared.stores.mail import open_mail  # SES's driver, as for objects

        return open_mail(self.settings.mail_url, self.settings.mail_sender)

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """Raises SettingsError when OUTCRY_TRUSTED_PROXIES is malformed."""
        return parse_networks("OUTCRY_TRUSTED_PROXIES", self.settings.trusted_proxies)

    @cached_property
    def clock(self) -> Clock:
        return open_clock(self.settings.clock)

    @cached_property
    def instruments(self) -> InstrumentMaster:
        return InstrumentMaster(self.shards.control)

    @cached_property
    def quotes(self) -> QuoteCache:
        return QuoteCache(self.valkey)

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier.from_stores(self.secrets, self.valkey, self.shards, self.regions)

    @cached_property
    def call_rates(self) -> CallRates:
        return CallRates.of(self.settings)

    @cached_property
    def regions(self) -> Regions:
        """Raises SettingsError when OUTCRY_REGION or OUTCRY_REGIONS is malformed."""
        return Regions.parse(self.settings.region, self.settings.regions)

    def close(self) -> None:
        """Ends the connections that were opened: a process that goes on without them."""
        for name in ("shards", "valkey"):
            if (store := self.__dict__.get(name)) is not None:
                store.close()


@functools.lru_cache(maxsize=1)
def stores() -> Stores:
    """The stores of this process. Raises SettingsError when a variable is missing."""
    return Stores(StoreSettings.from_environment())
