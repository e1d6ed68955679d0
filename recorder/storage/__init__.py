"""Where recordings are kept when they are not to stay on this machine's disk, and for how long."""
