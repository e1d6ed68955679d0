"""Files that are right however they end: muxing, the manifest, names, recovery."""
