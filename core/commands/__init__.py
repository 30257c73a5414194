"""The commands of the command line, a module an area; `core.__main__` puts them together."""
