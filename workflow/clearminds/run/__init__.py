"""How a whole run is planned, started and stopped."""
