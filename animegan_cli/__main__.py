"""Run the command line as ``python -m animegan_cli``."""

from animegan_cli.cli.app import main

if __name__ == "__main__":
    main()
