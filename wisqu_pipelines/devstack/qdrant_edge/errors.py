"""Refusals, each with the HTTP status and the wording that Qdrant gives it."""


class ApiError(Exception):
    """A request was not done; the message goes to the client."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequestError(ApiError):
    """The request cannot be understood, or does not fit the collection."""

    status = 400


class InvalidError(ApiError):
    """A number in the request is outside what is allowed."""

    status = 422

    def __init__(self, reason: str) -> None:
        super().__init__(f"Validation error in JSON body: [{reason}]")


class NotFoundError(ApiError):
    """A collection or a point is not there."""

    status = 404

    def __init__(self, reason: str) -> None:
        super().__init__(f"Not found: {reason}")


class ConflictError(ApiError):
    """The collection is there already."""

    status = 409


class TooLargeError(ApiError):
    """The body is over the limit."""

    status = 413


class UnsupportedError(ApiError):
    """Real Qdrant does this; this server does not."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(f"Not supported by this local server: {what}. A real Qdrant server does it.")


class DataUnusableError(Exception):
    """The data directory cannot be served; the server does not start."""
