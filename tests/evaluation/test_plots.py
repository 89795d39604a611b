import io
import struct

import numpy as np
import pytest

from enron_triage.evaluation import plots


@pytest.mark.slow
def test_the_plot_is_a_png_and_the_same_bytes_for_the_same_matrix():
    def picture(matrix):
        file = io.BytesIO()
        plots.draw_confusion(np.array(matrix), "best_sft on test", file)
        return file.getvalue()

    matrix = np.diag([5, 0, 3, 2000, 1])  # one row without any message
    first = picture(matrix)
    assert first.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", first[16:24]) == (720, 600)
    assert first == picture(matrix)
    assert first != picture(matrix + 1)
