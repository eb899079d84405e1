"""The door of an environment: middleware for its own apps, which lets in who brings a token of this environment."""
