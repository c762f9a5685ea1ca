"""HTTP without TLS, which is all that the tests speak."""

import ssl

#: For httpx's `verify`: trusts nobody, and costs nothing. Its own reads every certificate authority
#: for each client and each call, 30 ms of processor time.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
