"""Rooms as one picture while they last: composed live, to files, HLS, RTMP and SRT."""
