"""What is said of small samples, against scipy's Wilson intervals."""

import subprocess
import sys

import pytest
from scipy.stats import binomtest

from enron_triage.labels.sample_size import accuracy_margin, sample_note


@pytest.mark.parametrize("messages", [2, 30, 200, 12000])
def test_the_margin_is_half_of_the_widest_wilson_interval(messages):
    intervals = [binomtest(right, messages).proportion_ci(method="wilson") for right in (0, messages // 2)]
    widest = max(interval.high - interval.low for interval in intervals)
    assert accuracy_margin(messages) == pytest.approx(widest / 2)


def test_nothing_is_known_from_no_message():
    assert accuracy_margin(0) == 0.5


def test_a_small_sample_is_named_and_a_large_one_is_not():
    assert sample_note(30) == "only 30 messages: the accuracy may be off by 17 percentage points"
    assert sample_note(199) is not None
    assert sample_note(200) is None
    assert sample_note(200, 10) is None
    assert (
        sample_note(200, 9)
        == "only 9 mailboxes (under 10): no intervals, and results for other people may be quite different"
    )
    both = sample_note(1, 1)
    assert both.startswith("only 1 message: ")
    assert "; only 1 mailbox (under 10)" in both


@pytest.mark.slow
def test_the_note_needs_no_torch():
    code = "import sys, enron_triage.labels.sample_size; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
