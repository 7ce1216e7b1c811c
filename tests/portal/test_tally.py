"""Redirects that are refused are counted for Prometheus, over all processes and restarts."""

from pathlib import Path

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest

from deploy.metrics import Workers
from hotspot.settings import Settings
from portal.handoffs import Problem
from portal.tally import Tally
from tests.portal.guest import Stage

LINE = 'surfpass_portal_arrivals_refused_total{problem="%s"} %.1f'


def scrape(data_dir: Path) -> list[str]:
    registry = CollectorRegistry()
    registry.register(Workers(data_dir))
    return generate_latest(registry).decode().splitlines()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_redirect_that_is_refused_is_counted_by_its_problem(
    stage: Stage, app: Flask, portal_settings: Settings
) -> None:
    told = scrape(portal_settings.data_dir)
    assert all(LINE % (problem.value, 0) in told for problem in Problem)
    stage.phone.get(stage.phone.chilli.address()[:-1])
    stage.phone.arrive(uamip="evil.example")
    for _ in range(2):
        stage.phone.chilli.gateway = "203.0.113.66:3990"
        stage.phone.arrive()
    stage.phone.client.post(f"/g/{stage.place.site.slug}", data={"link-login-only": "javascript:alert(1)"})
    assert stage.phone.client.post(f"/g/{stage.place.site.slug}", data={"no": "gateway"}).status_code == 400
    told = scrape(portal_settings.data_dir)
    for problem, count in ((Problem.BAD_SIGNATURE, 1), (Problem.MALFORMED, 3), (Problem.UNKNOWN_GATEWAY, 2)):
        assert LINE % (problem.value, count) in told


def test_a_process_goes_on_where_a_dead_one_has_ended(tmp_path: Path) -> None:
    Tally(tmp_path).add(Problem.MALFORMED, 3)
    (file,) = (tmp_path / "metrics/portal").iterdir()
    file.rename(file.with_name("counter_4194305.ffff.db"))  # larger than any process id
    for count in (1, 2):
        Tally(tmp_path).add(Problem.MALFORMED)
        assert LINE % ("malformed", 3 + count) in scrape(tmp_path)
    assert len(list((tmp_path / "metrics/portal").iterdir())) == 2


def test_without_a_folder_to_write_in_the_portal_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("")
    Tally(tmp_path).add(Problem.MALFORMED)
