"""The API keeps what its document promises, by a judge that none of us wrote.

schemathesis reads the document of the running stack and calls every route at the edges of its
schemas, beyond them, and in chains. All of its checks are on, object-level authorization between
two users included, and the calls are the same in each run. OUTCRY_SCHEMATHESIS_EXAMPLES=100 goes
on with the document's examples and so much made-up data.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.stack import Stack

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_ROOT = Path(__file__).parents[2]
_EXAMPLES = os.environ.get("OUTCRY_SCHEMATHESIS_EXAMPLES")
#: Officers' routes refuse all of these users (test_route_matrix.py asks them); in the suite one
#: body of an order stands for its previews and baskets.
_LENGTH = (
    [f"--max-examples={_EXAMPLES}", "--exclude-path-regex=^/v1/admin/"]
    if _EXAMPLES
    else ["--phases=coverage,stateful", "--max-examples=2",
          "--exclude-path-regex=^/v1/(admin/|orders/(baskets|preview))"]
)  # fmt: skip


def test_the_api_is_as_its_document_says_for_whatever_is_sent(stack: Stack, tmp_path: Path) -> None:
    owner, stranger, leaver = stack.new_traders(3)
    users = tmp_path / "users.json"
    users.write_text(
        json.dumps(
            {
                "auth": [
                    {
                        "name": name,
                        "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}],
                    }
                    for name, token in (("owner", owner.token), ("stranger", stranger.token))
                ]
            }
        )
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={_CONFIG}"),
            *("run", f"{stack.api}/v1/openapi.json", *_LENGTH),
            *("--checks=all", "--no-color", "--warnings=off"),
        ],
        env={**os.environ, "USERS": str(users), "LEAVER": leaver.token, "PYTHONPATH": str(_ROOT)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    told = "\n".join(line[:300] for line in done.stdout.splitlines())
    assert done.returncode == 0, told + done.stderr[-2000:]
