import pytest
from eight import grade, make_class, outcome


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What eight students and their TAs see after a run that nothing disturbed."""
    group = make_class(tmp_path_factory.mktemp("undisturbed") / "tiny")
    rows = grade(group, 1)
    assert [row.score for row in rows[:4]] == [3.5, 1.5, 2, 0]
    return outcome(group)
