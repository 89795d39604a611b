"""The exceptions that stages raise: one line that says what is wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class TriageError(Exception):
    """The command failed while working; the command line prints the message and exits with status 1."""

    exit_status = 1


class InterruptedRun(TriageError):  # noqa: N818 - not an error, but it ends a run like one
    """The user or the system stopped the program; the command line exits with status 130."""

    exit_status = 130


class UsageError(TriageError):
    """An invalid option or configuration, or a missing input; the command line exits with status 2."""

    exit_status = 2


class ArtifactError(UsageError):
    """An artifact is missing or damaged; `pipeline` adds the command that makes it, if a stage makes it.

    Parameters
    ----------
    path : Path
        The artifact.
    problem : str
        What is wrong with it.
    remedy : str
        What to do about it, with ``{command}`` as a placeholder for the command that makes the artifact.
    otherwise : str
        What to do about an artifact that no stage makes.
    command : str, optional
        The command, such as ``run `triage label```.
    """

    def __init__(
        self,
        path: Path,
        problem: str,
        remedy: str = "{command}",
        otherwise: str = "give the right path",
        command: str | None = None,
    ) -> None:
        super().__init__(path, problem, remedy, otherwise, command)  # as arguments, so that it can be pickled
        self.path = path
        self.problem = problem
        self._remedy = remedy
        self._otherwise = otherwise
        self._command = command

    def __str__(self) -> str:
        """The line that is shown: what, where, and what to do."""
        advice = self._otherwise if self._command is None else self._remedy.format(command=self._command)
        return f"{self.path}: {self.problem}; {advice}"

    def with_command(self, command: str | None) -> ArtifactError:
        """The same error, with the command that makes the artifact.

        Parameters
        ----------
        command : str or None
            As above; None if no stage makes it.
        """
        return ArtifactError(self.path, self.problem, self._remedy, self._otherwise, command)


def cause_of(error: OSError) -> str:
    """Why the operating system refused, in the words of the other messages.

    Parameters
    ----------
    error : OSError
        What it answered.

    Examples
    --------
    >>> cause_of(FileNotFoundError(2, "No such file or directory"))
    'no such file or folder'
    """
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, IsADirectoryError):
        return "is a folder, but a file is expected"
    words = error.strerror or str(error)
    return words[:1].lower() + words[1:]
