"""``python -m discovery.cli``: the command line without its script."""

from discovery.cli.main import main

main()
