"""Fine-tune with the transformers Trainer, learn which labels look wrong, and train again with the scores."""

import tempfile
from collections.abc import Sequence
from typing import Any

import datasets
import numpy as np
import torch
import transformers

import dataaudit
from dataaudit.curriculum.trainers import RecordDynamics, curriculum_trainer

# Four kinds of sentences of eight words each, among words that say nothing; one label in ten is wrong.
rng = np.random.default_rng(0)
n, kinds = 400, 4
kind = np.arange(n) % kinds
words = np.where(rng.random((n, 8)) < 0.4, 30 + 5 * kind[:, None] + rng.integers(5, size=(n, 8)), rng.integers(2, 30))
labels = kind.copy()
labels[:40] = (labels[:40] + 1) % kinds
rows = datasets.Dataset.from_dict({"input_ids": words, "label": labels})


def fine_tune(callbacks: Sequence[Any] = (), **options: Any) -> float:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    model = transformers.BertForSequenceClassification(
        transformers.BertConfig(vocab_size=50, max_position_embeddings=8, num_labels=kinds, **sizes)
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder, num_train_epochs=8, per_device_train_batch_size=40, learning_rate=4e-3,
            save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True,
        )  # fmt: skip
        trainer = curriculum_trainer()(model, arguments, train_dataset=rows, callbacks=list(callbacks), **options)
        trainer.train()
        logits = trainer.predict(rows).predictions
    return float((logits.argmax(1) == kind).mean())


recording = RecordDynamics()
as_given = fine_tune([recording])
audit = dataaudit.score(recording)
print(audit.suspects(5))
assert (audit.ranking()[:40] < 40).mean() > 0.8

weighted = fine_tune(loss_weights=audit.weights())
print(f"right classes: {as_given:.3f} as given, {weighted:.3f} with a weighted loss")
