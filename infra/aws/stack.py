"""One CloudFormation stack, created or updated through a change set.

Invariant: a deployment ends with the stack complete or with DeployError telling which resource
failed and why; one that changes nothing is no error.
"""

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, WaiterError

_WAIT = {"Delay": 1, "MaxAttempts": 300}
_BROKEN = frozenset({"ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"})


class DeployError(Exception):
    """The deployment can't go on; the message says what to change."""


def deploy_stack(
    cloudformation: Any, name: str, template_url: str, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Brings the stack to the template and returns its outputs. Raises DeployError."""
    known = _status_of(cloudformation, name)
    if known in _BROKEN:
        cloudformation.delete_stack(StackName=name)
        _wait(cloudformation, "stack_delete_complete", name)
        known = None
    change_set = f"deploy-{time.time_ns()}"
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=change_set,
        ChangeSetType="UPDATE" if known else "CREATE",
        TemplateURL=template_url,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    if _has_changes(cloudformation, name, change_set):
        cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
        _wait(cloudformation, f"stack_{'update' if known else 'create'}_complete", name)
    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", ())}


def _status_of(cloudformation: Any, name: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _has_changes(cloudformation: Any, name: str, change_set: str) -> bool:
    where = {"StackName": name, "ChangeSetName": change_set}
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**where, WaiterConfig=_WAIT)
    except WaiterError:
        described = cloudformation.describe_change_set(**where)
        reason = described.get("StatusReason", "")
        if "didn't contain changes" in reason or "No updates" in reason:
            cloudformation.delete_change_set(**where)
            return False
        raise DeployError(f"the change set was refused: {reason}") from None
    return True


def _wait(cloudformation: Any, waiter: str, name: str) -> None:
    try:
        cloudformation.get_waiter(waiter).wait(StackName=name, WaiterConfig=_WAIT)
    except WaiterError:
        raise DeployError(f"{waiter} did not come:\n{_failures(cloudformation, name)}") from None


def _failures(cloudformation: Any, name: str) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    lines = [
        f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', 'no reason given')}"
        for e in events
        if e["ResourceStatus"].endswith("_FAILED")
    ]
    return "\n".join(lines[:10]) or "  no resource says why"
