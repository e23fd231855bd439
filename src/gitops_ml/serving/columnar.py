"""Parquet files and Arrow streams as rows; their size is checked before anything is unpacked."""

import io
import struct
from collections.abc import Iterator, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gitops_ml.config import ServingConfig
from gitops_ml.rows.arrow_table import to_frame
from gitops_ml.serving.api_error import ApiError, RequestProblem, check_columns, check_row_count, schema_error

# Limit on the unpacked columns of a request, as a multiple of the largest allowed body.
UNPACKED_FACTOR = 4
# Codecs that unpack to at most twenty times the size. Others may unpack to a thousand times the size.
CODECS = {"UNCOMPRESSED", "SNAPPY"}
# Field numbers and kinds of messages from Arrow's Message.fbs.
HEADER_TYPE, HEADER = 1, 2
DICTIONARY, BATCH = 2, 3
DICTIONARY_DATA = 1
LENGTH, BUFFERS, COMPRESSION = 0, 2, 3


def read_parquet(body: bytes, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    """Read the rows of a Parquet file.

    Args:
        body: Content of the file.
        columns: Columns of the model, with their dtypes.
        limits: Limits on rows and sizes.

    Returns:
        Rows with the model's columns, in its order.

    Raises:
        ApiError: 400, the file cannot be read; 413, it is too large; 422, a column is missing or unknown.
    """
    try:
        with pq.ParquetFile(io.BytesIO(body)) as file:
            check_columns(file.schema_arrow.names, columns)
            _check_types(file.schema_arrow)
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            check_row_count(max(file.metadata.num_rows, sum(group.num_rows for group in groups)), limits.max_rows)
            _check_codecs(groups)
            _check_size(sum(group.total_byte_size for group in groups), limits)
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        # Repeated texts stay dictionary-encoded until the size of all of them is known.
        with pq.ParquetFile(io.BytesIO(body), read_dictionary=texts) as file:
            return _to_frame(file.read(columns=list(columns)), columns, limits)
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise ApiError(400, f"The body is not a complete Parquet file: {_first_line(error)}.") from None


def read_arrow(body: bytes, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    """Read the rows of an Arrow stream.

    Args:
        body: Content of the stream.
        columns: Columns of the model, with their dtypes.
        limits: Limits on rows and sizes.

    Returns:
        Rows with the model's columns, in its order.

    Raises:
        ApiError: 400, the stream cannot be read; 413, it is too large; 422, a column is missing or unknown.
    """
    try:
        with pa.ipc.open_stream(body) as stream:
            check_columns(stream.schema.names, columns)
            _check_types(stream.schema)
            _check_messages(body, limits)
            batches = list(stream)
            for batch in batches:
                batch.validate(full=True)  # offsets outside of their buffers would read other memory
            return _to_frame(pa.Table.from_batches(batches, stream.schema), columns, limits)
    except (pa.ArrowException, OSError, ValueError, TypeError, struct.error) as error:
        raise ApiError(400, f"The body is not a complete Arrow stream: {_first_line(error)}.") from None


def _check_types(schema: pa.Schema) -> None:
    """Refuse nested types and types that share their values; they can grow when they are converted to rows."""
    problems = [RequestProblem(None, field.name, f"must not be of the type {str(field.type)[:100]}")
                for field in schema if not _is_plain(field.type)]  # fmt: skip
    if problems:
        raise schema_error(problems)


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind) or _is_text(kind))


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary,
                                       pa.types.is_large_binary))  # fmt: skip


def _check_codecs(groups: list[pq.RowGroupMetaData]) -> None:
    codecs = {group.column(index).compression for group in groups for index in range(group.num_columns)} - CODECS
    if codecs:
        raise ApiError(413, f"The Parquet file is compressed with {', '.join(sorted(codecs))}, whose unpacked size has "
                            f"no limit. Write it with {' or '.join(sorted(CODECS))}.")  # fmt: skip


def _check_messages(body: bytes, limits: ServingConfig) -> None:
    """Check the total size of all batches and dictionaries, as their headers state it."""
    rows, size = 0, 0
    for message in pa.ipc.MessageReader.open_stream(body):
        for is_batch, length, unpacked in _message_sizes(message):
            rows, size = rows + length * is_batch, size + unpacked
            check_row_count(rows, limits.max_rows)
            _check_size(size, limits)


def _message_sizes(message: pa.ipc.Message) -> Iterator[tuple[bool, int, int]]:
    """Yield whether a message has rows, their number, and its unpacked size in bytes; nothing for other messages.

    pyarrow has no function for this. Arrow verified the offsets of the header when it created the message.
    """
    header, content = message.metadata.to_pybytes(), memoryview(message.body or b"")
    root = struct.unpack_from("<I", header)[0]
    kind = header[offset] if (offset := _field_offset(header, root, HEADER_TYPE)) else 0
    if kind not in {DICTIONARY, BATCH}:
        return
    batch = _follow_reference(header, _field_offset(header, root, HEADER))
    if kind == DICTIONARY:
        batch = _follow_reference(header, _field_offset(header, batch, DICTIONARY_DATA))
    length = struct.unpack_from("<q", header, offset)[0] if (offset := _field_offset(header, batch, LENGTH)) else 0
    compressed = bool(_field_offset(header, batch, COMPRESSION))
    buffers = _follow_reference(header, _field_offset(header, batch, BUFFERS))
    spans = struct.iter_unpack(
        "<qq", header[buffers + 4 : buffers + 4 + 16 * struct.unpack_from("<I", header, buffers)[0]]
    )
    # A compressed buffer starts with its unpacked size; -1 means that the buffer is not compressed.
    sizes = (struct.unpack_from("<q", content, start)[0] if compressed and size else size for start, size in spans)
    yield kind == BATCH, length, sum(max(size, 0) for size in sizes)


def _field_offset(header: bytes, table: int, number: int) -> int:
    """Return the offset of a field in a flatbuffers table; 0 if the field is absent."""
    vtable = table - struct.unpack_from("<i", header, table)[0]
    entry = 4 + 2 * number
    is_present = entry < struct.unpack_from("<H", header, vtable)[0]
    offset = struct.unpack_from("<H", header, vtable + entry)[0] if is_present else 0
    return table + offset if offset else 0


def _follow_reference(header: bytes, offset: int) -> int:
    """Return the offset that a reference in a flatbuffers table points to."""
    return int(offset + struct.unpack_from("<I", header, offset)[0])


def _to_frame(table: pa.Table, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    """Return a table as a pandas frame, without an index and without dictionaries."""
    table = table.select(list(columns))
    _check_size(sum(map(_decoded_size, table.columns)), limits)
    frame = to_frame(table)
    for name in frame.select_dtypes("category"):
        frame[name] = frame[name].astype(frame[name].cat.categories.dtype)
    return frame


def _decoded_size(column: pa.ChunkedArray) -> int:
    """Return the size of a column in bytes if each row has its own value."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return 8 * len(column) + (column.nbytes if _is_text(column.type) else 0)
    lengths = (pc.take(pc.binary_length(chunk.dictionary), chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(each.cast(pa.int64())).as_py() or 0 for each in lengths)


def _check_size(size: int, limits: ServingConfig) -> None:
    max_mib = UNPACKED_FACTOR * limits.max_body_mib
    if size > max_mib * 2**20:
        raise ApiError(
            413, f"The unpacked body is larger than the limit of {max_mib} MiB. Split it into smaller requests."
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
