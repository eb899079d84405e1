"""What is kept for how long: sweeps that hide and later purge what nobody promoted, and holds that stop them."""
