"""What makes and changes the tables, in the order of the numbers."""
