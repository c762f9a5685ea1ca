"""One question about many users: asked once of each shard on which some of them are at home.

Invariant: each user has an outcome of their own. Who was not found where the directory last had
them is asked for again with the others of the slot, guarded as a question about one of them is; so
a slot that moves holds up its own users alone.
"""

from collections.abc import Callable, Iterable

from functions.shared.domain.errors import Retryable
from functions.shared.domain.ids import slot_of_user
from functions.shared.stores.postgres import Row, Shards


def ask_of_users(
    shards: Shards, sql: str, user_ids: Iterable[int], **parameters: object
) -> dict[int, Row | Retryable | None]:
    """By user: the row; None where the user's home has none; Retryable where it can't answer now.

    `sql` is given `:users`, and answers with rows that begin with the user's id, one at most for
    each of them that is at home on the shard that is asked.
    """
    wanted = list(dict.fromkeys(user_ids))
    found: dict[int, Row | Retryable | None] = {}
    try:
        homes = _grouped(wanted, shards.number_of_user)
    except Retryable as error:
        return dict.fromkeys(wanted, error)
    for number, users in homes.items():
        try:
            rows = shards.database(number).run(sql, users=users, **parameters)
        except Retryable as error:
            found.update(dict.fromkeys(users, error))
        else:
            found.update((row[0], row) for row in rows)
    missing = [user for user in wanted if user not in found]
    for users in _grouped(missing, slot_of_user).values():
        try:
            rows = shards.of_user(users[0]).run(sql, users=users, **parameters)
        except Retryable as error:
            found.update(dict.fromkeys(users, error))
        else:
            found.update(dict.fromkeys(users))
            found.update((row[0], row) for row in rows)
    return found


def _grouped(users: Iterable[int], key: Callable[[int], int]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for user in users:
        groups.setdefault(key(user), []).append(user)
    return groups
