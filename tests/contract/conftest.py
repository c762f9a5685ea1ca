"""Fixtures of the behaviour suites."""

from tests.support.aws import aws

__all__ = ["aws"]
