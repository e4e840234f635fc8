"""What goes wrong in the sandbox, said in one sentence."""


class SandboxError(Exception):
    """A sentence that a person can act on; shown without a traceback."""


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
