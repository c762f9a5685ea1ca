"""Secrets in AWS Secrets Manager, under the prefix `outcry/`.

Invariant: as `secrets.Secrets`; what was read once is kept, since a secret never changes.
"""

from typing import Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import Conflict, NotFound, Retryable
from functions.shared.stores.secrets import check_name

_CONFIG: Final = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})
_PREFIX: Final = "outcry/"


class AwsSecrets:
    """See `Secrets` for what each method promises."""

    def __init__(self, region: str, endpoint: str | None = None) -> None:
        self._client = boto3.client(
            "secretsmanager", region_name=region, endpoint_url=endpoint, config=_CONFIG
        )
        self._read: dict[str, str] = {}

    def get(self, name: str) -> str:
        known = self._read.get(name)
        if known is not None:
            return known
        try:
            answer = self._client.get_secret_value(SecretId=_PREFIX + check_name(name))
        except self._client.exceptions.ResourceNotFoundException:
            raise NotFound(f"there is no secret {name}") from None
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be read: {type(error).__name__}") from error
        return self._read.setdefault(name, str(answer["SecretString"]))

    def put_new(self, name: str, value: str) -> None:
        try:
            self._client.create_secret(Name=_PREFIX + check_name(name), SecretString=value)
        except self._client.exceptions.ResourceExistsException:
            raise Conflict("SECRET_EXISTS", f"secret {name} exists") from None
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"secret {name} can't be written: {type(error).__name__}") from error
