"""FIX over TLS: both ends show a certificate of one authority, and nobody else gets in."""

import shutil
import socket
import ssl
from pathlib import Path

import pytest

from infra.local.fix_certificates import BROKER, VENUE, make_fix_certificates
from infra.local.ports import free_ports
from tests.support.eventually import wait_until
from tests.support.fix_desk import Desk
from tests.support.valkey import valkey_server

TLS_SESSIONS = "OUTCRY-O2,OUTCRY-L1,OUTCRY-D1"


def test_orders_go_over_tls_beside_a_plain_session_and_strangers_are_refused(
    tmp_path: Path,
) -> None:
    make_fix_certificates(tmp_path / "tls")
    make_fix_certificates(tmp_path / "other")
    (port,) = free_ports(1)
    with valkey_server(durable=True) as streams:
        desk = Desk(
            tmp_path,
            streams,
            FIX_SESSIONS="OUTCRY-O1,OUTCRY-L1:FIX.4.2:tls",
            VENUE_ORDERS_TLS=f"127.0.0.1:{port}",
            FIX_TLS=str(tmp_path / "tls" / BROKER),
            DROP_COPY="true",
        )
        desk.venue.options |= {
            "tls-port": str(port),
            "tls-folder": str(tmp_path / "tls" / VENUE),
            "tls-sessions": TLS_SESSIONS,
        }
        try:
            desk.open()
            for symbol in ("INFY", "SBIN"):  # one carried by each session
                desk.place(desk.order(symbol))
            wait_until(lambda: set(desk.ledger.statuses().values()) == {"2"})
            wait_until(lambda: "OUTCRY-D1" in desk.venue.get("/health")["order_sessions"])
            desk.venue.kill()
            desk.venue.start()
            wait_until(lambda: desk.routes() == [True, True])
            desk.place(desk.order("SBIN"))
            wait_until(desk.settled)
            for stranger in (None, tmp_path / "other" / BROKER):
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    talk(port, tmp_path / "tls" / BROKER / "ca.pem", stranger)
            # A venue that some other authority vouches for is no venue of ours.
            desk.gateway.kill()
            shutil.copy(tmp_path / "other" / BROKER / "ca.pem", tmp_path / "tls" / BROKER)
            log = tmp_path / "gateway.log"
            before = log.stat().st_size
            desk.gateway.start()
            wait_until(lambda: b"Certificate Verification: Error" in log.read_bytes()[before:])
            wait_until(lambda: desk.routes() == [True, False])
        finally:
            desk.close()


def talk(port: int, authority: Path, certificate: Path | None) -> None:
    """Says something over TLS with that certificate and hears something; raises when refused."""
    context = ssl.create_default_context(cafile=str(authority))
    if certificate is not None:
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as stream,
    ):
        stream.sendall(b"8=FIX.4.4\x01")
        if not stream.recv(1):
            raise ConnectionError("closed without a word")
