"""Parts of a rehearsal: what is tried on one model before anything costs hours."""
