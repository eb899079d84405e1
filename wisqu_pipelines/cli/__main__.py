"""`python -m wisqu_pipelines.cli`."""

from wisqu_pipelines.cli import main

if __name__ == "__main__":
    main()
