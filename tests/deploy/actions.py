"""What each role of the templates may do: what its function was seen to use, and no more."""

from __future__ import annotations

LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
READ_SECRETS = {"secretsmanager:GetSecretValue", "kms:Decrypt"}
SEND = {"sqs:GetQueueUrl", "sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"}
# Lambda's own event source receives and deletes in the function's name.
TAKE = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ChangeMessageVisibility",
}
# By way of the API operators list, redrive and discard dead letters; it counts messages, too.
LOOK_AFTER = TAKE
COUNT = {"sqs:GetQueueAttributes"}
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

ACTIONS: dict[str, set[str]] = {
    "QueueRole": LOG | READ_SECRETS | SEND | TAKE | ATTACH,
    "ApiRole": LOG | READ_SECRETS | SEND | LOOK_AFTER | ATTACH,
    "TickRole": LOG | READ_SECRETS | SEND | COUNT | ATTACH,
    "ScheduleRole": {"lambda:InvokeFunction"},
    "ProxyRole": READ_SECRETS,
    # Workers on Fargate: what they do, and what starts them.
    "TaskRole": SEND | TAKE,
    "ExecutionRole": LOG | READ_SECRETS | PULL,
}
