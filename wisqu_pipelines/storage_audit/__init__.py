"""Whether an environment's rows, objects and points belong together, and the removal of what belongs to nobody."""
