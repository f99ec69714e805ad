"""Parts of the tables: intervals over items and seeds, exact tests, comparisons, checks of the data."""
