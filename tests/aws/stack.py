"""The template of `deploy/aws`, deployed on MiniStack, and its functions run as it says.

MiniStack makes a stack complete and leaves out part of what it says (docs/aws.md): that is put in
here, from the template. Its own event sources and schedules are switched off, since they would run
the functions in MiniStack's interpreter, with all that is installed there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from tests.aws.event_source import EventSource
from tests.aws.listening_app import HEARD_PATH
from tests.aws.runtime import Function
from tests.deploy.expanded import expanded
from tests.deploy.rules import of_type, target

NAME = "conveyor"
BUCKET = "code"
REGION = "eu-west-1"
LOOK_SECONDS = 0.1
DEPLOYED_SECONDS = 60.0
SERVICES = "cloudformation,cloudwatch,iam,kms,lambda,logs,s3,scheduler,secretsmanager,sqs,ssm,sts"
DROPPED = ("DeduplicationScope", "FifoThroughputLimit", "ContentBasedDeduplication")
"""Attributes of a queue that MiniStack does not take from a template, beside those with an ARN."""


@dataclass
class Stack:
    """A template, what was made of it, and the functions that run."""

    endpoint: str
    package: Path
    parameters: Mapping[str, str]
    template: dict[str, Any] = field(default_factory=expanded)
    running: ExitStack = field(default_factory=ExitStack)
    names: dict[str, str] = field(default_factory=dict)
    """What each resource is called, by its name in the template."""

    def client(self, service: str, key: str = "test") -> Any:
        """Give the SDK's client, in the name of this key."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key="test",
        )

    def deploy(self, archive: Path) -> None:
        """Create the stack, with its code and itself from S3."""
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.upload_file(str(archive), BUCKET, "functions.zip")
        s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(self.template).encode())
        given = {"CodeBucket": BUCKET, "CodeKey": "functions.zip", **self.parameters}
        cloudformation.create_stack(
            StackName=NAME,
            TemplateURL=f"{self.endpoint}/{BUCKET}/template.json",
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        deadline = time.monotonic() + DEPLOYED_SECONDS
        while (status := self._status(cloudformation)) == "CREATE_IN_PROGRESS":
            assert time.monotonic() < deadline
            time.sleep(LOOK_SECONDS)
        assert status == "CREATE_COMPLETE"
        made = cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
        self.names = {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in made}
        self._quieten()
        self._complete_queues()

    def _status(self, cloudformation: Any) -> str:
        return str(cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"])

    def _quieten(self) -> None:
        functions, schedules = self.client("lambda"), self.client("scheduler")
        for it in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=it["UUID"], Enabled=False)
        for name, _ in of_type(self.template, "AWS::Scheduler::Schedule"):
            schedules.delete_schedule(Name=self.names[name].rpartition("/")[2])

    def _complete_queues(self) -> None:
        sqs = self.client("sqs")
        for name, queue in of_type(self.template, "AWS::SQS::Queue"):
            missing = {key: str(queue[key]).lower() for key in DROPPED if key in queue}
            if redrive := queue.get("RedrivePolicy"):
                dead = target(redrive["deadLetterTargetArn"])
                arn = f"arn:aws:sqs:{REGION}:000000000000:{self.queue_name(dead)}"
                missing["RedrivePolicy"] = json.dumps(redrive | {"deadLetterTargetArn": arn})
            if missing:
                sqs.set_queue_attributes(QueueUrl=self.queue_url(name), Attributes=missing)

    def queue_name(self, name: str) -> str:
        return self.names[name].rpartition("/")[2]

    def queue_url(self, name: str) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=self.queue_name(name))["QueueUrl"])

    def function(self, name: str, told: float | None = None) -> Function:
        """Give a function with what it was deployed with, in the name of its role."""
        deployed = self.client("lambda").get_function_configuration(FunctionName=self.names[name])
        environment = {
            **deployed["Environment"]["Variables"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.role_of(name),
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        handler, seconds = deployed["Handler"], float(deployed["Timeout"])
        made = Function(self.package, handler, environment, seconds, told)
        return self.running.enter_context(made)

    def code_of(self, name: str) -> str:
        """Give the hash of the code that a function was deployed with."""
        deployed = self.client("lambda").get_function_configuration(FunctionName=self.names[name])
        return str(deployed["CodeSha256"])

    def role_of(self, name: str) -> str:
        return target(self.template["Resources"][name]["Properties"]["Role"])

    def feed_all(self) -> list[EventSource]:
        """Let each event source of the template poll its queue, as it says."""
        sources = dict(of_type(self.template, "AWS::Lambda::EventSourceMapping"))
        return [self._feed(source) for source in sources.values()]

    def _feed(self, source: Mapping[str, Any]) -> EventSource:
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        function = target(source["FunctionName"])
        sqs = self.client("sqs", self.role_of(function))
        queue = target(source["EventSourceArn"])
        # Lambda looks, and takes no queue whose messages come back before the function's time-out.
        looked = sqs.get_queue_attributes(
            QueueUrl=self.queue_url(queue), AttributeNames=["VisibilityTimeout"]
        )
        started = self.function(function)
        assert int(looked["Attributes"]["VisibilityTimeout"]) >= started.seconds
        made = EventSource(
            sqs,
            self.queue_name(queue),
            started,
            batch_size=source["BatchSize"],
            window_seconds=source.get("MaximumBatchingWindowInSeconds", 0),
            maximum_concurrency=self._number(source["ScalingConfig"]["MaximumConcurrency"]),
        )
        return self.running.enter_context(made)

    def _number(self, value: Any) -> int:
        """Give a number of the template, or the parameter that it names."""
        return int(self.parameters[target(value)] if isinstance(value, Mapping) else value)

    def heard(self) -> dict[str, set[str]]:
        """Give what was asked for so far in the name of each role."""
        with urllib.request.urlopen(self.endpoint + HEARD_PATH) as answer:
            return {key: set(actions) for key, actions in json.load(answer).items()}


def digest(archive: Path) -> str:
    """Give the hash of a package, as Lambda tells it."""
    return base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()
