"""What runs came to, on paper: figures, tables and a page, from run directories alone."""
