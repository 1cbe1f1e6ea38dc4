"""Engine 'sampled' through the audit: settings, errors, rows on disk and in pieces."""

from dataclasses import replace

import datasets
import numpy as np
import pytest

import dataaudit
from dataaudit import Density
from dataaudit.density import bandwidth
from dataaudit.density.base import Context
from dataaudit.density.compute import density_sums
from dataaudit.density.engines import resolve
from dataaudit.density.exact import ReferenceEngine
from dataaudit.density.sampled import SampledEngine, WrittenOut
from dataaudit.density.sums import KINDS, DensityNeed, DensitySums, SumErrors
from dataaudit.errors import DataError, SettingError
from dataaudit.pipeline.evidence_sources.space_records import density_record
from dataaudit.representations.base import GradientFactors
from dataaudit.representations.spaces import Space
from dataaudit.testing import EngineContract
from dataaudit_kernels.agreement import SCORES
from dataaudit_kernels.reference import written_out

NAMES = [f"{kind}/input" for kind in KINDS]
SMALL = SampledEngine(tolerance=None, sample=256, threads=1)


class TestSampled(EngineContract):
    """Of few rows all pairs are summed; of more, a small sample of what is no longer the same class too."""

    estimates_from = 1500

    def engine(self):
        return SampledEngine(tolerance=None, sample=256, exact_class=0)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=1500)
    return (rng.normal(size=(4, 10))[labels] + rng.normal(size=(1500, 10))).astype(np.float32), labels


@pytest.fixture(scope="module")
def audits(rows):
    return [dataaudit.score(None, rows, NAMES, engine=engine, progress=False) for engine in ("cpu", SMALL)]


def test_errors_reach_the_audit(audits):
    exact, found = audits
    for name in NAMES:
        known, truth = found.uncertainty(name), np.asarray(exact.scores[name])
        how = found.settings["density"][name][0]
        assert how["engine"] == "sampled"
        assert how["sample"] == 256
        assert found.reliability[name] == pytest.approx(how["spearman"][name.removesuffix("/input")] ** 2)
        assert (known["lower"] <= known["score"]).all()
        assert (known["score"] <= known["upper"]).all()
        if name == "class_density/input":
            assert not known["stderr"].any()
            np.testing.assert_allclose(known["score"], truth, rtol=1e-5)
            continue
        # Errors of one sample move together; how often intervals hold over many is tested beside the kernels.
        assert 0.5 < np.sqrt((((known["score"] - truth) / known["stderr"]) ** 2).mean()) < 2
        assert (known["stderr"] < 0.2 * truth.max()).all()
        assert (known["holdouts"] < 256).all()
    assert not exact.uncertainties


def test_errors_are_saved(audits, tmp_path):
    again = dataaudit.Audit.load(audits[1].save(tmp_path / "audit"))
    np.testing.assert_array_equal(again.uncertainty(NAMES[0])["stderr"], audits[1].uncertainty(NAMES[0])["stderr"])
    assert again.settings["density"] == audits[1].settings["density"]


def test_the_error_of_a_posterior_is_that_of_its_parts():
    rng = np.random.default_rng(0)
    other, same = np.full(3, 50.0), np.array([10.0, 50.0, 0.0])
    errors = SumErrors(np.full(3, 0.5), np.full(3, 0.2), np.full(3, 9), dict.fromkeys(KINDS, 1.0))
    sums = DensitySums(other + same, same, {}, errors)
    drawn_other = other + 0.5 * rng.normal(size=(20000, 3))
    drawn_same = same + 0.2 * rng.normal(size=(20000, 3))
    for kind in KINDS:
        spread = SCORES[kind](drawn_other, drawn_same).std(0)
        scale = 1 if kind == "parzen" else 3
        np.testing.assert_allclose(sums.stderr(kind), spread / scale, rtol=0.03)
    assert not DensitySums(other, same).stderr("density").any()


def test_rows_on_disk_and_in_chunks_give_the_same_bits(rows, audits, tmp_path):
    inputs, labels = rows
    np.save(tmp_path / "rows.npy", inputs)
    on_disk = dataaudit.score(
        None, (np.load(tmp_path / "rows.npy", mmap_mode="r"), labels), NAMES, engine=SMALL, progress=False
    )
    halves = slice(700), slice(700, 1500)
    parts = [datasets.Dataset.from_dict({"x": inputs[half], "label": labels[half]}) for half in halves]
    features = datasets.Features(x=datasets.List(datasets.Value("float32"), 10), label=datasets.Value("int64"))
    pieces = datasets.concatenate_datasets([part.cast(features) for part in parts])
    in_pieces = dataaudit.score(None, pieces, NAMES, engine=SMALL, progress=False, label="label")
    for other in (on_disk, in_pieces):
        for name in NAMES:
            np.testing.assert_array_equal(other.scores[name], audits[1].scores[name])


class Pieces:
    """Rows that refuse to become one array."""

    def __init__(self, rows):
        self._rows, self.shape, self.dtype = rows, rows.shape, rows.dtype

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, which):
        return self._rows[which]

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("joined")


def test_pieces_are_never_joined(rows):
    need, (inputs, labels) = DensityNeed(Space("input")), rows
    found = density_sums(need, Pieces(inputs), {}, labels, SMALL, 0, False)
    want = density_sums(need, inputs, {}, labels, SMALL, 0, False)
    np.testing.assert_array_equal(found.total, want.total)
    assert bandwidth.find(Pieces(inputs), "1x", 3) == bandwidth.find(inputs, "1x", 3)


def test_a_tolerance_out_of_reach_is_noted(rows):
    engine = SampledEngine(tolerance=1e-9, sample=256, threads=1)
    inputs, labels = np.concatenate([rows[0], rows[0] + 0.01, rows[0] - 0.02]), np.tile(rows[1], 3)
    audit = dataaudit.score(None, (inputs, labels), NAMES[:1], engine=engine, progress=False)
    how = audit.settings["density"][NAMES[0]][0]
    assert how["tolerance_met"] is False
    assert how["sample"] == 256
    assert any("a sample of 256 reaches 1 - Spearman" in note for note in audit.settings["notes"])


def test_auto_sums_all_pairs_of_few_rows_and_samples_many(rows):
    (inputs, labels), need = rows, DensityNeed(Space("input"))
    auto = resolve("auto")
    assert density_sums(need, inputs, {}, labels, auto, 0, False).settings["engine"] == "cpu"
    auto = replace(auto, exact_rows=1000)
    found = density_sums(need, inputs, {}, labels, auto, 0, False)
    assert found.settings["engine"] == "sampled"
    layers = [GradientFactors(inputs[:, :2], inputs, False)]
    assert density_sums(DensityNeed(Space("gradient")), layers, {}, labels, auto, 0, False).settings["engine"] == "cpu"


def test_gradients_are_written_out_where_they_are_looked_at(rows):
    inputs, labels = rows
    layers = [GradientFactors(inputs[:, :3], inputs, True), GradientFactors(inputs[:, 5:], inputs[:, :4], False)]
    rows_at = np.array([3, 700])
    want = written_out([layer for layer in layers])
    np.testing.assert_allclose(WrittenOut(layers)[rows_at], want[rows_at], rtol=1e-6)
    found = SMALL.sums(layers, labels, 12.0)
    exact = ReferenceEngine().sums(layers, labels, 12.0)
    np.testing.assert_allclose(found.same, exact.same, rtol=1e-4)
    assert np.median(np.abs(found.total / exact.total - 1)) < 0.03
    # Sums of gradients have heavy tails: a few rows are known far worse than their error says.
    assert 0.3 < np.median(np.abs(found.total - exact.total) / found.errors.other) < 1.5
    wide = [GradientFactors(np.zeros((3, 200)), np.zeros((3, 100)), True)]
    with pytest.raises(SettingError, match="engine 'sampled' for gradients of 20200 numbers"):
        SMALL.sums(wide, np.zeros(3, int), 1.0)


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": 0.0},
        {"tolerance": True},
        {"tolerance": "small"},
        {"sample": 255},
        {"sample": 100.0},
        {"exact_class": -1},
        {"seed": -1},
        {"threads": 0},
        {"control": 1},
    ],
)
def test_wrong_settings_are_refused(options):
    (name,) = options
    with pytest.raises(SettingError, match=name):
        resolve(SampledEngine(**options))


def test_engines_say_whether_they_read_pieces():
    assert resolve("sampled").reads_pieces
    assert not resolve("cpu").reads_pieces


def test_the_seed_is_that_of_the_audit_or_its_own(rows):
    inputs, labels = rows

    def total(engine, seed):
        return engine.sums(inputs, labels, 4.0, Context(seed)).total

    own = SampledEngine(tolerance=None, sample=256, seed=1, threads=1)
    np.testing.assert_array_equal(total(own, 0), total(SMALL, 1))
    np.testing.assert_array_equal(total(own, 5), total(own, 0))
    assert (total(SMALL, 0) != total(SMALL, 1)).any()


def test_rows_that_are_not_numbers_are_named(rows):
    inputs, labels = rows
    inputs = inputs.copy()
    inputs[1400, 2] = np.inf
    with pytest.raises(DataError, match="1400"):
        dataaudit.score(None, (inputs, labels), NAMES[:1], engine=SMALL, progress=False)


@pytest.mark.parametrize("name", ["sampled", "faiss"])
def test_a_tolerance_that_was_missed_is_told_of_the_column_that_misses_it(name):
    agreement = {"density": 0.9999, "class_density": 0.98, "relative_density": 0.97, "parzen": 0.9}
    settings = {"engine": name, "sample": 64, "spearman": agreement, "tolerance_met": False, "tolerance": 1e-3}
    plan = [Density("input", kind) for kind in ("density", "relative_density", "parzen")]
    sums = DensitySums(np.ones(3), np.ones(3), {**settings, "out_of_reach": 0})
    notes = density_record(plan, {need: sums for one in plan for need in one.needs}).notes
    kind = {"sampled": "SampledEngine", "faiss": "FaissEngine"}[name]
    allow = f"allow a larger one, engine={kind}(sample=...)"
    assert notes == [
        f"{column}: a sample of 64 reaches 1 - Spearman = {apart}, not the tolerance of 0.001; {allow}"
        for column, apart in (("relative_density/input", "0.03"), ("parzen/input", "0.1"))
    ]
