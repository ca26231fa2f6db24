"""Where samples come from: the hub, a local folder, and the pictures and clips they hold."""
