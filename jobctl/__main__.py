"""`python -m jobctl`: the same as the `jobctl` command."""

from jobctl.entry import main

if __name__ == "__main__":
    main()
