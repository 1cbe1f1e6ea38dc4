"""Models that people have, as encoders: by a folder or a name, or as objects."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dataaudit.data.kinds import is_a
from dataaudit.embedding.base import Encoder
from dataaudit.embedding.images import image_encoder
from dataaudit.embedding.pictures import Kind
from dataaudit.embedding.texts import text_encoder
from dataaudit.embedding.towers import has_towers
from dataaudit.errors import ModelError, SettingError, require
from dataaudit.learners.devices import resolve_device

POOLINGS = ("mean", "cls", "max")
MODULES = ("Transformer", "Pooling", "Normalize", "CLIPModel")
"""Parts of a sentence-transformers model that are understood."""

POOLER = "pooler."
"""Weights that many folders lack; what they give is read only where they are there."""

TAKEN = (
    "the folder or name of a transformers or sentence-transformers model, a SentenceTransformer, a transformers model, "
    "or for images any torch module"
)


@dataclass
class Loaded:
    """A network, and what is known of it."""

    module: Any
    name: str
    """In words."""
    folder: str | None = None
    """Folder or name that it was loaded from."""
    inner: str = ""
    """Folder within that one."""
    processor: Any = None
    pooling: str = "mean"
    tokens: int | None = None
    """Largest number of tokens that its folder names."""
    untrained: Sequence[str] = ()
    """Weights that its folder lacked."""

    def processor_by(self, loader: str) -> Any:
        """Processor from the folder, by a class of transformers; None where there is none."""
        import transformers

        if self.folder is None:
            return None
        try:
            with _quiet():
                return getattr(transformers, loader).from_pretrained(self.folder, subfolder=self.inner)
        except Exception as error:  # Of a folder without one, each version raises something else.
            raise ModelError(
                f"{self.folder!r}, from which {loader} reads nothing ({_first_line(error)})",
                "the processor beside the model, as save_pretrained writes it",
                f"save it there, or pass processor={loader}.from_pretrained(...)",
            ) from error


def load(
    model: Any,
    processor: Any,
    kind: Kind,
    sample: Any,
    max_length: int | None = None,
    device: str = "auto",
    layer: str | None = None,
) -> Encoder:
    """Encoder of a model as `dataaudit.embed` takes it, for texts or images such as `sample`."""
    if kind == "texts" and layer is not None:
        raise SettingError(f"layer={layer!r} for texts", "a layer of a network of images", "leave out layer=")
    if kind == "images" and max_length is not None:
        raise SettingError(
            f"max_length={max_length} for images", "a limit of tokens for texts", "leave out max_length="
        )
    target = resolve_device(device)
    loaded = _loaded(model)
    module = loaded.module
    here = next((parameter.device for parameter in module.parameters()), target)
    if loaded.folder is not None:
        module = module.to(target)
    elif device != "auto" and here != target:
        module = copy.deepcopy(module).to(target)
    processor = loaded.processor if processor is None else processor
    if kind == "texts":
        tower = _reads_texts(module)
        tokenizer = loaded.processor_by("AutoTokenizer") if processor is None and tower else processor
        return text_encoder(module, tokenizer, loaded.pooling, loaded.tokens, max_length, loaded.name)
    if _reads_texts(module) and not has_towers(module):
        raise ModelError(
            f"images for a {type(module).__name__}, which reads texts",
            "a model of images: a folder or name, or a torch module",
            "pass a model such as CLIP or ViT, or the texts that this one reads",
        )
    own = loaded.processor_by("AutoImageProcessor") if processor is None else processor
    return image_encoder(module, own, layer, loaded.name, loaded.untrained, sample)


def _reads_texts(module: Any) -> bool:
    transformer = is_a(module, "transformers.modeling_utils", "PreTrainedModel")
    return transformer and module.main_input_name == "input_ids"


def _loaded(model: Any) -> Loaded:
    if isinstance(model, (str, Path)):
        return _from_folder(str(model))
    if is_a(model, "sentence_transformers", "SentenceTransformer"):
        return _of_sentences(model)
    if isinstance(model, nn.Module):
        return Loaded(model, type(model).__name__)
    raise ModelError(f"a model of type {type(model).__name__}", TAKEN, "pass one of these")


def _from_folder(model: str) -> Loaded:
    transformers = require("transformers", "transformers", "models by a folder or name")
    if Path(model).is_file():
        raise ModelError(
            f"the file {model!r}",
            "a folder that save_pretrained wrote, or a name that transformers resolves",
            "load the weights into their network yourself, and pass that",
        )
    if Path(model).is_dir() and not any((Path(model) / name).is_file() for name in ("config.json", "modules.json")):
        raise ModelError(
            f"the folder {model!r}, which holds no config.json",
            "a folder that save_pretrained wrote",
            ["name the folder within that holds one", "pass the model itself"],
        )
    inner, pooling, tokens = _described(model)
    # Weights that a folder lacks are drawn, and must not move the caller's generator.
    try:
        with _quiet(), torch.random.fork_rng(devices=[]):
            module, loading = transformers.AutoModel.from_pretrained(model, subfolder=inner, output_loading_info=True)
    except Exception as error:  # Each version, and each kind of damage, raises something else.
        raise ModelError(
            f"{model!r}, from which transformers reads no model ({_first_line(error)})",
            "a folder that save_pretrained wrote, or a name that transformers resolves",
            ["check the name, and whether a download is allowed (HF_HUB_OFFLINE)", "pass the model itself"],
        ) from error
    missing = sorted(loading["missing_keys"])
    lacking = [name for name in missing if POOLER not in name]
    if lacking:
        raise ModelError(
            f"{len(lacking)} weights that {model!r} lacks, {lacking[0]!r} among them",
            "all weights of the encoder",
            "save the model again with save_pretrained",
        )
    return Loaded(module, Path(model).name, model, inner, None, pooling, tokens, missing)


def _of_sentences(model: Any) -> Loaded:
    """Network, processor, pooling and largest number of tokens of a ``SentenceTransformer``."""
    parts = {type(part).__name__: part for part in model}
    _check_parts(list(parts))
    settings = parts["Pooling"].get_config_dict() if "Pooling" in parts else {}
    part = parts.get("CLIPModel", parts.get("Transformer"))
    module = getattr(part, "auto_model", None) or getattr(part, "model", None)
    processor = getattr(part, "processor", None) or model.tokenizer
    name = type(module).__name__
    tokens = None if has_towers(module) else model.max_seq_length
    return Loaded(module, name, None, "", processor, _pooling(settings), tokens)


def _check_parts(names: list[str]) -> None:
    unknown = [name for name in names if name.rpartition(".")[2] not in MODULES]
    if unknown:
        raise ModelError(
            f"a sentence model with {unknown[0]}",
            f"{', '.join(MODULES)} and no other part",
            "embed with its own package, and pass the vectors",
        )


def _described(model: str) -> tuple[str, str, int | None]:
    """Folder within, pooling and largest number of tokens of a sentence-transformers folder; "", "mean", None else."""
    parts = _json(model, "modules.json") or []
    _check_parts([part["type"] for part in parts])
    folders = [part["path"] for part in parts if part["type"].endswith(".Pooling")]
    inner = next((part["path"] for part in parts if part["type"].endswith((".Transformer", ".CLIPModel"))), "")
    settings = _json(model, f"{folders[0] if folders else '1_Pooling'}/config.json") or {}
    limit = (_json(model, "sentence_bert_config.json") or {}).get("max_seq_length")
    return inner, _pooling(settings), limit


def _pooling(settings: dict[str, Any]) -> str:
    """Pooling of a folder's settings, which name it or mark it with true."""
    names = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    marked = [key.removeprefix("pooling_mode_") for key, value in settings.items() if value is True]
    poolings = [names.get(key, key) for key in marked if f"pooling_mode_{key}" in settings]
    named = settings.get("pooling_mode", [])
    poolings += [named] if isinstance(named, str) else list(named)
    if not settings:
        return "mean"
    if len(poolings) != 1 or poolings[0] not in POOLINGS:
        raise ModelError(
            f"a sentence model that pools by {' and '.join(poolings) or 'nothing'}",
            f"one of {', '.join(POOLINGS)}",
            "embed with its own package, and pass the vectors",
        )
    return str(poolings[0])


def _json(model: str, name: str) -> Any:
    """Content of a file beside the model; None where there is no such file."""
    from transformers.utils import cached_file

    try:
        path = cached_file(model, name, _raise_exceptions_for_missing_entries=False)
    except OSError:
        # No such model: whoever reads the model itself says so.
        return None
    return None if path is None else json.loads(Path(path).read_text("utf-8"))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Loading without bars and reports; the caller checks for missing weights."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
