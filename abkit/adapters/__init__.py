"""The edges: where tables, files, engines and other libraries are met. Imported inside functions only."""
