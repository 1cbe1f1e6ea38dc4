"""A corrected Hugging Face data set tells of its audit where it is published."""

import pickle

import datasets
import huggingface_hub
import numpy as np
import pytest

import dataaudit


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Files of a hub that lies in a folder: what was uploaded, by name."""
    files = {}

    def push(self, repo_id, **options):
        files.setdefault("README.md", b"---\nlicense: mit\n---\n# Birds\n")

    def download(repo_id, filename, **options):
        (tmp_path / filename).write_bytes(files[filename])
        return str(tmp_path / filename)

    def upload(self, *, path_or_fileobj, path_in_repo, **options):
        files[path_in_repo] = path_or_fileobj

    for kind in (datasets.Dataset, datasets.DatasetDict):
        monkeypatch.setattr(kind, "push_to_hub", push)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_file", upload)
    return files


@pytest.mark.parametrize("splits", [False, True])
def test_the_card_holds_the_summary_once(hub, splits):
    rng = np.random.default_rng(0)
    kind = np.arange(80) % 2
    given = np.where(np.arange(80) < 4, 1 - kind, kind)
    inputs = rng.normal(size=(80, 3)) + 6 * kind[:, None]
    data = datasets.Dataset.from_dict({"x": inputs.tolist(), "label": given.tolist()})
    options = {"split": "train"} if splits else {}
    audit = dataaudit.score(None, datasets.DatasetDict(train=data) if splits else data, progress=False, **options)
    for policy in ("drop", "relabel"):
        cleaned = audit.clean(policy)
        cleaned.push_to_hub("somebody/birds", private=True)
        card = hub["README.md"].decode()
        assert card.startswith("---\nlicense: mit\n---\n# Birds\n")
        assert card.count("## Audit of the labels") == 1
        assert str(audit.noise_rate()).splitlines()[0] in card
        assert ("0 relabelled" in card) == (policy == "drop")
    assert len(pickle.loads(pickle.dumps(cleaned))) == len(cleaned)
