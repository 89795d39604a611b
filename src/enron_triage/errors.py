"""What a stage raises when it cannot go on: one line that says what, where and what to do."""


class TriageError(Exception):
    """The work failed; the command line prints the message and exits with status 1."""

    exit_status = 1


class InterruptedRun(TriageError):  # noqa: N818 - not an error, but it ends a run like one
    """The user or the system stopped the program; the command line exits with status 130."""

    exit_status = 130


class UsageError(TriageError):
    """A wrong option, configuration or missing input; the command line exits with status 2."""

    exit_status = 2
