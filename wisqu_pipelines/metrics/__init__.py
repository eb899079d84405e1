"""What the databases say in figures: declared once, for frames, snapshots, gauges and the weekly report."""
