"""
Texts without a model
=====================

Texts are compared by their words, so that no model is needed. These short texts are made: some of their words
belong to their topic, and some to any.
"""

import matplotlib.pyplot as plt
import numpy as np

import dataaudit

rng = np.random.default_rng(0)
words = {
    "sport": ["match", "goal", "team", "coach", "league", "score", "player", "final"],
    "weather": ["rain", "wind", "cloud", "storm", "sun", "frost", "snow", "heat"],
    "money": ["bank", "price", "market", "loan", "share", "tax", "budget", "wage"],
}
common = ["the", "and", "of", "new", "today", "over", "was", "at", "in", "more", "after"]
true = np.array([topic for topic in words for _ in range(200)])
every = [word for group in words.values() for word in group]
texts = [
    " ".join([*rng.choice(common, 2), *rng.choice(words[topic], 2), *rng.choice(every, 2), *rng.choice(common, 2)])
    for topic in true
]
labels = true.copy()
planted = rng.choice(len(labels), 30, replace=False)
labels[planted] = [rng.choice([topic for topic in words if topic != true[row]]) for row in planted]

audit = dataaudit.score(None, (texts, labels), progress=False)
print(audit.noise_rate())

# %%
# The likeliest errors.

flagged = audit.mislabeled()
flagged["text"] = [texts[row] for row in flagged["row"]]
flagged[["text", "given", "suggested", "probability"]].head()

# %%
# The probability that a label is wrong falls along the ranking. Where it is high, labels are planted errors.

first = audit.ranking()[:60]
probability = audit.error_probability()[first]
wrong = np.isin(first, planted)
figure, ax = plt.subplots(layout="constrained")
for kind, name in ((wrong, "planted error"), (~wrong, "right label")):
    ax.bar(np.flatnonzero(kind) + 1, probability[kind], label=name)
ax.set(xlabel="place in the ranking", ylabel="probability that the label is wrong")
ax.legend()

# %%
# Between which topics labels are wrong: left as the audit estimates it, right as the errors were planted.

topics = list(audit.class_names)
truth = np.zeros((3, 3))
for row in planted:
    truth[topics.index(labels[row]), topics.index(true[row])] += 1
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
audit.plot.confusion(ax=left)
right.imshow(truth, cmap="Reds")
for (given, other), count in np.ndenumerate(truth):
    shade = "white" if count > truth.max() / 2 else "black"
    right.text(other, given, f"{count:.0f}", ha="center", va="center", color=shade)
right.set_xticks(range(3), topics, rotation=45)
right.set_yticks(range(3), topics)
right.set(title="Planted", xlabel="true", ylabel="given")
