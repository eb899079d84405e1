"""The stores behind the ports: real ones, and ones in memory that behave alike."""
