"""What single steps of the server cost: CPU time and memory of one operation."""
