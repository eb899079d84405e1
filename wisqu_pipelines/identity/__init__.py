"""Who people are, and which role they have in which environment."""
