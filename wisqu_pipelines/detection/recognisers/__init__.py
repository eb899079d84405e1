"""The built-in recognisers, a file for each group."""
