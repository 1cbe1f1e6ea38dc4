"""The page about clusters runs as it stands, on a Ray that is started for it."""

import pytest


def test_page_blocks(run_page):
    pytest.importorskip("ray")
    names = run_page("clusters")
    assert names["spread"].settings["density"]["parzen/input"][0]["engine"] == "ray"
