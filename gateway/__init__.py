"""SMS gateway: the product. Composition is in `runtime/app.py`."""
