"""The Outcry terminal: a Textual program that speaks only HTTP and WebSocket to the broker.

Flow: `client` talks to the broker, `state` reduces what it says, `widgets` and `screens` show it.
`client` and `state` import no Textual, so that what the terminal knows is testable without one.
"""
