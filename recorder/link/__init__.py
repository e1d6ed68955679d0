"""Between the server and the recorder's processes: what is recorded, and how it goes."""
