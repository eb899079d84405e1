"""What the domain asks of the stores, without saying whose they are."""
