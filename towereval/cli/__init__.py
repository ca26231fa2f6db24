"""The command line, one file a command. typer and rich live only here."""
