"""One CloudFormation stack, created or updated through a change set.

Invariant: a deployment ends with the stack complete or with DeployError telling which resource
failed and why; one that changes nothing is no error.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError, WaiterError

_CHANGE_SET = "deploy"
_POLL_SECONDS = 1.0
_STACK_SECONDS = 300.0
_WAIT = {"Delay": 1, "MaxAttempts": 120}
_COMPLETE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


class DeployError(Exception):
    """The deployment can't go on; the message says what to change."""


def deploy_stack(
    cloudformation: Any,
    name: str,
    template_url: str,
    parameters: Mapping[str, str],
    not_updatable: Collection[str] = (),
) -> dict[str, str]:
    """Brings the stack to the template and returns its outputs. Raises DeployError.

    A stack that failed before, or whose resources of a `not_updatable` type would change, is
    deleted and made anew.
    """
    known = _status_of(cloudformation, name)
    if known is not None and known not in _COMPLETE:
        _delete(cloudformation, name)
        known = None
    changes = _propose(cloudformation, name, template_url, parameters, known is not None)
    if known and not changes.keys().isdisjoint(not_updatable):
        _delete(cloudformation, name)
        known = None
        changes = _propose(cloudformation, name, template_url, parameters, False)
    if changes:
        cloudformation.execute_change_set(StackName=name, ChangeSetName=_CHANGE_SET)
        _settle(cloudformation, name)
    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", ())}


def _status_of(cloudformation: Any, name: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _propose(
    cloudformation: Any, name: str, template_url: str, parameters: Mapping[str, str], exists: bool
) -> dict[str, str]:
    """Makes the change set. Returns type -> logical id of what it would change."""
    where = {"StackName": name, "ChangeSetName": _CHANGE_SET}
    if exists:
        cloudformation.delete_change_set(**where)  # one left by a deployment that was cut off
    cloudformation.create_change_set(
        **where,
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateURL=template_url,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**where, WaiterConfig=_WAIT)
    except WaiterError:
        reason = cloudformation.describe_change_set(**where).get("StatusReason", "")
        if "didn't contain changes" in reason or "No updates" in reason:
            return {}
        raise DeployError(f"the change set was refused: {reason}") from None
    pages = cloudformation.get_paginator("describe_change_set").paginate(**where)
    changes = [c["ResourceChange"] for page in pages for c in page["Changes"]]
    return {change["ResourceType"]: change["LogicalResourceId"] for change in changes}


def _delete(cloudformation: Any, name: str) -> None:
    cloudformation.delete_stack(StackName=name)
    _settle(cloudformation, name, deleted=True)


def _settle(cloudformation: Any, name: str, deleted: bool = False) -> None:
    """Waits for the stack to rest. Raises DeployError when that isn't where it should be."""
    deadline = time.monotonic() + _STACK_SECONDS
    while (status := _status_of(cloudformation, name)) and status.endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise DeployError(f"the stack is {status} after {_STACK_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    if deleted and status in {None, "DELETE_COMPLETE"}:
        return
    if deleted or status not in _COMPLETE:
        raise DeployError(f"the stack is {status}:\n{_failures(cloudformation, name)}")


def _failures(cloudformation: Any, name: str) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    lines = [
        f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', 'no reason given')}"
        for e in events
        if e["ResourceStatus"].endswith("_FAILED")
    ]
    return "\n".join(lines[:10]) or "  no resource says why"
