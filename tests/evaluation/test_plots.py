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


def test_a_plot_of_undefined_f1_is_drawn():
    figure = plots.f1_figure({"best_sft on test": dict.fromkeys(plots.ACTION_NAMES)}, "F1 by action")
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [0] * 5
