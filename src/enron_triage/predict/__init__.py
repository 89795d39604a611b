"""Actions for new mail.

    triage predict --mailbox ~/Maildir new.eml

In Python: ``Triage.load("checkpoints/best_sft.pt").predict(emails)``.
"""

from enron_triage.predict.command import run
from enron_triage.predict.triage import Prediction, Triage

__all__ = ["Prediction", "Triage", "run"]
