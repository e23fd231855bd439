"""Arrow tables as frames of pandas, without a loss: integers with gaps stay integers."""

import pandas as pd
import pyarrow as pa

INTEGERS = {
    pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(), pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}  # fmt: skip


def to_frame(table: "pa.Table | pa.RecordBatch") -> pd.DataFrame:
    """Return the rows of a table.

    Args:
        table: Table or batch; what pandas wrote about its index is ignored.
    """
    frame: pd.DataFrame = table.to_pandas(types_mapper=INTEGERS.get, ignore_metadata=True, date_as_object=False)
    return frame
