"""The quote cache and its channels over TLS, with the server's certificate checked."""

import asyncio
from pathlib import Path

import pytest

from functions.shared.domain.errors import Retryable
from functions.shared.stores.quote_writer import QuoteWriter
from functions.shared.stores.quotes import QuoteCache
from functions.shared.stores.subscriber import ValkeySubscriber
from functions.shared.stores.valkey import open_valkey
from functions.shared.wire.quotes import (
    decode_batch,
    encode_record,
    partition_of_symbol,
    quotes_channel,
)
from tests.support.eventually import until
from tests.support.fanout import quote
from tests.support.tls_front import make_certificate, tls_front
from tests.support.valkey import PASSWORD, valkey_server


@pytest.mark.asyncio
async def test_quotes_travel_over_tls_and_to_nobody_whose_certificate_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path)
    partition, heard = partition_of_symbol("S1"), list[bytes]()
    with valkey_server() as valkey:
        async with tls_front(valkey.port, certificate, key) as port:
            url = f"rediss://:{PASSWORD}@127.0.0.1:{port}"
            stranger = open_valkey(url)
            with pytest.raises(Retryable):
                await asyncio.to_thread(QuoteCache(stranger).get, ["S1"])
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            subscriber = ValkeySubscriber(url, lambda _, data: heard.append(data), lambda _: None)
            subscriber.subscribe([quotes_channel(partition)])
            running = asyncio.create_task(subscriber.run())
            await until(lambda: subscriber.connected)
            writer, trusting = QuoteWriter(url), open_valkey(url)
            await writer.write({partition: [("S1", encode_record(quote("S1")))]}, 1)
            await until(lambda: bool(heard))
            assert decode_batch(heard[0]).quotes == [quote("S1")]
            cached = await asyncio.to_thread(QuoteCache(trusting).get, ["S1"])
            assert cached == {"S1": quote("S1")}
            running.cancel()
            await writer.close()
            trusting.close()
            stranger.close()
