"""The cells of the label-error benchmark: figures, what is kept, what is found again."""

from __future__ import annotations

import numpy as np
import pytest

import dataaudit
from benchmarks.common import missed
from benchmarks.peers import collect
from benchmarks.peers.cases import Case, Source
from benchmarks.peers.cells import SCORES, Book, cell, chosen_recipe
from benchmarks.peers.tables import order
from dataaudit.learners.recipes import CropFlip


def case(seed: int = 0, **options: object) -> Case:
    labels = np.arange(40) % 2
    vectors = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) + labels[:, None]
    source = Source("made", "mlp", dataaudit.networks.build("mlp", (3,), 2), vectors, vectors, labels, {}, **options)
    return Case(source, "pairs 20%", seed, np.where(np.arange(40) < 4, 1 - labels, labels))


def test_missed_counts_ties_by_their_chance():
    wrong = np.array([True, True, False, False])
    assert missed(np.array([0.0, 1.0, 2.0, 3.0]), wrong) == 0
    assert missed(np.array([3.0, 2.0, 1.0, 0.0]), wrong) == 1
    assert missed(np.array([0.0, 1.0, 1.0, 1.0]), wrong) == pytest.approx(0.5 * 2 / 3)
    assert missed(np.ones(4), wrong) == pytest.approx(0.5)


def test_a_finished_cell_is_there_and_no_other(tmp_path):
    book = Book(tmp_path / "scores.csv", SCORES)
    what = cell(case(), "dataaudit")
    assert not book.has(what)
    book.append([{**what, "score": "consensus (default)", "auroc": 0.9, "recipe": '{"epochs": 3}'}])
    assert book.has(what)
    assert not book.has(cell(case(1), "dataaudit"))
    book.append([{**cell(case(1), "dataaudit"), "score": "consensus (default)"}])
    assert len(Book(tmp_path / "scores.csv", SCORES).rows()) == 2
    assert chosen_recipe(book.rows(), case()) == {"epochs": 3}
    assert chosen_recipe(book.rows(), case(1)) is None
    with pytest.raises(ValueError, match="other columns"):
        Book(tmp_path / "scores.csv", ("rate",))


def test_a_recipe_comes_back_from_an_audits_settings():
    assert collect.rebuilt({**collect.TWELVE.to_dict(), "unknown": 1}) == collect.TWELVE
    assert collect.augmentation("CropFlip(padding=2, flip=False)") == CropFlip(2, False)


def test_ways_of_training_for_the_peers():
    chosen = collect.TWELVE.to_dict() | {"epochs": 2}
    assert [way.name for way in collect.ways(case(), None)] == []
    assert [way.name for way in collect.ways(case(), chosen)] == ["auto"]
    assert [way.name for way in collect.ways(case(images=True), chosen)] == ["12 epochs", "auto"]
    assert next(collect.ways(case(images=True), None)).passes == pytest.approx(48 + 1 / 3)
    (probe,) = collect.ways(case(peers={"probe": dataaudit.LinearProbe()}), None)
    assert (probe.name, probe.recipe, probe.passes) == ("probe", None, None)


def test_folds_are_kept_by_labels_and_recipe_and_go_on(tmp_path):
    (way,) = collect.ways(case(), dataaudit.Recipe(epochs=1).to_dict())
    path = collect.kept_at(case(), way, tmp_path)
    whole = collect.out_of_fold(case(), way, tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_allclose(whole.probabilities.sum(1), 1)
    first = path.with_suffix(".fold0.npz")
    collect.keep(first, collect.Folds(np.tile([0.25, 0.75], (8, 1)), 5.0, 5.0))
    path.unlink()
    again = collect.out_of_fold(case(), way, tmp_path)
    assert again.wall > 5
    assert (again.probabilities == [0.25, 0.75]).all(1).sum() == 8
    (longer,) = collect.ways(case(), dataaudit.Recipe(epochs=2).to_dict())
    assert collect.kept_at(case(), longer, tmp_path) != path


def test_real_errors_come_first():
    places = [("digits", "pairs 20%", 1797, "mlp"), ("cifar10_human", "careless", 3000, "cnn")]
    places += [("cifar10_human", "careless", 10000, "cnn"), ("cifar10_human", "one_annotator", 10000, "cnn")]
    assert [(data, noise, rows) for data, noise, rows, _ in sorted(places, key=order)] == [
        ("cifar10_human", "careless", 10000),
        ("cifar10_human", "one_annotator", 10000),
        ("cifar10_human", "careless", 3000),
        ("digits", "pairs 20%", 1797),
    ]
