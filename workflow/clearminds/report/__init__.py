"""How results look: figures, tables, one HTML page."""
