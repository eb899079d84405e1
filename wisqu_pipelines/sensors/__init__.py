"""What starts jobs when people have decided."""
