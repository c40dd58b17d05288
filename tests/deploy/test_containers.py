"""Compose, Kubernetes and the Dockerfile: valid, and no more rights than needed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.deploy.expanded import WORKERS, expanded
from tests.deploy.remembered import ROOT, tool

from conveyor.entrypoints.cli import main
from conveyor.settings import Settings
from conveyor.system.installation import installation

DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
VERSIONS = ("1.32.0", "1.37.0")
CUSTOM = {"ScaledObject", "TriggerAuthentication"}
READ_COMPOSE = "import sys; from compose_spec import PyCompose as C; C.from_json(sys.stdin.read())"


def objects() -> Iterator[dict[str, Any]]:
    for path in KUBERNETES:
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def pods() -> list[Any]:
    return [
        pytest.param(it["spec"]["template"]["spec"], id=it["metadata"]["name"])
        for it in objects()
        if it["kind"] in {"Deployment", "Job"}
    ]


def run(*command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(version: str) -> None:
    done = run(tool("kubernetes-validate"), "-k", version, "--strict", *map(str, KUBERNETES))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    unknown = set(re.findall(r"Couldn't find schema for kind (\w+)", said))
    assert unknown == CUSTOM  # what nobody has looked at


@pytest.mark.parametrize("pod", pods())
def test_pods_have_no_more_rights_than_they_need(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= container["resources"].keys()
        assert {"secretRef": {"name": "conveyor"}} in container["envFrom"]
        assert "env" not in container  # a secret would stand there in plain words


def test_whoever_stops_has_time_for_it() -> None:
    (settings,) = (it["data"] for it in objects() if it["kind"] == "ConfigMap")
    grace = float(settings["CONVEYOR_GRACE_SECONDS"])
    for it in objects():
        if it["kind"] == "Deployment":
            assert it["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > grace
    (container,) = expanded(WORKERS)["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    said = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
    assert container["StopTimeout"] > float(said["CONVEYOR_GRACE_SECONDS"])


def test_the_api_is_asked_whether_it_lives_and_whether_it_is_ready() -> None:
    (serve,) = (
        it for it in objects() if it["metadata"]["name"] == "serve" and "replicas" in it["spec"]
    )
    (container,) = serve["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_all_services_have_workers_that_scale_by_their_queues() -> None:
    queues = {it.name: it for it in installation(Settings()).queues}
    deployments = {it["metadata"]["name"]: it for it in objects() if it["kind"] == "Deployment"}
    scaled = {
        it["metadata"]["name"]: it["spec"] for it in objects() if it["kind"] == "ScaledObject"
    }
    (authentication,) = (it for it in objects() if it["kind"] == "TriggerAuthentication")
    worked: list[str] = []
    for name, spec in scaled.items():
        (container,) = deployments[name]["spec"]["template"]["spec"]["containers"]
        services = container["args"][1:]
        worked += services
        taken = {*services, *(["intake"] if "orders" in services else [])}
        asked = set()
        for trigger in spec["triggers"]:
            assert trigger["type"] == "aws-sqs-queue"
            assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}
            asked.add(trigger["metadata"]["queueURL"].rpartition("/conveyor-")[2])
        assert asked == {f"{it}.fifo" if queues[it].fifo else it for it in taken}
        assert spec["scaleTargetRef"] == {"name": name}
        assert spec["minReplicaCount"] >= 1
        assert "replicas" not in deployments[name]["spec"]
    assert sorted([*worked, "intake"]) == sorted(queues)


def test_fargate_workers_may_send_to_all_queues() -> None:
    parameters = expanded(WORKERS)["Parameters"]
    queues = installation(Settings()).queues
    assert set(parameters["Queues"]["Default"].split(",")) == {
        f"{it.name}.fifo" if it.fifo else it.name for it in queues
    }


def test_compose_is_valid_and_starts_what_exists() -> None:
    whole = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    done = run(tool("python"), "-c", READ_COMPOSE, given=json.dumps(whole))
    assert done.returncode == 0, done.stderr
    for service in whole["services"].values():
        if service["image"] == "conveyor":
            name, *_ = service.get("command", ["serve"])
            assert name in main.commands
        assert set(service.get("depends_on", {})) <= whole["services"].keys()


def test_the_dockerfile_is_clean() -> None:
    done = run(tool("hadolint"), "--failure-threshold", "style", str(DEPLOY / "Dockerfile"))
    assert done.returncode == 0, done.stdout
