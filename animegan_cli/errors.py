"""The one error family of the package: what a user can mend, said in one line."""


class AnimeganError(Exception):
    """Base of every error that a user can act on; ``str(error)`` is one clear line."""

    exit_status = 2


class SettingsError(AnimeganError):
    """A flag, environment variable or configuration value that cannot be used."""


class DataError(AnimeganError):
    """The training images are missing, unreadable or changed."""


class SnapshotError(AnimeganError):
    """A snapshot, state or run folder that is missing, damaged or of another kind."""


class DivergedError(AnimeganError):
    """Training produced a value that is not finite."""

    exit_status = 1


class Interrupted(AnimeganError):
    """A signal stopped the run after its state was saved; exits with 128 + the signal."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + signum


class ElsewhereError(AnimeganError):
    """Another process of the same run failed or was stopped, and says why."""

    def __init__(self, rank: int, exit_status: int = 1) -> None:
        super().__init__(f"stopped with process {rank} of this run")
        self.exit_status = exit_status
