"""Erasing one person's data from an environment on request, with a certificate, and again after a restore."""
