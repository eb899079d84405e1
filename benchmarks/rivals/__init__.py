"""What we compare with: the code that most teams would write."""
