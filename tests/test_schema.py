import numpy as np
import pytest
import xarray as xr
from builders import band

from jinhua_rs import schema
from jinhua_rs.errors import ContractError

ROW = {
    "period": "2024Q4",
    "unit": "330702",
    "indicator": "tree_cover_share",
    "value": 61.8,
    "low": 60.2,
    "high": 63.4,
    "measure": "%",
    "status": schema.Status.OK,
    "n_clear_share": 0.97,
    "source": "reference sample",
}


def test_a_sound_row_passes_and_keeps_the_order_of_the_columns():
    table = schema.rows([dict(reversed(ROW.items()))])

    assert tuple(table.columns) == schema.ROW_COLUMNS
    assert table.loc[0, "value"] == 61.8


def test_points_test_and_p_may_be_left_out():
    table = schema.rows([ROW, ROW | {"n": 2097, "test": "wilson", "p": 0.03}])

    assert table["n"].tolist() == [0, 2097]
    assert table["test"].tolist() == ["", "wilson"]
    assert np.isnan(table.loc[0, "p"])


def test_a_table_without_rows_has_its_columns():
    assert tuple(schema.rows([]).columns) == schema.ROW_COLUMNS


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"low": 62.0}, "outside its interval"),
        ({"high": 61.0}, "outside its interval"),
        ({"low": np.nan}, "outside its interval"),
        ({"value": np.nan}, "outside its interval"),
        ({"status": schema.Status.INSUFFICIENT}, "although data are insufficient"),
        ({"indicator": "forest_cover"}, "not in the schema"),
        ({"measure": "ha"}, "not in the schema"),
        ({"county": "婺城区"}, "county"),
    ],
)
def test_a_row_that_breaks_the_schema_is_refused(change, complaint):
    with pytest.raises(ContractError, match=complaint):
        schema.rows([ROW, ROW | change])


@pytest.mark.parametrize("column", ROW)
def test_a_row_without_a_column_is_refused_by_name(column):
    with pytest.raises(ContractError, match=column):
        schema.rows([{name: value for name, value in ROW.items() if name != column}])


@pytest.mark.parametrize("status", [schema.Status.NO_INTERVAL, schema.Status.INSUFFICIENT])
def test_rows_that_are_not_judged_need_no_interval(status):
    nothing = {"low": np.nan, "high": np.nan, "status": status}
    value = {"value": np.nan} if status == schema.Status.INSUFFICIENT else {}

    assert len(schema.rows([ROW | nothing | value])) == 1


def test_described_gives_fresh_attributes_and_the_dtype_of_the_schema():
    array = band([[0.5, np.nan]]).assign_attrs(history="read from a file").astype("float64")

    made = schema.described(array, "ndvi")

    assert made.name == "ndvi" and made.dtype == np.float32
    assert made.attrs == {"units": "1", "long_name": schema.VARIABLES["ndvi"].meaning}
    assert array.attrs == {"history": "read from a file"}


def test_check_passes_what_keeps_the_contract_and_names_what_does_not():
    data = xr.Dataset({"canopy": band([[0.2]], "canopy"), "forest": band([[2]], "forest")})

    assert schema.check(data, "canopy") is data
    with pytest.raises(ContractError, match="'forest' must be uint8, got float32"):
        schema.check(data, "canopy", "forest")
    with pytest.raises(ContractError, match="'change' is missing"):
        schema.check(data, "change")


def test_codes_names_and_colours_of_classes_agree():
    for kind, infos in (
        (schema.Land, schema.LAND_CLASSES),
        (schema.Forest, schema.FOREST_CLASSES),
        (schema.Change, schema.CHANGE_CLASSES),
    ):
        assert [info.code for info in infos] == [code.value for code in kind if code != 0]
        assert len({info.color for info in infos}) == len(infos)
        assert len({info.name_zh for info in infos}) == len(infos)
    limits = {"landcover": schema.Land, "forest": schema.Forest, "change": schema.Change}
    for name, kind in limits.items():
        assert schema.VARIABLES[name].high == max(kind)


def test_every_dtype_can_hold_its_range_and_its_empty_value():
    for variable in schema.VARIABLES.values():
        dtype = np.dtype(variable.dtype)
        assert (variable.empty == "NaN") == (dtype.kind == "f"), variable.name
        if dtype.kind == "u":
            assert np.iinfo(dtype).max >= variable.high, variable.name
