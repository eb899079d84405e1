"""Documents in: files become rows, objects and vectors of one environment; and finding them again."""
