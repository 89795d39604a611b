"""Reading and writing artifacts: everything that a stage needs for it, under one name.

    from enron_triage.runtime import artifacts

    for email in artifacts.read_records(path, Email): ...

Files are written atomically (`atomic`). They hold records (`record_arrays`) or one JSON value (`json_files`).
"""

from enron_triage.runtime.atomic import (
    atomic_open,
    atomic_path,
    not_written,
    refuse_missing_folder,
    remove,
    temporary_path,
)
from enron_triage.runtime.json_files import open_input, read_json, write_json
from enron_triage.runtime.record_arrays import (
    RecordWriter,
    Span,
    decode_line,
    iterate_lines,
    mailbox_spans,
    read_records,
    read_span,
    record_writer,
)

__all__ = [
    "RecordWriter",
    "Span",
    "atomic_open",
    "atomic_path",
    "decode_line",
    "iterate_lines",
    "mailbox_spans",
    "not_written",
    "open_input",
    "read_json",
    "read_records",
    "read_span",
    "record_writer",
    "refuse_missing_folder",
    "remove",
    "temporary_path",
    "write_json",
]
