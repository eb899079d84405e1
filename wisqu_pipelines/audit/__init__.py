"""What happened, written down in the transaction in which it happened, in chains that show tampering."""
