"""What the local cloud hosts for its droplets: an image registry and git repositories."""
