"""``python -m softmachine``."""

from softmachine.cli.main import main

main()
