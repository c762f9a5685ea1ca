"""The FIX order gateway: commands in from the streams, execution reports out to the streams."""
