"""Table of the models that `score` takes, in README.md and docs/what-it-takes.md; each row names its tests.

python tests/test_what_it_takes.py    # writes the page, and the README's table
"""

import re
import runpy
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/what-it-takes.md"
CLASSIFIERS, OUTPUTS = "learners/test_classifiers.py", "learners/test_outputs.py"
MODELS = [
    ("classifiers of scikit-learn with their defaults", "", CLASSIFIERS, "every_classifier_of_scikit_learn"),
    ("pipelines, searches, stacks and votes around them", "", CLASSIFIERS, "whatever_trains_by_fit"),
    ("any class with `fit` and `predict_proba` or `decision_function`", "", CLASSIFIERS, "columns_are_those"),
    ("CatBoost, XGBoost, LightGBM; rounds are epochs", "that package", CLASSIFIERS, "rounds_of_boosting"),
    ("skorch; epochs are its own", "`skorch`", CLASSIFIERS, "epochs_of_a_net"),
    ("torch modules that return a tensor, dict, tuple or `ModelOutput`", "", OUTPUTS, "outputs_of_any_form"),
    ("torch modules with one logit for two classes", "", OUTPUTS, "one_number_of_two_classes"),
    ("transformers models of texts and images", "`dataaudit[transformers]`", "learners/test_transformers.py", ""),
    ("SetFit models; the head is fitted", "`setfit`", "embedding/test_sentence_models.py", "setfit"),
    (
        "texts in `embed`: transformers encoders and folders",
        "`dataaudit[transformers]`",
        "embedding/test_embed.py",
        "a_plain_loop",
    ),
    (
        "images in `embed`: transformers models, CLIP towers and their folders",
        "`dataaudit[transformers,report]`",
        "embedding/test_images.py",
        "towers_of_clip",
    ),
    (
        "images in `embed`: timm, torchvision with its weights' transforms, OpenCLIP, by their interfaces",
        "that package, `pillow`",
        "embedding/test_images.py",
        "each_kind_of_network",
    ),
    ("images in `embed`: any torch module", "`dataaudit[report]`", "embedding/test_images.py", "named_layer"),
    (
        "`SentenceTransformer` in `embed`, CLIP of texts and images too",
        "`sentence-transformers`",
        "embedding/test_sentence_models.py",
        "a_clip_of",
    ),
    ("all of these as `score(..., embed=)` and `--embed`", "as above", "pipeline/test_embed.py", "both_steps"),
    (
        "transformers pipelines: refused, with what to pass",
        "",
        "embedding/test_sentence_models.py",
        "with_what_to_pass",
    ),
    ("`LinearProbe`, `NearestNeighbours`, None", "", "learners/test_linear_probe.py", ""),
]
"""Model, package to install beside the core, file of its tests, and part of a test's name."""


BEGIN = "<!-- data: written by tests/test_what_it_takes.py -->"


README = ROOT / "README.md"
TAKEN = "<!-- models: written by tests/test_what_it_takes.py -->", "<!-- end of models -->"


def models():
    """Table of the models."""
    rows = [f"| {model} | {extra} |" for model, extra, _, _ in MODELS]
    return "\n".join(["| model | to be installed besides |", "|---|---|", *rows, ""])


def readme():
    """README.md with this table in its place."""
    before, rest = README.read_text("utf-8").split(TAKEN[0])
    return f"{before}{TAKEN[0]}\n\n{models()}\n{TAKEN[1]}{rest.split(TAKEN[1])[1]}"


def page():
    """Head of the page, and the models."""
    head = [
        "# What it takes",
        "",
        "Written by `tests/test_what_it_takes.py`, which names the tests of each model; every line about data and",
        "labels is what `tests/test_any_data.py` sees when it tries them.",
        "",
    ]
    return "\n".join([*head, models(), BEGIN, ""])


def test_the_page_begins_with_the_models():
    assert PAGE.read_text("utf-8").startswith(page())
    assert README.read_text("utf-8") == readme()


@pytest.mark.parametrize("row", MODELS, ids=lambda row: row[0])
def test_every_row_has_its_tests(row):
    _, _, file, part = row
    assert re.search(rf"^def test_\w*{part}", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE)


if __name__ == "__main__":
    README.write_text(readme(), "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        data = runpy.run_path(str(ROOT / "tests/test_any_data.py"))
        data["FOLDER"].append(folder)
        PAGE.write_text("\n".join([page(), *data["lines"](), "", data["END"], ""]), "utf-8")
