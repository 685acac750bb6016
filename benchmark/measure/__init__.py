"""One benchmark on one device, from the request to the results."""
