"""`python -m etl` is `tfy-etl`."""

from etl.cli import main

if __name__ == "__main__":
    main()
