"""Analyses of a study's files, a module each: `analyse(files)` gives the rows of its `TABLE`."""
