"""`wisqu demo`: the main job on real data, with proofs."""
