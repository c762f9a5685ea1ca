"""A held login's second half: the mailed code to the session.

Invariant: password and one-time code were right when it was held; the code counts once, within ten
minutes, from the network that asked and by the id that only the device that asked was given.
"""

from datetime import datetime
from typing import Final

from functions.auth.answers import LoginAnswer
from functions.auth.issue import tokens_for
from functions.auth.log_in import opening
from functions.shared.access.devices import device_digest, new_device_token
from functions.shared.access.sessions import Sessions
from functions.shared.access.throttle import Limit, Throttle, network_of
from functions.shared.runtime.composition import Stores

#: Answers from one network; the five tries of a challenge are counted in the database.
CHALLENGE: Final = Limit("challenge", 20, 10_000)


def answer_challenge(
    stores: Stores, challenge_id: str, code: str, address: str, now: datetime
) -> LoginAnswer:
    """Opens the session. Raises Refused: 401 CHALLENGE_WRONG or CHALLENGE_ENDED, 429."""
    network = network_of(address)
    Throttle(stores.valkey).take(CHALLENGE, network)
    made, device_token = opening(stores, now), new_device_token()
    session = Sessions(stores.shards.control, stores.valkey).answer_challenge(
        challenge_id, code, made, network, device_digest(device_token), now
    )
    tokens = tokens_for(stores, session, made.refresh, now)
    return LoginAnswer(**tokens.model_dump(), device_token=device_token)
