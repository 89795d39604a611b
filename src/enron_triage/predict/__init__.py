"""Actions for new mail.

    triage predict --mailbox ~/Maildir new.eml

In Python: ``Triage.load("checkpoints/best_sft.pt").predict(emails)``.
"""

from enron_triage.predict.command import run
from enron_triage.predict.triage import Prediction, Triage
from enron_triage.runtime import threads

threads.sleep_while_waiting()  # before torch is loaded, which prediction does for a GPU, and other code may do

__all__ = ["Prediction", "Triage", "run"]
