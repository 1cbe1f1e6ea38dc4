"""Find the label errors of a Hugging Face data set, look at why, and train on the rest."""

import numpy as np
from datasets import ClassLabel, Dataset, Features, List, Value
from sklearn.datasets import load_digits

import dataaudit

digits = load_digits()
labels = digits.target.copy()
wrong = np.random.default_rng(0).choice(len(labels), 120, replace=False)
labels[wrong] = (labels[wrong] + 1) % 10

features = Features(pixels=List(Value("float32"), length=64), label=ClassLabel(num_classes=10))
dataset = Dataset.from_dict({"pixels": (digits.data / 16).astype(np.float32), "label": labels}, features=features)

audit = dataaudit.score(None, dataset, inputs="pixels", label="label", progress=False)
print(audit.noise_rate())

flagged = audit.mislabeled()
found = set(flagged["row"]) & set(wrong.tolist())
print(f"\n{len(flagged)} flagged, {len(found)} of the 120 planted errors among them; the likeliest:")
print(flagged.loc[0, ["row", "given", "suggested", "probability", "explanation"]].to_string())

cleaned = audit.clean("relabel")
right = np.mean(np.array(cleaned["label"]) == digits.target)
print(f"\nlabels right before: {np.mean(labels == digits.target):.3f}, after relabelling: {right:.3f}")

reviewed = audit.to_dataset()
print(f"columns for a reviewer: {', '.join(reviewed.column_names[2:])}")
