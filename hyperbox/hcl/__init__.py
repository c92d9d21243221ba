"""HCL, the language of bake files: syntax, values, expressions and functions. It knows nothing of containers, and opens no file."""
