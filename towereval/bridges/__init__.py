"""Between towereval and other harnesses."""
