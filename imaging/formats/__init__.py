"""Where the image lies inside a file, read from its structure without decoding a pixel. Standard library only."""
