"""`python -m moore_tui` is `moore-console`."""

from moore_tui.cli import main

if __name__ == "__main__":
    main()
