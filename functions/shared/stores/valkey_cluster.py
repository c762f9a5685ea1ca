"""A Valkey cluster behind the interface of one server: each command goes to its slot's primary.

Invariant: a command is tried twice at most, the second time by a layout read anew, and no layout is
looked for longer than LAYOUT_SECONDS. Nothing is opened before the first command. redis-py's own
cluster client connects when it is made, fetches the table of all commands, refuses MGET and EVALSHA
in pipelines and retries for seconds; what is needed here are commands that begin with their key.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError
from redis.retry import Retry

from functions.shared.domain.errors import PeerProtocolError
from functions.shared.stores.valkey_address import Node, ValkeyAddress
from functions.shared.stores.valkey_slots import Layout, decode_layout, slot_of

#: How long one after another is asked for the layout before the cluster is given up as away.
LAYOUT_SECONDS: Final = 1.0
_LAYOUT_ANSWER_SECONDS: Final = 0.5
#: Answers that say that the slot is elsewhere, is moving, or has no primary right now.
_ELSEWHERE: Final = (MovedError, TryAgainError, ClusterDownError)
_SCRIPTS: Final = frozenset({"EVAL", "EVALSHA"})

Command: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]


def read_layout(address: ValkeyAddress, known: Collection[Node] = ()) -> Layout:
    """The layout by one of the nodes of the address or the `known` ones, in an order of chance. A
    node that has lost the cluster's majority is passed by: it would name itself. Raises
    redis.ConnectionError when nobody answered."""
    ends, last = time.monotonic() + LAYOUT_SECONDS, "no node has the cluster's majority"
    nodes = sorted({*address.nodes, *known})
    for node in random.sample(nodes, len(nodes)):
        try:
            with _open_briefly(address, node) as client:
                ask: Callable[..., Any] = client.execute_command
                if b"cluster_state:ok" in ask("CLUSTER", "INFO"):
                    return decode_layout(ask("CLUSTER", "SLOTS"), node)
        except (redis.RedisError, OSError, PeerProtocolError) as error:
            last = str(error)
        if time.monotonic() > ends:
            break
    raise redis.ConnectionError(f"the Valkey cluster's layout is not known: {last}")


def _open_briefly(address: ValkeyAddress, node: Node) -> redis.Redis:
    return redis.Redis(
        **address.options(node),
        socket_timeout=_LAYOUT_ANSWER_SECONDS,
        socket_connect_timeout=_LAYOUT_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


class ClusterValkey(redis.Redis):
    """All commands whose first argument is their key, and scripts by their first key."""

    def __init__(self, address: ValkeyAddress, open_node: Callable[[Node], redis.Redis]) -> None:
        super().__init__(**address.options(address.nodes[0]))  # it connects to nothing by itself
        self._address, self._open_node = address, open_node
        self._layout: Layout | None = None
        self._clients: dict[Node, redis.Redis] = {}

    def node_serving(self, key: str) -> redis.Redis:
        """A client of the primary of a key. Raises redis.RedisError when there is none."""
        return self._client(self._primary_of(self._known_layout(), slot_of(key)))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.run([(args, options)])[0]

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "ClusterPipeline":
        """Of commands that are independent of each other: there is no transaction over slots."""
        if transaction:
            raise ValueError("a cluster's pipeline is no transaction")
        return ClusterPipeline(self)

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, by one pipeline a node. Raises redis.RedisError for the first that failed
        for good."""
        answers: list[Any] = [None] * len(commands)
        waiting = list(range(len(commands)))
        for _ in range(2):
            failed: dict[int, Exception] = {}
            for node, numbers in self._by_primary(commands, waiting).items():
                try:
                    got = self._ask(node, [commands[number] for number in numbers])
                except (redis.ConnectionError, redis.TimeoutError) as error:
                    failed.update(dict.fromkeys(numbers, error))
                    continue
                for number, answer in zip(numbers, got, strict=True):
                    if isinstance(answer, _ELSEWHERE):
                        failed[number] = answer
                    elif isinstance(answer, Exception):
                        raise answer
                    answers[number] = answer
            if not failed:
                return answers
            self._layout, waiting = None, sorted(failed)
        raise failed[waiting[0]]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        super().close()

    def _by_primary(
        self, commands: Sequence[Command], waiting: Sequence[int]
    ) -> dict[Node, list[int]]:
        layout, grouped = self._known_layout(), dict[Node, list[int]]()
        for number in waiting:
            words = commands[number][0]
            key = words[3] if words[0] in _SCRIPTS else words[1]
            grouped.setdefault(self._primary_of(layout, slot_of(str(key))), []).append(number)
        return grouped

    def _ask(self, node: Node, commands: Sequence[Command]) -> list[Any]:
        answers = self._pipe(node, commands)
        for number, answer in enumerate(answers):
            # Of a slot that is on its way, this key is at its new home already.
            if isinstance(answer, AskError) and not isinstance(answer, MovedError):
                there = Node(answer.host or node.host, answer.port)
                answers[number] = self._pipe(there, [(("ASKING",), {}), commands[number]])[1]
        return answers

    def _pipe(self, node: Node, commands: Sequence[Command]) -> list[Any]:
        with self._client(node).pipeline(transaction=False) as pipeline:
            for words, options in commands:
                queue: Callable[..., Any] = pipeline.execute_command
                queue(*words, **options)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        return answers

    def _client(self, node: Node) -> redis.Redis:
        client = self._clients.get(node)
        if client is None:
            client = self._clients.setdefault(node, self._open_node(node))
        return client

    def _known_layout(self) -> Layout:
        layout = self._layout
        if layout is None:
            layout = self._layout = read_layout(self._address, self._clients)
        return layout

    def _primary_of(self, layout: Layout, slot: int) -> Node:
        node = layout.primary(slot)
        if node is None:
            self._layout = None
            raise ClusterDownError(f"slot {slot} has no primary")
        return node


class ClusterPipeline(redis.client.Pipeline):
    """Commands that are sent together, one pipeline a node."""

    def __init__(self, cluster: ClusterValkey) -> None:
        super().__init__(cluster.connection_pool, {}, transaction=False, shard_hint=None)
        self._cluster = cluster

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The answers in the order of the commands. Raises as `ClusterValkey.run`."""
        commands: list[Command] = list(self.command_stack)
        self.reset()
        return self._cluster.run(commands)
