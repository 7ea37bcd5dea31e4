"""One module per kind of camera; see camera.opening for the table."""
