"""Which sources the consensus is taken over, and that a ridge regression joins models of vectors."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import dataaudit
from dataaudit.evidence.base import LEFT_OUT
from dataaudit.labels.combine import WEIGHTS, combined, contradicted, exponents, outsiders, sources
from dataaudit.labels.stacking import fitted_weights
from dataaudit.pipeline.evidence_sources.ridge_loo import LARGEST_TABLE, RidgeLeaveOneOut
from dataaudit.pipeline.plan import make_plan
from dataaudit.pipeline.request import Request

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 120)
VECTORS = RNG.normal(size=(120, 5)) + 1.5 * np.eye(5)[LABELS]
EVERY = slice(0, 120)


def audited(model, inputs=VECTORS):
    return dataaudit.score(model, (inputs, LABELS), "consensus", progress=False)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (LogisticRegression(), {"heldout", "neighbours", "ridge"}),
        (HistGradientBoostingClassifier(max_iter=5), {"dynamics", "heldout", "neighbours", "ridge"}),
        (dataaudit.networks.build("mlp", (5,), 3), {"dynamics", "heldout", "neighbours", "ridge"}),
        (dataaudit.LinearProbe(kind="logistic"), {"heldout", "neighbours", "ridge"}),
        (dataaudit.LinearProbe(), {"heldout", "neighbours"}),
        (None, {"heldout", "neighbours"}),
    ],
)
def test_a_ridge_regression_joins_models_of_vectors_that_are_none(model, names):
    audit = audited(model)
    assert set(sources(audit.evidence)) == set(audit.settings["consensus"]) == names
    if "ridge" in names:
        assert audit.settings["consensus"]["ridge"]["method"] == LEFT_OUT
        alone = sources(audited(None).evidence)["heldout"].dense(EVERY)
        np.testing.assert_array_equal(sources(audit.evidence)["ridge"].dense(EVERY), alone)
        # It never saw the label, and is weighed by what it shows.
        parts = outsiders(audit.evidence, sources(audit.evidence))
        assert set(parts) == {"heldout", "neighbours", "ridge"}
        # What remembers the label has no say in whether it is contradicted.
        against = audit.evidence.combined.contradicted
        np.testing.assert_array_equal(against, contradicted(parts, LABELS, 3))
        assert 0 < against.sum() <= (parts["ridge"].dense(EVERY).argmax(1) != LABELS).sum()
        # What never saw the labels is combined by the same weights, scaled to the fixed ones' sum of those sources.
        weights = {name: audit.settings["consensus"][name]["weight"] for name in parts}
        scale = sum(exponents(parts).values()) / sum(weights.values())
        outside = combined(parts, LABELS, 3, {name: weight * scale for name, weight in weights.items()})
        np.testing.assert_allclose(audit.evidence.combined.outside.dense(EVERY), outside.dense(EVERY), atol=1e-4)
        expected = fitted_weights(parts, LABELS, 3, WEIGHTS.fixed[frozenset(names)], WEIGHTS.bounded)
        assert {name: audit.settings["consensus"][name]["weight"] for name in parts} == pytest.approx(
            expected, abs=1e-4
        )


def test_it_stays_away_where_it_would_be_slow_or_cannot_be():
    images = RNG.normal(size=(120, 1, 8, 8)).astype(np.float32)
    assert "ridge" not in audited(dataaudit.networks.build("small_cnn", (1, 8, 8), 3), images).settings["consensus"]
    gaps = VECTORS.copy()
    gaps[3, 2] = np.nan
    assert "ridge" not in audited(HistGradientBoostingClassifier(max_iter=5), gaps).settings["consensus"]
    wide, labels = RNG.normal(size=(LARGEST_TABLE + 1, LARGEST_TABLE + 1)).astype(np.float32), np.arange(2049) % 3
    for inputs, joins in ((wide, False), (wide[:, 1:], True)):
        planned = make_plan(Request(LogisticRegression(), (inputs, labels), "auto"))
        assert any(isinstance(source, RidgeLeaveOneOut) for source in planned.sources) == joins
