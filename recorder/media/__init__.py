"""From the packets of one track to whole frames with the time at which they were captured."""
