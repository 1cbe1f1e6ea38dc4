"""
The Trainer of transformers
===========================

A callback records how a model learns each example while the Trainer trains it. The model here is tiny and starts from
random weights. The texts are made: rows of word numbers, some of which belong to the class.
"""

import tempfile

import datasets
import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, PrinterCallback, TrainingArguments

import dataaudit
from dataaudit.curriculum.trainers import RecordDynamics, curriculum_trainer

rng = np.random.default_rng(0)
kind = np.arange(600) % 3
telling = rng.random((600, 8)) < 0.5
words = np.where(telling, 30 + 5 * kind[:, None] + rng.integers(5, size=(600, 8)), rng.integers(2, 30, (600, 8)))
labels = kind.copy()
planted = rng.choice(600, 40, replace=False)
labels[planted] = (labels[planted] + 1) % 3
rows = datasets.Dataset.from_dict({"input_ids": words, "label": labels})

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
model = BertForSequenceClassification(BertConfig(vocab_size=50, max_position_embeddings=8, num_labels=3, **sizes))
quiet = {"report_to": [], "disable_tqdm": True, "save_strategy": "no", "logging_strategy": "no", "use_cpu": True}
recording = RecordDynamics()
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, num_train_epochs=8, per_device_train_batch_size=40, learning_rate=4e-3, **quiet
    )
    trainer = curriculum_trainer()(model, arguments, train_dataset=rows, callbacks=[recording])
    trainer.remove_callback(PrinterCallback)
    trainer.train()

audit = dataaudit.score(recording, rows, progress=False)
print(audit.noise_rate())
found = np.isin(audit.ranking()[:40], planted).sum()
print(f"{found} of the 40 most suspicious rows are planted errors")

# %%
# The data map: easy examples are learned with confidence, wrong labels are not.

audit.plot.data_map()

# %%
# How soon examples are learned, by fifths of the score. The lowest fifth holds the planted errors.

audit.plot.learning_curves()
