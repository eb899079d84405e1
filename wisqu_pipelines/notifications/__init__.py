"""What people are told without asking: kept as messages in the control database, and delivered from there."""
