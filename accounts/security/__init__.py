"""Security: second factors, proof of presence, limits, and letters about changes to a sign-in."""
