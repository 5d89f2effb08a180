"""What exporting costs, measured against what people would use instead: ``python -m bench``."""
