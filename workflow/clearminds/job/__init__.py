"""How one job runs on this machine: arguments, log, devices, signals, processes."""
