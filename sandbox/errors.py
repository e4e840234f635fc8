"""The errors of the sandbox. Each message is one sentence."""


class SandboxError(Exception):
    """An error that a person can act on. It is shown without a traceback."""


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
