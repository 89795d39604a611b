"""What a stage raises when it cannot go on: one line that says what, where and what to do."""


class TriageError(Exception):
    """The work failed; the command line prints the message and exits with status 1."""

    exit_status = 1


class UsageError(TriageError):
    """A wrong option, configuration or missing input; the command line exits with status 2."""

    exit_status = 2
