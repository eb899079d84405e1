"""The environments: their stores, and the markers that tell whose a store is."""
