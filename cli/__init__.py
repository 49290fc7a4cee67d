"""The command line: one command a file, arguments to one call; what is called lives in `celldsl`."""
