"""A small local vector server: Qdrant's own engine behind the part of Qdrant's REST API that this project uses.

It takes its models from `qdrant-client` and refuses with 501 whatever it does not do, so a program that works against
it works against Qdrant. Run it with `python -m wisqu_pipelines.devstack.qdrant_edge`.

One process, one thread: the engine holds Python's lock during each of its calls, so a pool of threads would only add
hand-overs, and on one thread every request finds a collection at rest.
"""
