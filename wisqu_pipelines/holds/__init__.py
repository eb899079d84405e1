"""Legal holds: what may be neither hidden nor purged, by whose word and why."""
