"""Choose the learner for a model."""

from __future__ import annotations

from typing import Any

from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_a
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.base import Learner
from dataaudit.learners.linear_probe import LinearProbe, LinearProbeLearner
from dataaudit.learners.nearest import NearestNeighbours, NearestNeighboursLearner
from dataaudit.learners.recipes import Automatic, Recipe, get


def resolve_recipe(recipe: str | Recipe | Automatic | None) -> Recipe | Automatic | None:
    """Recipe by name or as it is; None, which "auto" is too, for the learner's own choice."""
    if isinstance(recipe, str):
        recipe = get(recipe)
    if isinstance(recipe, Automatic) and recipe == Automatic():
        return None
    if recipe is None or isinstance(recipe, (Recipe, Automatic)):
        return recipe
    raise SettingError(
        f"recipe={recipe!r}",
        "a Recipe, the name of one, or None",
        ["pass recipe='auto'", "pass recipe=dataaudit.Recipe(epochs=20)"],
    )


def as_learner(
    model: Any, examples: Examples, recipe: Recipe | Automatic | None, device: str, processor: Any = None
) -> Learner | None:
    """Learner for `model`, as `dataaudit.score` takes it; None for None."""
    if model is None:
        _refuse_processor(processor, "no model")
        if recipe is not None:
            raise SettingError(
                "a recipe and no model, so that nothing is trained",
                "a torch model to train by it",
                ["pass a torch module to train", "leave recipe='auto'"],
            )
        _refuse_device(device, "and no model")
        return None
    name = type(model).__name__
    if isinstance(model, (LinearProbe, NearestNeighbours)):
        _refuse_processor(processor, name)
        if recipe is not None:
            raise SettingError(
                f"a recipe for {name}", "one for a torch model", f"set {name}'s own parameters, and leave recipe='auto'"
            )
        _refuse_device(device, f"for {name}")
        if isinstance(model, LinearProbe):
            return LinearProbeLearner(model, examples)
        return NearestNeighboursLearner(model, examples)
    _refuse_others(model)
    if not _is_classifier(model) and not callable(model):
        raise ModelError(
            f"a model of type {name}",
            "a torch.nn.Module or a function returning one, a classifier with fit and predict_proba, a LinearProbe, "
            "NearestNeighbours, or None",
            [
                f"pass AutoModelForSequenceClassification.from_pretrained({model!r}) or another of these",
                f"pass model=None and embed={model!r}, to audit the vectors that it makes",
            ]
            if isinstance(model, str)
            else ["pass model=dataaudit.LinearProbe() or another of these", "pass model=None, which trains none"],
        )
    from dataaudit.learners.devices import resolve_device
    from dataaudit.learners.torch import TorchLearner, module_of
    from dataaudit.learners.transformers import transformers_learner

    module = model if _is_classifier(model) else module_of(model)
    if _is_classifier(module):
        # A function's classifier is copied for every fit, like any other.
        from dataaudit.learners.setfit import as_classifier
        from dataaudit.learners.sklearn import SklearnLearner

        _refuse_processor(processor, type(module).__name__)
        _refuse_device(device, "for a classifier that is no torch module")
        return SklearnLearner(as_classifier(module), examples, recipe)
    resolved = resolve_device(device)
    if is_a(module, "transformers.modeling_utils", "PreTrainedModel"):
        return transformers_learner(model, module, examples, recipe, resolved, processor)
    _refuse_processor(processor, type(module).__name__)
    return TorchLearner(model, examples, recipe or Automatic(), resolved)


def trains_on_device(model: Any) -> bool:
    """Tell whether ``device=`` says where a model trains: torch modules and what makes them."""
    return model is not None and not isinstance(model, (LinearProbe, NearestNeighbours)) and not _is_classifier(model)


def _refuse_others(model: Any) -> None:
    """Raise `ModelError` for what people have that is no classifier to train, and say what to pass."""
    name = type(model).__name__
    if is_a(model, "transformers.pipelines.base", "Pipeline"):
        parts = ("tokenizer", "image_processor", "feature_extractor")
        part = next((one for one in parts if getattr(model, one, None) is not None), "tokenizer")
        raise ModelError(
            f"a transformers pipeline, {name}",
            "the model within it, which is trained, and its processor",
            f"pass model=pipeline.model, processor=pipeline.{part}",
        )
    if is_a(model, "sentence_transformers", "SentenceTransformer"):
        raise ModelError(
            f"a {name}, which makes vectors of texts",
            "something that tells classes apart",
            "pass embed=model, to audit the vectors, and model=None or dataaudit.LinearProbe() to tell them apart",
        )


def _is_classifier(model: Any) -> bool:
    """Tell whether a model trains by ``fit``; torch modules are trained here, whatever methods they have."""
    trains = hasattr(model, "fit") and not isinstance(model, type)
    return trains and not is_a(model, "torch.nn.modules.module", "Module")


def _refuse_processor(processor: Any, name: str) -> None:
    if processor is not None:
        raise SettingError(
            f"processor= for {name}",
            "one for a transformers model only",
            "leave processor= out, or prepare the inputs by transform=",
        )


def _refuse_device(device: str, beside: str) -> None:
    if str(device) not in ("auto", "cpu"):
        raise SettingError(f"device={device!r} {beside}", "'auto' or 'cpu'", "leave device='auto'")
