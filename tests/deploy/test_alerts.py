"""Each alert fires where it must, by promtool; and one by a Prometheus that asks a real worker."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
import yaml
from tests.cli.driver import Process, bodies, say, until
from tests.deploy.firing import CASES, WELL, Case
from tests.deploy.remembered import ROOT
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server
from tests.servers.process import HOST, free_port, running_server

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "conveyor.json"
OPERATIONS = ROOT / "docs" / "operations.md"
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'
RESENT = 'conveyor_messages_total{outcome="resent",queue="payments"}'
VISIBLE = "ApproximateNumberOfMessages"
REGION = "eu-west-1"
ORDERS = 5


@pytest.fixture(scope="module", autouse=True)
def prometheus() -> None:
    """Install it where it is missing."""
    script = ROOT / "scripts" / "ensure-system-packages"
    subprocess.run([script, "prometheus=prometheus", "promtool=prometheus"], check=True)


def promtool(*arguments: object) -> str:
    """Run it; it must find no fault."""
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    """Give the alerts as they are shipped."""
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_rules_and_configuration_are_valid() -> None:
    promtool("check", "rules", ALERTS)
    promtool("check", "config", CONFIG)


def test_each_alert_has_a_case() -> None:
    assert [f"Conveyor{case.alert}" for case in CASES] == [rule["alert"] for rule in rules()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_it_fires_when_its_time_is_over_and_no_other_does(case: Case, tmp_path: Path) -> None:
    series = [{"series": name, "values": values} for name, values in (WELL | case.series).items()]
    expected = [
        {"labels": f'{{alertname="Conveyor{case.alert}"}}', "value": 1},
    ]
    seen = [
        {"expr": FIRING, "eval_time": "0m", "exp_samples": []},
        {"expr": FIRING, "eval_time": f"{case.minutes}m", "exp_samples": expected},
    ]
    unit = {"interval": "1m", "input_series": series, "promql_expr_test": seen}
    whole = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [unit]}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    promtool("test", "rules", file)


def test_what_an_alert_tells_to_do_is_in_the_runbook() -> None:
    headings = re.findall(r"^#+ (.+)$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", it.lower()).replace(" ", "-") for it in headings}
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors, rule["alert"]


def test_all_that_is_asked_for_is_told() -> None:
    table = re.findall(r"^\| `(conveyor_\w+)", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    told = {f"{name}{end}" for name in table for end in ("", "_bucket", "_count", "_sum")}
    for expression in [*(rule["expr"] for rule in rules()), *drawn()]:
        assert set(re.findall(r"\bconveyor_\w+", expression)) <= told, expression


def test_what_the_dashboard_asks_is_understood(tmp_path: Path) -> None:
    asked = [it.replace("$__rate_interval", "5m").replace("$__range", "1h") for it in drawn()]
    records = [{"record": f"asked:{at}", "expr": it} for at, it in enumerate(asked)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "drawn", "rules": records}]}))
    assert f"{len(records)} rules found" in promtool("check", "rules", file)


def drawn() -> list[str]:
    """Give what the dashboard asks Prometheus."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_tokens_that_get_lost_are_told_of_by_a_real_prometheus(tmp_path: Path) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server(durable=False))
        sqs = stack.enter_context(ministack_server())
        environment = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/shop-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path / "data"),
        }
        say("migrate", **environment)
        say("queues", "provision", **environment)
        assert say("services", "pause", "payments", "--because", "a test", **environment).code == 0
        work = stack.enter_context(
            Process("work", "all", "--metrics-port", 0, "--json", **environment)
        )
        told_at = work.ready()["metrics"]
        url = stack.enter_context(asking(told_at, tmp_path))
        # An increase is one over what was asked before.
        until(lambda: value(url, RESENT) == 0)
        place_and_lose(environment, sqs.endpoint_url)
        until(lambda: "ConveyorTokensLost" in firing(url))
        assert firing(url) == {"ConveyorTokensLost"}


def place_and_lose(environment: dict[str, str], endpoint: str) -> None:
    """Place orders of which nobody takes the first step, and purge the queue with their tokens."""
    key = say("keys", "create", "--scopes", "place,read,operate", **environment).out.strip()
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    queue = sqs.get_queue_url(QueueName="shop-payments")["QueueUrl"]
    with Process("serve", "--port", 0, "--json", **environment) as serve:
        served = {"CONVEYOR_SERVER": serve.ready()["url"], "CONVEYOR_API_KEY": key}
        for body in bodies(ORDERS):
            place(served, body)
        until(lambda: waiting(sqs, queue) == ORDERS)
        say("stock", "set", "CD", 1_000, **served)
        serve.stop()
    sqs.purge_queue(QueueUrl=queue)
    until(lambda: waiting(sqs, queue) == 0)


def place(served: dict[str, str], body: dict[str, Any]) -> None:
    """Place an order."""
    asked = urllib.request.Request(
        f"{served['CONVEYOR_SERVER']}/v1/orders",
        json.dumps(body).encode(),
        {
            "authorization": f"Bearer {served['CONVEYOR_API_KEY']}",
            "content-type": "application/json",
        },
    )
    assert urllib.request.urlopen(asked).status == 202


def waiting(sqs: Any, queue: str) -> int:
    """Give how many messages are in a queue."""
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[VISIBLE])["Attributes"]
    return int(told[VISIBLE])


@contextmanager
def asking(told_at: str, home: Path) -> Iterator[str]:
    """Run a Prometheus that asks a process, with our alerts; gives where it is."""
    whole = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    whole["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    whole["rule_files"] = [str(ALERTS)]
    targets = [urlsplit(told_at).netloc]
    of_work = {"job_name": "conveyor-work", "static_configs": [{"targets": targets}]}
    whole["scrape_configs"] = [of_work]
    file = home / "prometheus.yaml"
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    url = f"http://{HOST}:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={home / 'series'}",
        f"--web.listen-address={urlsplit(url).netloc}",
    ]
    with running_server("prometheus", command, home, ready=lambda: is_ready(url)):
        yield url


def is_ready(url: str) -> bool:
    with suppress(URLError, ConnectionError):
        return bool(urllib.request.urlopen(f"{url}/-/ready").status == 200)
    return False


def value(url: str, query: str) -> float | None:
    """Give what Prometheus knows of a series, if anything."""
    asked = f"{url}/api/v1/query?{urlencode({'query': query})}"
    found = json.load(urllib.request.urlopen(asked))["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def firing(url: str) -> set[str]:
    """Give the alerts that fire now."""
    found = json.load(urllib.request.urlopen(f"{url}/api/v1/alerts"))["data"]["alerts"]
    return {it["labels"]["alertname"] for it in found if it["state"] == "firing"}
