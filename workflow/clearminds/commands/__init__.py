"""What can be asked of a checkout: one file a command, `python -m clearminds.commands.NAME`."""
