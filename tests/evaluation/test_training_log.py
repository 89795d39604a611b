"""The log is people's: the report changes its own section and no other byte."""

import pytest

from enron_triage.errors import UsageError
from enron_triage.evaluation.training_log import BEGIN, END, LOG, write_results


def test_the_log_changes_between_the_markers_only():
    LOG.write_text("# Mine\n\nwritten by hand\n")
    write_results("### Results")
    first = LOG.read_text()
    assert first == f"# Mine\n\nwritten by hand\n\n{BEGIN}\n### Results\n{END}\n"
    LOG.write_text(first.replace("### Results", "### Old results") + "\nwritten later: \\1 \\g<0>\n")
    write_results("### Results")
    assert LOG.read_text() == first + "\nwritten later: \\1 \\g<0>\n"


def test_a_log_that_is_missing_is_begun():
    write_results("### Results")
    assert LOG.read_text() == f"# Training log\n\n{BEGIN}\n### Results\n{END}\n"


@pytest.mark.parametrize("text", [f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}{END}" * 2])
def test_damaged_markers_are_refused_and_nothing_is_lost(text):
    LOG.write_text(text)
    with pytest.raises(UsageError, match=r"TRAINING_LOG\.md: needs one"):
        write_results("### Results")
    assert LOG.read_text() == text


def test_the_logs_own_bytes_stay_as_they_are():
    LOG.write_bytes("# Mine ± 1\r\n\r\nby hand\r\n".encode())
    write_results("### Results")
    assert LOG.read_bytes().startswith("# Mine ± 1\r\n\r\nby hand".encode())
    LOG.write_bytes(b"M\xfcller\n")
    with pytest.raises(UsageError, match=r"TRAINING_LOG\.md: not UTF-8"):
        write_results("### Results")
    assert LOG.read_bytes() == b"M\xfcller\n"
