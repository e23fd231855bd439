"""Parquet files and Arrow streams as rows; how large they will be is known before anything is unpacked."""

import io
import struct
from collections.abc import Iterator, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gitops_ml.config import Serving
from gitops_ml.serving.refusal import Problem, Refusal, broken_rows, check_columns, check_count

# How much larger than the largest body the columns of a request may be when they are unpacked.
UNPACKED = 4
# What unpacks to twenty times its size at most. Others may grow a thousandfold, and only the file itself says how far.
CODECS = {"UNCOMPRESSED", "SNAPPY"}
# Where Arrow's Message.fbs keeps things: the places of fields in their tables, and the kinds of messages.
HEADER_TYPE, HEADER = 1, 2
DICTIONARY, BATCH = 2, 3
DICTIONARY_DATA = 1
LENGTH, BUFFERS, COMPRESSION = 0, 2, 3


def parquet(body: bytes, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    """The rows of a Parquet file.

    Raises:
        Refusal: 400, it cannot be read; 413, it is too large; 422, a column is not one of the model's.
    """
    try:
        with pq.ParquetFile(io.BytesIO(body)) as file:
            check_columns(file.schema_arrow.names, columns)
            _check_types(file.schema_arrow)
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            check_count(max(file.metadata.num_rows, sum(group.num_rows for group in groups)), limits.max_rows)
            _check_codecs(groups)
            _check_size(sum(group.total_byte_size for group in groups), limits)
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        # A text that is repeated stays one text until it is known how large all would be.
        with pq.ParquetFile(io.BytesIO(body), read_dictionary=texts) as file:
            return _frame(file.read(columns=list(columns)), columns, limits)
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise Refusal(400, f"The body is not a whole Parquet file: {_first_line(error)}.") from None


def arrow(body: bytes, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    """The rows of an Arrow stream; raises Refusal as `parquet` does."""
    try:
        with pa.ipc.open_stream(body) as stream:
            check_columns(stream.schema.names, columns)
            _check_types(stream.schema)
            _check_messages(body, limits)
            batches = list(stream)
            for batch in batches:
                batch.validate(full=True)  # what points outside its own buffers would read where it must not
            return _frame(pa.Table.from_batches(batches, stream.schema), columns, limits)
    except (pa.ArrowException, OSError, ValueError, TypeError, struct.error) as error:
        raise Refusal(400, f"The body is not a whole Arrow stream: {_first_line(error)}.") from None


def _check_types(schema: pa.Schema) -> None:
    """Nothing nested, and nothing that shares its values with others: these grow when they are brought to rows."""
    problems = [Problem(None, field.name, f"must not be of the type {str(field.type)[:100]}")
                for field in schema if not _is_plain(field.type)]  # fmt: skip
    if problems:
        raise broken_rows(problems)


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind) or _is_text(kind))


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary,
                                       pa.types.is_large_binary))  # fmt: skip


def _check_codecs(groups: list[pq.RowGroupMetaData]) -> None:
    used = {group.column(place).compression for group in groups for place in range(group.num_columns)} - CODECS
    if used:
        raise Refusal(413, f"The Parquet file is compressed with {', '.join(sorted(used))}, which may unpack to "
                           f"anything; write it with {' or '.join(sorted(CODECS))}.")  # fmt: skip


def _check_messages(body: bytes, limits: Serving) -> None:
    """What all batches and dictionaries will be together, by their own headers."""
    rows, size = 0, 0
    for message in pa.ipc.MessageReader.open_stream(body):
        for is_batch, length, unpacked in _described(message):
            rows, size = rows + length * is_batch, size + unpacked
            check_count(rows, limits.max_rows)
            _check_size(size, limits)


def _described(message: pa.ipc.Message) -> Iterator[tuple[bool, int, int]]:
    """Whether a message has rows, how many, and its bytes when it is unpacked; nothing for other messages.

    pyarrow does not say it; Arrow has verified the header's offsets when it made the message.
    """
    header, content = message.metadata.to_pybytes(), memoryview(message.body or b"")
    root = struct.unpack_from("<I", header)[0]
    kind = header[place] if (place := _field(header, root, HEADER_TYPE)) else 0
    if kind not in {DICTIONARY, BATCH}:
        return
    batch = _followed(header, _field(header, root, HEADER))
    if kind == DICTIONARY:
        batch = _followed(header, _field(header, batch, DICTIONARY_DATA))
    length = struct.unpack_from("<q", header, place)[0] if (place := _field(header, batch, LENGTH)) else 0
    compressed = bool(_field(header, batch, COMPRESSION))
    buffers = _followed(header, _field(header, batch, BUFFERS))
    spans = struct.iter_unpack(
        "<qq", header[buffers + 4 : buffers + 4 + 16 * struct.unpack_from("<I", header, buffers)[0]]
    )
    # A compressed buffer begins with what it will be; -1 says that it was left as it is.
    told = (struct.unpack_from("<q", content, start)[0] if compressed and size else size for start, size in spans)
    yield kind == BATCH, length, sum(max(each, 0) for each in told)


def _field(header: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffers table stands; 0 where it was left out."""
    places = table - struct.unpack_from("<i", header, table)[0]
    at = 4 + 2 * number
    there = at < struct.unpack_from("<H", header, places)[0]
    offset = struct.unpack_from("<H", header, places + at)[0] if there else 0
    return table + offset if offset else 0


def _followed(header: bytes, place: int) -> int:
    """What a reference in a flatbuffers table points at."""
    return int(place + struct.unpack_from("<I", header, place)[0])


def _frame(table: pa.Table, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    """A table as pandas has it, without an index of its own and without dictionaries."""
    table = table.select(list(columns))
    _check_size(sum(map(_decoded, table.columns)), limits)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    for name in frame.select_dtypes("category"):
        frame[name] = frame[name].astype(frame[name].cat.categories.dtype)
    return frame


def _decoded(column: pa.ChunkedArray) -> int:
    """The bytes of a column once each row has its own value."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return 8 * len(column) + (column.nbytes if _is_text(column.type) else 0)
    lengths = (pc.take(pc.binary_length(chunk.dictionary), chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(each.cast(pa.int64())).as_py() or 0 for each in lengths)


def _check_size(size: int, limits: Serving) -> None:
    most = UNPACKED * limits.max_body_mib
    if size > most * 2**20:
        raise Refusal(413, f"The body is too large when it is unpacked: more than {most} MiB; send it in parts.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
