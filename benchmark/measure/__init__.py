"""One benchmark on one device, from request to results."""
