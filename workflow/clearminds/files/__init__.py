"""What is written where, in which columns: every path, every table, every digest."""
