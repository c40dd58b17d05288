"""What each role of the templates may do: what its function was seen to use, and no more.

Of the queues that is what doctor tries, and tells as the least policies.
"""

from __future__ import annotations

from conveyor.operations.doctor.permissions import NEEDED

LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
READ_SECRETS = {"secretsmanager:GetSecretValue", "kms:Decrypt"}
USE_KEY = {"kms:GenerateDataKey", "kms:Decrypt"}
# Lambda itself takes these to attach a function to a network; its code may not.
ATTACH = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ec2:GetSecurityGroupsForVpc",
    "ec2:UnassignPrivateIpAddresses",
}

PULL = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
}


def on_queues(part: str) -> set[str]:
    """Give what a part of the system may do with queues and dead-letter queues."""
    live, dead = NEEDED[part]
    return {*live, *dead} | USE_KEY


ACTIONS: dict[str, set[str]] = {
    # Lambda's own event source receives and deletes in the function's name.
    "QueueRole": LOG | READ_SECRETS | on_queues("worker") | ATTACH,
    # By way of it operators list, redrive and discard dead letters.
    "ApiRole": LOG | READ_SECRETS | on_queues("api") | ATTACH,
    "TickRole": LOG | READ_SECRETS | on_queues("tick") | ATTACH,
    "ScheduleRole": {"lambda:InvokeFunction"},
    "ProxyRole": READ_SECRETS,
    # Workers on Fargate: what they do, and what starts them.
    "TaskRole": on_queues("worker"),
    "ExecutionRole": LOG | READ_SECRETS | PULL,
}
