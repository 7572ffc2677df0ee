"""`python -m mgsl STAGE`."""

from mgsl.cli import main

main()
