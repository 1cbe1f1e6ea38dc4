import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

import dataaudit
from dataaudit.data import as_examples
from dataaudit.representations.input import InputRows, input_rows, place_rows_beside
from dataaudit.representations.words import KINDS, WordVectors, word_rows, words_of

TOPICS = {
    "sport": ["match", "goal", "team", "coach", "league", "score"],
    "weather": ["rain", "wind", "cloud", "storm", "sun", "frost"],
}


def corpus(n=120, seed=0):
    """Texts of two topics with common words, and their topics."""
    rng = np.random.default_rng(seed)
    topics = [list(TOPICS)[i % 2] for i in range(n)]
    common = ["the", "and", "of", "new", "today", "over"]
    return [" ".join([*rng.choice(TOPICS[t], 3), *rng.choice(common, 3)]) for t in topics], np.array(topics)


def cosines(rows):
    return rows @ rows.T


def test_cosines_are_those_of_tf_idf_where_no_dimension_is_cut():
    texts, _ = corpus(40)
    blocks = []
    for kind in KINDS.values():
        blocks.append(TfidfVectorizer(sublinear_tf=True, min_df=2, **kind).fit_transform(texts).toarray())
    whole = np.concatenate(blocks, axis=1)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose(cosines(WordVectors(texts).of(texts)), cosines(whole), atol=2e-5)


def test_dimensions_are_those_of_latent_semantic_analysis():
    texts, _ = corpus(80)
    weighted = TfidfVectorizer(sublinear_tf=True, min_df=2, **KINDS["words"]).fit_transform(texts)
    best = TruncatedSVD(5, algorithm="arpack", random_state=0).fit_transform(weighted)
    found = WordVectors(texts, 5, ["words"])
    assert found.of(texts).shape == (80, 5)
    # Singular vectors of a random sketch: whatever they miss is little, though each may be turned.
    kept = np.linalg.norm(found.weighted(texts) @ found.axes) ** 2
    assert 0.97 * np.linalg.norm(best) ** 2 < kept < 1.00001 * np.linalg.norm(best) ** 2


def test_vectors_have_length_one_or_zero_and_unknown_words_count_for_nothing():
    texts, _ = corpus()
    found = WordVectors(texts).of([texts[0], "qqq", texts[0] + " qqq"])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(found[0] @ found[2], 1.0, atol=1e-5)
    assert found.dtype == np.float32


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip()), min_size=1, max_size=6))
def test_any_texts_have_finite_vectors(texts):
    found = WordVectors(texts).of(texts)
    assert found.shape[0] == len(texts)
    assert np.isfinite(found).all()
    lengths = np.linalg.norm(found, axis=1)
    assert (np.isclose(lengths, 1, atol=1e-5) | (lengths == 0)).all()


def test_blocks_and_samples_change_nothing_but_what_is_learned():
    texts, topics = corpus(200)
    examples = as_examples((texts, topics))
    words = words_of(examples)
    whole = word_rows(examples, words)
    assert (word_rows(examples, words_of(examples, block=7), block=7) == whole).all()
    some = word_rows(examples, words_of(examples, sample=50), block=7)
    assert some.shape[0] == 200
    assert some.shape[1] <= 50


def test_texts_beside_the_audited_ones_are_told_by_the_words_of_these():
    texts, topics = corpus(100)
    audited, new = as_examples((texts, topics)), as_examples((["rain and wind", texts[3]] * 2, ["a", "b"] * 2))
    queries, there = place_rows_beside(new, audited)
    np.testing.assert_array_equal(there, input_rows(audited)[0])
    assert (queries @ there.T).argmax(1)[1] == np.flatnonzero([text == texts[3] for text in texts])[0]


def test_rows_are_found_once():
    texts, topics = corpus(30)
    rows = InputRows(as_examples((texts, topics)))
    assert rows.plain is rows.plain
    assert "latent semantic analysis" in rows.plain[1]["inputs"]


@pytest.mark.parametrize("scorers", ["auto", ["consensus", "parzen/input", "knn_c_score/input"]])
def test_texts_need_no_model(scorers):
    texts, topics = corpus(240)
    given_labels = topics.copy()
    wrong = np.array([5, 60, 121, 200])
    given_labels[wrong] = np.where(topics[wrong] == "sport", "weather", "sport")
    audit = dataaudit.score(None, (texts, given_labels), scorers, progress=False)
    assert set(audit.ranking("consensus")[:4]) == set(wrong)
    flagged = audit.mislabeled(rate=4 / 240)
    assert (flagged["suggested"].to_numpy() == topics[flagged["row"]]).all()
    again = dataaudit.score(None, (texts, given_labels), scorers, progress=False)
    for name, values in audit.columns.items():
        np.testing.assert_array_equal(values, again.columns[name])


def test_new_texts_are_placed_among_the_audited_ones():
    texts, topics = corpus(120)
    audit = dataaudit.score(None, (texts, topics), progress=False)
    found = audit.score_new([texts[0], "quarterly earnings beat forecasts"], progress=False)
    assert found["nearest_distance"][0] < 1e-3
    assert found["novelty"][1] > found["novelty"][0]
