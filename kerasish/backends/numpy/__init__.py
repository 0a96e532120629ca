"""The NumPy adapter: plain NumPy calls, and a reverse-mode tape when gradients are wanted."""
