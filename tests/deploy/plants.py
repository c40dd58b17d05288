"""Faults for the template, planted one at a time: each must be named by whoever looks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

RULES, CFN_LINT, CHECKOV = "our rules", "cfn-lint", "checkov"

# A template with few services is looked through in a fraction of the time.
FEW = {
    "Services": "payments,bookings,intake",
    "StandardServices": "payments",
    "FifoServices": "bookings",
    "FunctionServices": "payments",
}


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault: what is written, and what is written instead; who names it, and in which words."""

    name: str
    right: str
    wrong: str
    named_by: dict[str, str]

    def planted(self, template: str) -> str:
        assert self.right in template, self.name
        return with_few_services(template.replace(self.right, self.wrong, 1))


def with_few_services(template: str) -> str:
    for name, value in FEW.items():
        declared = rf"(^  {name}:\n    Type: CommaDelimitedList\n    Default: ).*$"
        template, count = re.subn(declared, rf"\g<1>{value}", template, flags=re.MULTILINE)
        assert count == 1, name
    return template


_REDRIVE = """          RedrivePolicy:
            deadLetterTargetArn: !GetAtt [!Sub "${Service}DeadQueue", Arn]
            maxReceiveCount: 21
"""
_KEY = """          KmsMasterKeyId: !GetAtt Key.Arn
          KmsDataKeyReusePeriodSeconds: 3600
"""
_SEND = "                Action: [sqs:GetQueueUrl, sqs:SendMessage]\n"

PLANTS = (
    Plant("no-redrive", _REDRIVE, "", {RULES: "paymentsQueue: its dead letters go to no queue"}),
    Plant("no-key", _KEY, "", {RULES: "paymentsDeadQueue: not encrypted", CHECKOV: "CKV_AWS_27"}),
    Plant(
        "tls-the-wrong-way-round",
        '{Bool: {"aws:SecureTransport": "false"}}',
        '{Bool: {"aws:SecureTransport": "true"}}',
        {RULES: "paymentsQueue: may be reached without TLS"},
    ),
    Plant(
        "visible-again-too-soon",
        '          QueueName: !Sub "${Prefix}${Service}"\n          VisibilityTimeout: 360\n',
        '          QueueName: !Sub "${Prefix}${Service}"\n          VisibilityTimeout: 120\n',
        {RULES: "visibility of 120 s for a function of 60 s"},
    ),
    Plant(
        "wildcard",
        _SEND + '                Resource: !GetAtt [!Sub "${Service}Queue", Arn]\n',
        '                Action: sqs:*\n                Resource: "*"\n',
        {RULES: "paymentsSendRights: allows sqs:*", CHECKOV: "CKV_AWS_111"},
    ),
    Plant(
        "one-right-too-many",
        _SEND,
        "                Action: [sqs:GetQueueUrl, sqs:SendMessage, sqs:PurgeQueue]\n",
        {RULES: "more than it was seen to use: ['sqs:PurgeQueue']"},
    ),
    Plant(
        "fifo-by-half",
        'QueueName: !Sub "${Prefix}${Service}.fifo"',
        'QueueName: !Sub "${Prefix}${Service}"',
        {RULES: "bookingsQueue: its name and its kind do not fit"},
    ),
    Plant(
        "whole-batch-comes-back",
        "          FunctionResponseTypes: [ReportBatchItemFailures]\n",
        "",
        {RULES: "paymentsEventSource: a fault brings the whole batch back"},
    ),
    Plant(
        "alarm-of-nothing",
        '{Name: QueueName, Value: !GetAtt [!Sub "${Service}DeadQueue", QueueName]}',
        '{Name: QueueName, Value: !Sub "${Service}-dead"}',
        {RULES: "paymentsDeadQueue: no alarm of ApproximateNumberOfMessagesVisible"},
    ),
    Plant(
        "one-at-a-time",
        "{MaximumConcurrency: !Ref QueueConcurrency}",
        "{MaximumConcurrency: 1}",
        {CFN_LINT: "E3034"},
    ),
    Plant(
        "misspelt",
        "          MessageRetentionPeriod: 345600\n",
        "          MessageRetention: 345600\n",
        {CFN_LINT: "E3002"},
    ),
    Plant(
        "nothing-of-that-name",
        "Role: !GetAtt QueueRole.Arn",
        "Role: !GetAtt QueuesRole.Arn",
        {CFN_LINT: "E1010"},
    ),
    Plant(
        "bare-database",
        "      StorageEncrypted: true\n      KmsKeyId: !GetAtt Key.Arn\n",
        "      StorageEncrypted: false\n",
        {CHECKOV: "CKV_AWS_96"},
    ),
)
