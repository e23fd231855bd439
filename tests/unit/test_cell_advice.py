"""What `gitops validate` advises: the declarations in model.toml that would accept the cells."""

import pytest

from gitops_ml.rows.cell_advice import advise_about_cells


@pytest.mark.parametrize(
    ("rule", "cell", "advice"),
    [
        ("must be float64", "'NA'", 'If \'NA\' means a missing value, set `missing = ["", "NA"]` under [data].'),
        ("must be Int64", "'N/A'", '`missing = ["", "N/A"]`'),
        ("must be bool", "'Yes'", "If 'Yes' means true or false, set `true = [...]` and `false = [...]`"),
        ("must be a date in ISO 8601, without an offset", "'1/12/2017'", "under [data.dates]"),
        ("isin(['a', 'b'])", "'?'", '`missing = ["", "?"]`'),
    ],
)
def test_the_declaration_that_would_accept_a_cell_is_named(rule: str, cell: str, advice: str) -> None:
    """Each example is a cell with its file and row."""
    text = advise_about_cells([("paid", rule, (f"{cell} in data/rows.csv row 5",))])
    assert advice in text
    assert text.endswith("`gitops docs cells` has the details.")


@pytest.mark.parametrize(
    ("rule", "example"),
    [
        ("must be float64", "'1,5' in data/rows.csv row 5"),
        ("must be unique", "'N1A1' in data/rows.csv row 5"),
        ("must not be missing", "nothing in data/rows.csv row 5"),
        ("column is not in the schema", "data/rows.csv"),
    ],
)
def test_other_cells_get_no_advice(rule: str, example: str) -> None:
    """No declaration accepts them."""
    assert advise_about_cells([("paid", rule, (example,))]) == ""
