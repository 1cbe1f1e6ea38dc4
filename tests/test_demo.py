import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataaudit import Audit
from dataaudit.demo import plant_label_errors, run


@given(st.integers(1, 200), st.integers(2, 9), st.floats(0, 1), st.integers(0, 99))
def test_exactly_the_share_is_planted_and_every_planted_label_is_wrong(n, classes, share, seed):
    labels = np.arange(n) % classes
    noisy, wrong = plant_label_errors(labels, classes, share, seed)
    assert wrong.sum() == round(share * n)
    np.testing.assert_array_equal(noisy != labels, wrong)
    assert ((noisy >= 0) & (noisy < classes)).all()
    again, _ = plant_label_errors(labels, classes, share, seed)
    np.testing.assert_array_equal(noisy, again)


def test_the_demo_finds_the_planted_errors(tmp_path, capfd):
    result = run(tmp_path / "out", progress=False)
    assert capfd.readouterr() == ("", "")
    assert len(result.auroc) == 3
    assert min(result.auroc) >= 0.995
    assert min(result.average_precision) >= 0.97
    assert min(result.precision) >= 0.9
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["audit", "report.html"]
    assert len(Audit.load(tmp_path / "out" / "audit")) == 1797
