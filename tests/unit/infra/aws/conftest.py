"""A stand-in for AWS, for what speaks to it."""

from tests.support.aws import aws

__all__ = ["aws"]
