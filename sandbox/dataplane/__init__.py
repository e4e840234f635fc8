"""A data plane without containers: pods are processes on loopback, and Envoy is the gateway in front of them."""
