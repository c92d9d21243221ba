"""The source tables of the grammar and the generator of everything made from them."""
