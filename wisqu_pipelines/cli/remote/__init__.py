"""The services as the commands call them, through the API of a server."""
